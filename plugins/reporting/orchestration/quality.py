"""The tasks of data quality: samples and profiles of the raw tables."""

import logging
from datetime import UTC, datetime

from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from reporting.settings import read_settings

log = logging.getLogger(__name__)


def refresh_samples() -> int:
    """Create or update the views with samples where needed, and return how many."""
    # Heavy: Google's client.
    from reporting.monitoring import samples
    from reporting.orchestration.connections import warehouse

    settings = read_settings()
    return samples.refresh(warehouse(settings), settings)


def profile_tables() -> dict[str, int]:
    """Profile the raw tables that changed, and return the number of columns of each. Skips if none changed.

    Raises `AirflowException` with the tables that could not be profiled, after all others were profiled.
    """
    from google.api_core.exceptions import GoogleAPIError

    from reporting.monitoring import profiles
    from reporting.orchestration.connections import warehouse
    from reporting.warehouse.client import WarehouseError

    settings = read_settings()
    client = warehouse(settings)
    now = datetime.now(UTC)
    due = profiles.due(client, settings, now)
    if not due:
        raise AirflowSkipException("No raw table changed since it was profiled, or each was profiled today.")
    taken, failed = {}, []
    for entity in due:
        try:
            taken[entity.table] = profiles.take(client, settings, entity, now)
        except (GoogleAPIError, WarehouseError) as error:
            log.error("%s was not profiled: %s", entity.table, error)
            failed.append(entity.table)
    if failed:
        raise AirflowException(f"{', '.join(failed)} could not be profiled; the lines above say why.")
    return taken
