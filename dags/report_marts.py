"""Airflow DAGs that bring the marts to where people look: as files, and by e-mail."""

from reporting.orchestration.dags import csv_dag, export_dag

full_csv = csv_dag()
export = export_dag()
