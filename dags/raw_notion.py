"""Airflow DAGs that bring Notion's habits databases into raw."""

from reporting.entities import NOTION
from reporting.orchestration.dags import raw_dags

for entity in NOTION:
    globals().update(raw_dags(entity))
