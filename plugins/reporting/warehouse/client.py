"""The connection to BigQuery, real or local, and jobs that a retry can adopt."""

import logging
from collections.abc import Callable
from itertools import count
from typing import Any

from google.api_core.exceptions import Conflict
from google.auth.credentials import AnonymousCredentials, Credentials
from google.cloud import bigquery

from reporting.settings import Settings

logger = logging.getLogger(__name__)


class WarehouseError(Exception):
    """The warehouse is not as expected; the message says what to do."""


def connect(settings: Settings, credentials: Credentials | None = None) -> bigquery.Client:
    """A client whose every query carries the byte cap. The local BigQuery takes no credentials."""
    if settings.emulator_host:
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    return bigquery.Client(
        project=settings.project,
        location=settings.location,
        credentials=credentials,
        client_options={"api_endpoint": settings.emulator_host} if settings.emulator_host else None,
        default_query_job_config=bigquery.QueryJobConfig(maximum_bytes_billed=settings.maximum_bytes_billed),
    )


def run_job(client: bigquery.Client, name: str, start: Callable[[str], Any], once: bool = False) -> Any:
    """Run the job `name` to its end and return it; `start` submits it under the id that it is given.

    A killed client leaves its job running: that one is adopted. One that has ended is run again under the
    next suffix, so that a task can always be repeated; with `once`, only if it failed.
    """
    for attempt in count(1):
        job_id = f"{name}-{attempt}"
        try:
            job = start(job_id)
        except Conflict:
            job = client.get_job(job_id)
            if job.state == "DONE":
                if once and job.error_result is None:
                    return job
                continue
            logger.info("Adopting the job %s, which is still running.", job_id)
        job.result()
        return job
    raise AssertionError("unreachable")
