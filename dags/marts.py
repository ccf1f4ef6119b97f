"""Airflow DAGs that build staging and marts with dbt."""

from reporting.orchestration.dags.marts import mart_dags

globals().update(mart_dags())
