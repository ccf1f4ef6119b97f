"""The client of BigQuery, real or local, and jobs that a retry takes over instead of starting them twice."""

import logging
from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import count
from typing import Any

from google.api_core.exceptions import Conflict
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud import bigquery

from reporting.settings import Settings

logger = logging.getLogger(__name__)

# A bool is an int, and a time is a date, too: the first that fits counts.
PARAMETER_TYPES: dict[type, str] = {
    str: "STRING",
    bool: "BOOL",
    int: "INT64",
    float: "FLOAT64",
    datetime: "TIMESTAMP",
    date: "DATE",
}
# A multiple of 256 KiB: https://cloud.google.com/bigquery/docs/reference/api-uploads#resumable
UPLOAD_CHUNK = 8 * 1024 * 1024


class WarehouseError(Exception):
    """The warehouse is not as expected; the message says what to do."""


class LocalCredentials(AnonymousCredentials):
    """Credentials for the local BigQuery, which asks for a fixed token and needs no login."""

    def __init__(self, token: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._token = token

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        """Add the token to the request's headers."""
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"

    def refresh(self, request: Any) -> None:
        """Raise an error that explains the refusal. Google's client calls this when the server refused the token."""
        raise GoogleAuthError(  # type: ignore[no-untyped-call]
            f"the local BigQuery {'refuses the token that it got' if self._token else 'asks for a token'}. The right one is in the "
            "file bigquery/token of the state folder that it was started with. Set REPORTING_STATE to that folder."
        )


class Client(bigquery.Client):
    """Google's client; what it sends of a file it holds in memory by `UPLOAD_CHUNK`, and not by a hundred megabytes."""

    def _initiate_resumable_upload(self, *arguments: Any, **options: Any) -> Any:
        upload, transport = super()._initiate_resumable_upload(*arguments, **options)
        # Nothing of the file was sent yet. There is no parameter for it.
        upload._chunk_size = UPLOAD_CHUNK
        return upload, transport


def connect(settings: Settings, credentials: Credentials | None = None) -> bigquery.Client:
    """A client whose queries all have the limit of `maximum_bytes_billed`.

    For the local BigQuery, `credentials` are ignored and its own token is sent.
    """
    session = None
    if settings.emulator_host:
        credentials = LocalCredentials(settings.emulator_token)
        session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
        # A proxy that is set in the environment cannot reach this machine's loopback, and would see the token.
        session.trust_env = False
    return Client(
        project=settings.project,
        location=settings.location,
        credentials=credentials,
        _http=session,
        client_options={"api_endpoint": settings.emulator_host} if settings.emulator_host else None,
        default_query_job_config=bigquery.QueryJobConfig(maximum_bytes_billed=settings.maximum_bytes_billed),
    )


def with_parameters(**values: str | int | float | date | Sequence[str]) -> bigquery.QueryJobConfig:
    """The configuration of a query with these parameters, each of the type of its value; a sequence is an array of texts."""
    return bigquery.QueryJobConfig(
        query_parameters=[_parameter(name, value) for name, value in values.items()]
    )


def _parameter(
    name: str, value: str | int | float | date | Sequence[str]
) -> bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return bigquery.ArrayQueryParameter(name, "STRING", list(value))
    for kind, type_name in PARAMETER_TYPES.items():
        if isinstance(value, kind):
            return bigquery.ScalarQueryParameter(name, type_name, value)
    raise TypeError(f"the parameter {name} of a query cannot be a {type(value).__name__}")


def run_job(client: bigquery.Client, name: str, start: Callable[[str], Any], once: bool = False) -> Any:
    """Run a BigQuery job to its end and return it. `start` is called with a job id, and submits the job under it.

    If a killed process left a job of this name running, this waits for that job instead of starting another. If the job
    has ended, it is run again under an id with the next number, so that a task can always be repeated; with `once`, only
    if it failed.
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
            logger.info("The job %s is still running. Waiting for it instead of starting another.", job_id)
        job.result()
        return job
    raise AssertionError("unreachable")
