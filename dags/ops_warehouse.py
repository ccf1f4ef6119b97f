"""Airflow DAGs that keep the warehouse in order."""

from reporting.orchestration.dags import backup_dag, freshness_dag, problems_dag, profile_dag, schema_dag

schema = schema_dag()
freshness = freshness_dag()
backup = backup_dag()
problems = problems_dag()
profile = profile_dag()
