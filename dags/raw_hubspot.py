"""Airflow DAGs that bring HubSpot's CRM into raw."""

from reporting.entities import HUBSPOT
from reporting.orchestration.dags import raw_dags

for entity in HUBSPOT:
    globals().update(raw_dags(entity))
