"""The connection to BigQuery, real or local, and jobs that a retry can adopt."""

import logging
from collections.abc import Callable
from itertools import count
from typing import Any

from google.api_core.exceptions import Conflict
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud import bigquery

from reporting.settings import Settings

logger = logging.getLogger(__name__)


class WarehouseError(Exception):
    """The warehouse is not as expected; the message says what to do."""


class LocalCredentials(AnonymousCredentials):
    """What the local BigQuery asks for: its token, without a login."""

    def __init__(self, token: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._token = token

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        """Put the token into the request's headers."""
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"

    def refresh(self, request: Any) -> None:
        """Say why: the client asks for another token when one was refused."""
        raise GoogleAuthError(  # type: ignore[no-untyped-call]
            f"the local BigQuery {'refuses its token' if self._token else 'asks for its token'}, which is in the file "
            "bigquery/token of the state folder that it was started with. Name that folder with REPORTING_STATE."
        )


def connect(settings: Settings, credentials: Credentials | None = None) -> bigquery.Client:
    """A client whose every query carries the byte cap. The local BigQuery takes its own token alone."""
    session = None
    if settings.emulator_host:
        credentials = LocalCredentials(settings.emulator_token)
        session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
        # A proxy of the environment is not for this machine, and would get the token.
        session.trust_env = False
    return bigquery.Client(
        project=settings.project,
        location=settings.location,
        credentials=credentials,
        _http=session,
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
