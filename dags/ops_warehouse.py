"""Airflow DAGs that keep the warehouse in order."""

from reporting.orchestration.dags import freshness_dag, schema_dag

schema = schema_dag()
freshness = freshness_dag()
