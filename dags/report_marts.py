"""Airflow DAGs that deliver the marts as files and by e-mail."""

from reporting.orchestration.dags.reports import csv_dag, export_dag

full_csv = csv_dag()
export = export_dag()
