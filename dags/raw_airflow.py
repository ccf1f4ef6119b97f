"""Airflow DAG that brings Airflow's own runs into the warehouse."""

from reporting.orchestration.dags import runs_dag

runs = runs_dag()
