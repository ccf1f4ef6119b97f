"""Keeps the local BigQuery quick, and with its files wherever they were moved: run before it serves, while nothing else has
them open.

Each statement that writes leaves a Parquet file (and a file of deleted rows for an UPDATE or a MERGE) and a
snapshot of the lake; each job leaves a record, and each query a table with its answer. Nothing ever takes
them away, and every statement lists them all.

No step can lose a row: a step is one transaction of the catalogue, which DuckDB's log makes whole again after a
kill, and a file is deleted only after the transaction that stopped using it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb

from sandbox.bigquery.confined import connect, lock, text

# BigQuery lets one look back at a table for seven days; here that costs a file a statement.
SNAPSHOTS_KEPT = timedelta(days=1)
JOBS_KEPT = timedelta(days=7)
NEWEST_JOBS_KEPT = 500
# A file of which this share is deleted is written anew.
DELETED_SHARE = 0.1


class DataError(Exception):
    """The folder cannot be opened; the message says why."""


def compact(
    data: Path,
    snapshots_kept: timedelta = SNAPSHOTS_KEPT,
    jobs_kept: timedelta = JOBS_KEPT,
    newest_jobs_kept: int = NEWEST_JOBS_KEPT,
) -> None:
    """Merge small files and expire old snapshots, jobs and answers in `data`, local-bigquery's folder.

    What cannot be compacted is named on standard error and stays as it is: slow is better than absent. Raises
    `DataError` when a file cannot be opened at all, for one because another process has it open.
    """
    data = data.resolve()
    jobs = data / "emulator.duckdb"
    if jobs.exists():
        with _attached(data, f"{text(jobs)} AS emulator") as connection:
            _expire_jobs(connection, jobs_kept, newest_jobs_kept)
    for catalogue in sorted(data.glob("*.ducklake")):
        # The same folder as local-bigquery gives: a lake opens with no other.
        folder = f"{catalogue.with_suffix('')}/"
        with _attached(data, f"{text(catalogue)} AS catalogue") as connection:
            _follow(connection, folder)
        with _attached(
            data, f"{text(f'ducklake:{catalogue}')} AS lake (DATA_PATH {text(folder)})"
        ) as connection:
            _compact_lake(connection, snapshots_kept)


@contextmanager
def _attached(folder: Path, source: str) -> Iterator[duckdb.DuckDBPyConnection]:
    # What is in the folder may have been written by a statement, and names files that are deleted here.
    with connect(folder, config={"TimeZone": "UTC"}) as connection:
        lock(connection)
        try:
            connection.execute(f"ATTACH {source}")
        except duckdb.Error as error:
            raise DataError(str(error).splitlines()[0]) from error
        try:
            yield connection
        except duckdb.Error as error:
            print(f"Not compacted: {str(error).splitlines()[0]}", file=sys.stderr)


def _follow(connection: duckdb.DuckDBPyConnection, folder: str) -> None:
    """Note the folder of the lake's files, which is another one when all of it was moved or copied; files are noted by name."""
    connection.execute(
        "UPDATE catalogue.ducklake_metadata SET value = $folder WHERE key = 'data_path' AND value <> $folder",
        {"folder": folder},
    )


def _compact_lake(connection: duckdb.DuckDBPyConnection, kept: timedelta) -> None:
    connection.execute("CALL ducklake_rewrite_data_files('lake', delete_threshold => ?)", [DELETED_SHARE])
    connection.execute("CALL ducklake_merge_adjacent_files('lake')")
    # The newest snapshot always stays, however old it is.
    connection.execute(
        f"CALL ducklake_expire_snapshots('lake', older_than => now() - INTERVAL '{kept.total_seconds()} seconds')"
    )
    _clean_up(connection)


def _clean_up(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")


def _expire_jobs(connection: duckdb.DuckDBPyConnection, kept: timedelta, newest_kept: int) -> None:
    connection.execute("BEGIN")
    # A job that had not ended when the server did will never end: whoever waits for it must hear so.
    connection.execute(
        """
        DELETE FROM emulator.jobs
        WHERE state <> 'DONE'
            OR creation_time < epoch_ms(now()) - ?
            OR (project_id, job_id) NOT IN (
                SELECT (project_id, job_id) FROM emulator.jobs ORDER BY creation_time DESC LIMIT ?
            )
        """,
        [int(kept.total_seconds() * 1000), newest_kept],
    )
    answers = connection.execute(
        """
        SELECT table_name FROM duckdb_tables()
        WHERE database_name = 'emulator' AND schema_name = '_results'
            AND table_name NOT IN (SELECT project_id || ':' || job_id FROM emulator.jobs)
        """
    ).fetchall()
    for (name,) in answers:
        quoted = name.replace('"', '""')
        connection.execute(f'DROP TABLE emulator._results."{quoted}"')
    connection.execute("COMMIT")
    connection.execute("CHECKPOINT emulator")
