"""Airflow DAGs that bring Google Contacts into raw."""

from reporting.entities import GOOGLE
from reporting.orchestration.dags import raw_dags

for entity in GOOGLE:
    globals().update(raw_dags(entity))
