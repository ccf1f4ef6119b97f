"""What the clean-up does: removes runs, their logs, landings and the history of runs that are older than they are kept for."""

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from reporting import history
from reporting.orchestration import metadata, runs
from reporting.settings import read_settings

log = logging.getLogger(__name__)


def clean_metadata(before: datetime, dag_ids: Sequence[str]) -> None:
    """Remove what is older than `before`, of `dag_ids` or of all. Raises `AirflowException` with what Airflow said."""
    try:
        for line in history.clean_runs(metadata.address(), before, dag_ids, with_others=True):
            log.info(line)
    except history.HistoryError as error:
        raise AirflowException(str(error)) from None


def clean_logs(before: datetime, dag_ids: Sequence[str]) -> int:
    """Remove the log files that were last written before that time, of `dag_ids` or all, and return how many."""
    return history.clean_logs(Path(os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]), before, dag_ids)


def clean_landing() -> int:
    """Remove old landings, and return how many; skips where they are kept."""
    from reporting.landing import Landing

    settings = read_settings()
    params = get_current_context()["params"]
    if params["dag_ids"]:
        raise AirflowSkipException("Landings are cleaned by age alone.")
    days = params["days"] or settings.landing_days
    if days is None:
        raise AirflowSkipException("Landings are kept for good (REPORTING_LANDING_DAYS is none).")
    return Landing.of(settings).discard(datetime.now(UTC) - timedelta(days=days))


def clean_history() -> int:
    """Remove what the warehouse has kept of runs and builds for longer than it is to, and return how many rows."""
    if any(get_current_context()["params"].values()):
        raise AirflowSkipException("What the warehouse keeps of runs ends by its own age alone.")
    return runs.forget_old()


def asked() -> tuple[datetime, list[str]]:
    """From when on to keep, and the DAGs to clean (none: all)."""
    params = get_current_context()["params"]
    dag_ids = list(params["dag_ids"])
    # Not less than a day: what runs is not taken away.
    days = params["days"] or (1 if dag_ids else read_settings().history_days)
    return datetime.now(UTC) - timedelta(days=days), dag_ids
