"""What the clean-up does: removes runs, their logs and landings that are older than they are kept for."""

import logging
import os
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from reporting.settings import read_settings

log = logging.getLogger(__name__)
# Those that know their DAG; of the others `airflow db clean` takes the rows of every DAG.
TABLES_BY_DAG = (
    "dag_run",
    "job",
    "log",
    "task_instance",
    "task_instance_history",
    "xcom",
)
# Goes with its run by itself. Airflow looks for a column `dag_id` in it, which it does not have.
CASCADED = frozenset({"deadline"})
NOT_CLEANED = re.compile(r"did not clean them: \[(.*?)\]")
PATIENCE_SECONDS = 1800


def clean_metadata(before: datetime, dag_ids: Sequence[str]) -> None:
    """Remove what is older than `before`, of `dag_ids` or of all. Raises `AirflowException` with what Airflow said.

    https://airflow.apache.org/docs/apache-airflow/stable/cli-and-env-variables-ref.html#clean
    """
    from reporting.commands.configuration import AIRFLOW_BIN, METADATA

    address = os.environ.get(METADATA)
    if not address:
        raise AirflowSkipException(
            f"{METADATA} is not set, so this task does not know the metadata database. script/server and script/start set it."
        )
    only = ["--dag-ids", ",".join(dag_ids), "--tables", ",".join(TABLES_BY_DAG)] if dag_ids else []
    done = subprocess.run(
        [
            AIRFLOW_BIN / "airflow",
            *("db", "clean", "--yes", "--skip-archive", "--error-on-cleanup-failure"),
            *("--clean-before-timestamp", before.isoformat()),
            *only,
        ],
        # Airflow gives a task an address that leads nowhere.
        env=os.environ | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    for line in done.stdout.splitlines():
        if line.startswith(("Checking table", "Found")) and "Found 0 " not in line:
            log.info(line)
    refused = NOT_CLEANED.search(done.stderr)
    is_whole = refused and dag_ids and set(re.findall(r"\w+", refused[1])) <= CASCADED
    if done.returncode != 0 and not is_whole:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise AirflowException(f"airflow db clean ended with {done.returncode}:\n{said}")


def clean_logs(before: datetime, dag_ids: Sequence[str]) -> int:
    """Remove the log files that were last written before that time, of `dag_ids` or all, and return how many."""
    folder = Path(os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"])
    roots = [folder / f"dag_id={name}" for name in dag_ids] or [folder]
    removed = 0
    for root in roots:
        # From the leaves up, so that a folder is seen when it is empty.
        for path, _, names in os.walk(root, topdown=False):
            for name in names:
                file = Path(path, name)
                try:
                    if file.lstat().st_mtime < before.timestamp():
                        file.unlink()
                        removed += 1
                except FileNotFoundError:
                    continue
            _remove_if_empty(Path(path), folder, before)
    return removed


def _remove_if_empty(path: Path, top: Path, before: datetime) -> None:
    try:
        # One that a run has just made for its first log is left alone; what was emptied just now goes the next day.
        if path != top and path.stat().st_ctime < datetime.now(UTC).timestamp() - 3600:
            path.rmdir()
    except OSError:
        return


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
    return Landing(settings.landing_uri).discard(datetime.now(UTC) - timedelta(days=days))


def asked() -> tuple[datetime, list[str]]:
    """From when on to keep, and the DAGs to clean (none: all)."""
    params = get_current_context()["params"]
    dag_ids = list(params["dag_ids"])
    # Not less than a day: what runs is not taken away.
    days = params["days"] or (1 if dag_ids else read_settings().history_days)
    return datetime.now(UTC) - timedelta(days=days), dag_ids
