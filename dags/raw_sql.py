"""Airflow DAGs that bring tables of a database into raw."""

from reporting.entities import SQL
from reporting.orchestration.dags import raw_dags

for entity in SQL:
    globals().update(raw_dags(entity))
