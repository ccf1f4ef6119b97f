"""Airflow DAGs that bring tabs of Google Sheets into raw."""

from reporting.entities import GOOGLE_SHEETS
from reporting.orchestration.dags import raw_dags

for entity in GOOGLE_SHEETS:
    globals().update(raw_dags(entity))
