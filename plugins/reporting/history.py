"""The history of runs: rows of Airflow's metadata database and log files, counted and removed by age and by DAG.

Airflow itself does it, as a program: https://airflow.apache.org/docs/apache-airflow/stable/cli-and-env-variables-ref.html#clean
It keeps the latest scheduled run of each DAG, by which it knows when the next one is due.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from reporting.settings import ROOT

AIRFLOW = ROOT / ".venv" / "airflow" / "bin" / "airflow"
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
COUNTED = re.compile(r"Checking table (\w+)\nFound (\d+) rows")
PATIENCE_SECONDS = 1800


class HistoryError(Exception):
    """Airflow did not clean up; the message has what it said."""


def count_runs(
    address: str, before: datetime, dag_ids: Sequence[str], environment: Mapping[str, str] = os.environ
) -> dict[str, int]:
    """How many rows of runs are older than `before`, of `dag_ids` or of all, by table. Raises `HistoryError`."""
    said = _clean(address, before, dag_ids, TABLES_BY_DAG, environment, "--dry-run")
    return {table: int(count) for table, count in COUNTED.findall(said) if int(count)}


def clean_runs(
    address: str,
    before: datetime,
    dag_ids: Sequence[str],
    environment: Mapping[str, str] = os.environ,
    *,
    with_others: bool = False,
) -> list[str]:
    """Remove them, and return what Airflow said of the tables in which there were any. Raises `HistoryError`.

    With `with_others` what is of no DAG goes as well (events, sessions, DAGs that are not there any more).
    """
    tables = () if with_others and not dag_ids else TABLES_BY_DAG
    said = _clean(address, before, dag_ids, tables, environment, "--yes", "--skip-archive")
    return [
        line
        for line in said.splitlines()
        if line.startswith(("Checking table", "Found")) and "Found 0 " not in line
    ]


def _clean(
    address: str,
    before: datetime,
    dag_ids: Sequence[str],
    tables: Sequence[str],
    environment: Mapping[str, str],
    *options: str,
) -> str:
    only = [
        part
        for option, values in (("--dag-ids", dag_ids), ("--tables", tables))
        if values
        for part in (option, ",".join(values))
    ]
    done = subprocess.run(
        [
            AIRFLOW,
            *("db", "clean", "--error-on-cleanup-failure", "--clean-before-timestamp", before.isoformat()),
            *options,
            *only,
        ],
        # Airflow gives a task an address that leads nowhere.
        env={**environment, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    refused = NOT_CLEANED.search(done.stderr)
    is_whole = refused and tables and set(re.findall(r"\w+", refused[1])) <= CASCADED
    if done.returncode != 0 and not is_whole:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise HistoryError(f"airflow db clean ended with {done.returncode}:\n{said}")
    return done.stdout


def old_logs(folder: Path, before: datetime, dag_ids: Sequence[str]) -> Iterator[Path]:
    """The log files that were last written before that time, of `dag_ids` or all."""
    for path, names in _folders(folder, dag_ids):
        for name in names:
            file = path / name
            try:
                if file.lstat().st_mtime < before.timestamp():
                    yield file
            except FileNotFoundError:
                continue


def clean_logs(folder: Path, before: datetime, dag_ids: Sequence[str]) -> int:
    """Remove these files, and return how many."""
    removed = 0
    for file in old_logs(folder, before, dag_ids):
        file.unlink(missing_ok=True)
        removed += 1
    for path, _ in _folders(folder, dag_ids):
        _remove_if_empty(path, folder)
    return removed


def _folders(folder: Path, dag_ids: Sequence[str]) -> Iterator[tuple[Path, list[str]]]:
    # From the leaves up, so that a folder is seen when it is empty.
    for root in [folder / f"dag_id={name}" for name in dag_ids] or [folder]:
        for path, _, names in os.walk(root, topdown=False):
            yield Path(path), names


def _remove_if_empty(path: Path, top: Path) -> None:
    try:
        # One that a run has just made for its first log is left alone; what was emptied just now goes the next day.
        if path != top and path.stat().st_ctime < datetime.now(UTC).timestamp() - 3600:
            path.rmdir()
    except OSError:
        return
