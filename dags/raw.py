"""Airflow DAGs that load the sources into the raw tables: one or two per entity."""

from reporting.orchestration.dags.raw import raw_dags
from reporting.sources.registry import ENTITIES

for entity in ENTITIES:
    globals().update(raw_dags(entity))
