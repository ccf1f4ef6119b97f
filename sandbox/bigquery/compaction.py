"""Compacts the files of the local BigQuery so that it stays fast, and adapts its catalogue if the folder was moved. This runs
before it serves, while no other process has the files open.

Each statement that writes adds a Parquet file (UPDATE and MERGE also a file of deleted rows) and a snapshot of the lake. Each job
adds a record, and each query a table with its result. local-bigquery never removes them, and every statement lists all of them.

No step can lose a row: each is one transaction of the catalogue, which DuckDB restores from its log after a kill, and a file is
deleted only after the transaction that stopped using it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb

from sandbox.bigquery.confined import connect, lock, text

# BigQuery can show a table as it was up to seven days ago. Here this costs one file per statement, so it is one day.
SNAPSHOTS_KEPT = timedelta(days=1)
JOBS_KEPT = timedelta(days=7)
NEWEST_JOBS_KEPT = 500
# A file is rewritten if at least this share of its rows is deleted.
DELETED_SHARE = 0.1


class DataError(Exception):
    """The data folder cannot be opened. The message says why."""


def compact(
    data: Path,
    snapshots_kept: timedelta = SNAPSHOTS_KEPT,
    jobs_kept: timedelta = JOBS_KEPT,
    newest_jobs_kept: int = NEWEST_JOBS_KEPT,
) -> None:
    """Merge small files, and remove old snapshots, jobs and results in `data`, the folder of local-bigquery.

    If a part cannot be compacted, it is named on standard error and stays as it is, since slow is better than unavailable.
    Raises `DataError` if a file cannot be opened at all, for example because another process has it open.
    """
    data = data.resolve()
    jobs = data / "emulator.duckdb"
    if jobs.exists():
        with _attached(data, f"{text(jobs)} AS emulator") as connection:
            _expire_jobs(connection, jobs_kept, newest_jobs_kept)
    for catalogue in sorted(data.glob("*.ducklake")):
        # This must be the same path as in local-bigquery, since a lake can only be opened with the path that it stores.
        folder = f"{catalogue.with_suffix('')}/"
        with _attached(data, f"{text(catalogue)} AS catalogue") as connection:
            _follow(connection, folder)
            _count_empty(connection)
        with _attached(
            data, f"{text(f'ducklake:{catalogue}')} AS lake (DATA_PATH {text(folder)})"
        ) as connection:
            _compact_lake(connection, snapshots_kept)


@contextmanager
def _attached(folder: Path, source: str) -> Iterator[duckdb.DuckDBPyConnection]:
    # The connection is confined to the folder: a statement may have written the catalogue, and files that it names are deleted
    # here.
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
    """Store the present path of the lake's folder, which differs if the folder was moved or copied. Files have relative names."""
    connection.execute(
        "UPDATE catalogue.ducklake_metadata SET value = $folder WHERE key = 'data_path' AND value <> $folder",
        {"folder": folder},
    )


def _count_empty(connection: duckdb.DuckDBPyConnection) -> None:
    """Count the rows of tables that never had any, as the patch `empty_tables` does for new ones."""
    connection.execute(
        """
        INSERT INTO catalogue.ducklake_table_stats (table_id, record_count, next_row_id, file_size_bytes)
        SELECT table_id, 0, 0, 0
        FROM catalogue.ducklake_table
        WHERE end_snapshot IS NULL AND table_id NOT IN (SELECT table_id FROM catalogue.ducklake_table_stats)
        """
    )


def _compact_lake(connection: duckdb.DuckDBPyConnection, kept: timedelta) -> None:
    connection.execute("CALL ducklake_rewrite_data_files('lake', delete_threshold => ?)", [DELETED_SHARE])
    connection.execute("CALL ducklake_merge_adjacent_files('lake')")
    # The newest snapshot always stays, even if it is old.
    connection.execute(
        f"CALL ducklake_expire_snapshots('lake', older_than => now() - INTERVAL '{kept.total_seconds()} seconds')"
    )
    _clean_up(connection)


def _clean_up(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")


def _expire_jobs(connection: duckdb.DuckDBPyConnection, kept: timedelta, newest_kept: int) -> None:
    connection.execute("BEGIN")
    # A job that was running when the server ended will never end. It is removed, so that clients that wait for it get an error.
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
