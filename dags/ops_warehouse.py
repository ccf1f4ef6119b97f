"""Airflow DAGs that maintain the warehouse: schema, freshness, incidents, profiles, backups."""

from reporting.orchestration.dags.warehouse import (
    backup_dag,
    freshness_dag,
    incidents_dag,
    profile_dag,
    schema_dag,
)

schema = schema_dag()
freshness = freshness_dag()
backup = backup_dag()
problems = incidents_dag()
profile = profile_dag()
