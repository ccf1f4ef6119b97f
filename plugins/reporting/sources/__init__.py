"""The sources, one package each, and what they share. Nothing here imports Airflow or BigQuery's client."""
