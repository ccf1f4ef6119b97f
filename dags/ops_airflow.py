"""Airflow DAGs that monitor Airflow itself, remove its old runs, and resume paused DAGs."""

from reporting.orchestration.canary import canary_dag
from reporting.orchestration.dags.airflow import cleanup_dag, pauses_dag

canary = canary_dag()
cleanup = cleanup_dag()
pauses = pauses_dag()
