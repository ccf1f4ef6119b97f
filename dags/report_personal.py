"""Airflow DAGs that make the owner's reports."""

from reporting.orchestration.dags import report_dag

dashboard = report_dag()
