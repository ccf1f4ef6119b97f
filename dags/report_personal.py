"""Airflow DAG that makes the owner's report."""

from reporting.orchestration.dags.reports import report_dag

dashboard = report_dag()
