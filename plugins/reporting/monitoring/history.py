"""Counts and removes old runs: rows of Airflow's metadata database and log files, by age and by DAG.

Airflow's own program does the work: https://airflow.apache.org/docs/apache-airflow/stable/cli-and-env-variables-ref.html#clean
It keeps the latest scheduled run of each DAG, from which it knows when the next run is due.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from reporting.settings import ROOT

AIRFLOW = ROOT / ".venv" / "airflow" / "bin" / "airflow"
# The tables that have the id of a DAG. From all others, `airflow db clean` removes the rows of every DAG.
TABLES_BY_DAG = (
    "dag_run",
    "job",
    "log",
    "task_instance",
    "task_instance_history",
    "xcom",
)
# The database removes these rows with their run. Airflow would look for a column `dag_id`, which the table does not have.
CASCADED = frozenset({"deadline"})
NOT_CLEANED = re.compile(r"did not clean them: \[(.*?)\]")
COUNTED = re.compile(r"Checking table (\w+)\nFound (\d+) rows")
PATIENCE_SECONDS = 1800
# Airflow's own rule for ids. It is checked here because the id becomes part of a path and of a command line.
DAG_ID = r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,249}"


class HistoryError(Exception):
    """Airflow's program did not clean up. The message quotes its output."""


def check_dag_ids(dag_ids: Sequence[str]) -> None:
    """Raise `HistoryError` if one of them cannot be the id of a DAG, such as a path."""
    for dag_id in dag_ids:
        if not isinstance(dag_id, str) or not re.fullmatch(DAG_ID, dag_id):
            raise HistoryError(
                f"{dag_id!r} is not the id of a DAG: ids have only letters, digits, '_', '.' and '-'. Nothing was removed."
            )


def count_runs(
    address: str, before: datetime, dag_ids: Sequence[str], environment: Mapping[str, str] = os.environ
) -> dict[str, int]:
    """How many rows are older than `before`, by table; of `dag_ids`, or of all DAGs. Raises `HistoryError`."""
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
    """Remove the rows that `count_runs` counts, and return Airflow's lines about tables that had any. Raises `HistoryError`.

    With `with_others`, old rows that belong to no DAG are removed as well (events, sessions, DAGs that no longer exist).
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
    check_dag_ids(dag_ids)
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
        # Within a task, Airflow replaces this address by one that does not work.
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
    """The log files that were last written before `before`, of `dag_ids` or of all DAGs. Raises `HistoryError`."""
    for path, names in _folders(folder, dag_ids):
        for name in names:
            file = path / name
            try:
                if file.lstat().st_mtime < before.timestamp():
                    yield file
            except FileNotFoundError:
                continue


def clean_logs(folder: Path, before: datetime, dag_ids: Sequence[str]) -> int:
    """Remove the files that `old_logs` finds, and return how many. Raises `HistoryError`."""
    removed = 0
    for file in old_logs(folder, before, dag_ids):
        file.unlink(missing_ok=True)
        removed += 1
    for path, _ in _folders(folder, dag_ids):
        _remove_if_empty(path, folder.resolve())
    return removed


def _folders(folder: Path, dag_ids: Sequence[str]) -> Iterator[tuple[Path, list[str]]]:
    check_dag_ids(dag_ids)
    top = folder.resolve()
    for root in [top / f"dag_id={name}" for name in dag_ids] or [top]:
        if root != root.resolve():
            # A link could lead to files that are not logs.
            raise HistoryError(
                f"{root} is a symbolic link, so nothing in it was removed. Replace it by a folder."
            )
        # Bottom-up, so that a folder is visited after its contents were removed.
        for path, _, names in os.walk(root, topdown=False):
            yield Path(path), names


def _remove_if_empty(path: Path, top: Path) -> None:
    try:
        # A run may have just made this folder for its first log. Folders that became empty just now are removed the next day.
        if path != top and path.stat().st_ctime < datetime.now(UTC).timestamp() - 3600:
            path.rmdir()
    except OSError:
        return
