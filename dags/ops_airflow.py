"""Airflow DAGs that watch over Airflow itself."""

from reporting.orchestration.canary import canary_dag

canary = canary_dag()
