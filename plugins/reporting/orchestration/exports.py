"""The task that exports the marts."""

import logging
import time
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from reporting.exports.export import Step, make_request
from reporting.exports.marts import ExportError
from reporting.exports.publish import publish
from reporting.orchestration import connections
from reporting.settings import read_settings

log = logging.getLogger(__name__)


def export_marts() -> dict[str, int]:
    """Export what the run's parameters ask for to `REPORTING_EXPORT_URI`, and return the number of rows of each mart."""
    settings = read_settings()
    if settings.export_uri is None:
        raise AirflowSkipException("REPORTING_EXPORT_URI is not set, so nothing is exported.")
    params: Any = get_current_context()["params"]
    try:
        request = make_request(
            params.get("to") or settings.export_format,
            params.get("marts") or [],
            params.get("since"),
            params.get("until"),
            settings.timezone,
        )
    except ExportError as error:
        # A retry would fail in the same way.
        raise AirflowFailException(str(error)) from None
    if request.whole:
        log.info("Exported in full, since their rows have no time: %s.", ", ".join(request.whole))
    manifest = publish(connections.warehouse(settings), settings, request, settings.export_uri, log_progress)
    return {name: each["row_count"] for name, each in manifest["marts"].items()}


class _Log:
    """Logs the end of each mart, and the progress every half minute."""

    INTERVAL_SECONDS = 30.0

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def __call__(self, step: Step) -> None:
        now = time.monotonic()
        if step.is_done or now - self._said_at >= self.INTERVAL_SECONDS:
            self._said_at = now
            log.info(
                "%s: %d of %d rows, %.0f per second.", step.mart, step.row_count, step.total_count, step.rate
            )


log_progress = _Log()
