"""Readers: each turns one API into pages of records and knows neither Airflow nor BigQuery."""
