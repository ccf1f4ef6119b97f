"""Airflow DAGs that watch over Airflow itself, and clean up after it."""

from reporting.orchestration.canary import canary_dag
from reporting.orchestration.dags import cleanup_dag, pauses_dag

canary = canary_dag()
cleanup = cleanup_dag()
pauses = pauses_dag()
