"""What the tasks of data quality do."""

import logging
from datetime import UTC, datetime

from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from reporting.settings import read_settings

log = logging.getLogger(__name__)


def refresh_samples() -> int:
    """Make the samples that are not there as they are to be, and return how many."""
    # Heavy: Google's client.
    from reporting.orchestration.connections import warehouse
    from reporting.warehouse import samples

    settings = read_settings()
    return samples.refresh(warehouse(settings), settings)


def profile_tables() -> dict[str, int]:
    """Profile the raw tables that changed, and return how many columns each has; skips when none did.

    Raises `AirflowException` with those that could not be; the others are profiled all the same.
    """
    from google.api_core.exceptions import GoogleAPIError

    from reporting.orchestration.connections import warehouse
    from reporting.warehouse import profiles
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
