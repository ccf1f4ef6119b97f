"""The tasks of the clean-up: remove old runs, logs, landings and history of runs, each after its own number of days."""

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from reporting.monitoring import history
from reporting.orchestration import metadata, runs
from reporting.settings import read_settings

log = logging.getLogger(__name__)


def clean_metadata(before: datetime, dag_ids: Sequence[str]) -> None:
    """Remove runs older than `before`, of `dag_ids` or of all DAGs. Raises `AirflowException` with Airflow's output."""
    try:
        for line in history.clean_runs(metadata.address(), before, dag_ids, with_others=True):
            log.info(line)
    except history.HistoryError as error:
        raise AirflowException(str(error)) from None


def clean_logs(before: datetime, dag_ids: Sequence[str]) -> int:
    """Remove the log files last written before `before`, of `dag_ids` or of all DAGs, and return how many."""
    try:
        return history.clean_logs(Path(os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]), before, dag_ids)
    except history.HistoryError as error:
        # A retry would fail in the same way.
        raise AirflowFailException(str(error)) from None


def clean_landing() -> int:
    """Remove old landings, and return how many. Skips if landings are kept forever, or if only some DAGs are cleaned."""
    from reporting.ingest.landing import Landing

    settings = read_settings()
    params = get_current_context()["params"]
    if params["dag_ids"]:
        raise AirflowSkipException(
            "Landings belong to no DAG, so a clean-up of some DAGs does not touch them."
        )
    days = params["days"] or settings.landing_days
    if days is None:
        raise AirflowSkipException("Landings are kept forever (REPORTING_LANDING_DAYS is none).")
    return Landing.of(settings).discard(datetime.now(UTC) - timedelta(days=days))


def clean_history() -> int:
    """Remove old rows of the warehouse's history of runs, builds and profiles, and return how many."""
    if any(get_current_context()["params"].values()):
        raise AirflowSkipException(
            "A clean-up of some DAGs does not touch the history of runs in the warehouse."
        )
    return runs.forget_old()


def asked() -> tuple[datetime, list[str]]:
    """What the run's parameters ask for: the time before which to remove, and the DAGs to clean (none: all)."""
    params = get_current_context()["params"]
    dag_ids = list(params["dag_ids"])
    # At least a day, so that nothing of a current run is removed.
    days = params["days"] or (1 if dag_ids else read_settings().history_days)
    return datetime.now(UTC) - timedelta(days=days), dag_ids
