"""Airflow DAG that loads the history of Airflow's own runs into the warehouse."""

from reporting.orchestration.dags.airflow import runs_dag

runs = runs_dag()
