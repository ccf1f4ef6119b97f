"""Airflow DAG that sends the summary of the week by e-mail."""

from reporting.orchestration.dags.reports import summary_dag

summary = summary_dag()
