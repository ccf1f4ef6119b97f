"""Airflow DAG that sends the week's summary."""

from reporting.orchestration.dags import summary_dag

summary = summary_dag()
