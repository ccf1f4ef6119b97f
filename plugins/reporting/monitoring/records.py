"""Writes the project's records of its own work in `ops`: runs, results of dbt, profiles of tables. They are removed only by age.

Rows that may change are merged, and the later `updated_at` wins, so a read may be repeated, be late, or overtake another. Rows
that never change are appended by a load job, which costs nothing; the job's id prevents that they are appended twice.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import batched
from typing import Any

import sqlalchemy as sa
from google.cloud import bigquery

from reporting.settings import Settings
from reporting.warehouse.client import run_job, with_parameters
from reporting.warehouse.tables import describe

RUNS, TRIES, RESULTS, PROFILES = "airflow_runs", "airflow_tries", "dbt_results", "table_profiles"
# More than a year, so that a month can be compared with the same month of the year before.
KEPT = timedelta(days=400)
# The column that gives the age of a row, by table.
AGES = {RUNS: "due_at", TRIES: "updated_at", RESULTS: "started_at", PROFILES: "profiled_at"}
# A parameter of a query may have 10 MB: https://cloud.google.com/bigquery/quotas#query_jobs
ROWS_A_MERGE = 5_000

Row = Mapping[str, Any]


def runs_known_at(client: bigquery.Client, settings: Settings) -> datetime | None:
    """The cursor of the history of runs: when the run that changed last did so. None while there is no run."""
    sql = f"SELECT MAX(updated_at) AS at FROM `{settings.dataset('ops')}.{RUNS}`"
    at: datetime | None = next(iter(client.query_and_wait(sql)))["at"]
    return at


def merge(client: bigquery.Client, settings: Settings, name: str, rows: Sequence[Row]) -> None:
    """Merge `rows` into the table `name` of `ops`, in their order. The table's key is its columns that cannot be null.

    A row replaces the stored one unless that one was updated later. No two rows of one call may have the same key.
    """
    table = describe().tables[f"ops.{name}"]
    columns = list(table.columns)
    key = [each.name for each in columns if not each.nullable]
    names = [each.name for each in columns]
    sql = f"""
        MERGE `{settings.dataset("ops")}.{name}` T
        USING (
            SELECT {", ".join(f"{_value(each)} AS {each.name}" for each in columns)}
            FROM UNNEST(JSON_QUERY_ARRAY(@rows)) AS each
        ) S
        ON {" AND ".join(f"T.{each} = S.{each}" for each in key)}
        WHEN MATCHED AND (T.updated_at IS NULL OR S.updated_at >= T.updated_at) THEN
            UPDATE SET {", ".join(f"{each} = S.{each}" for each in names if each not in key)}
        WHEN NOT MATCHED THEN INSERT ({", ".join(names)}) VALUES ({", ".join(f"S.{each}" for each in names)})
    """
    for batch in batched(rows, ROWS_A_MERGE, strict=False):
        text = json.dumps([_plain(row) for row in batch])
        client.query_and_wait(sql, job_config=with_parameters(rows=text))


def append(client: bigquery.Client, settings: Settings, name: str, job: str, rows: Sequence[Row]) -> None:
    """Append `rows` to the table `name` of `ops`. Repeating it with the same `job` changes nothing."""
    if not rows:
        return
    target = bigquery.DatasetReference(settings.project, settings.dataset("ops")).table(name)
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        schema=client.get_table(target).schema,
    )
    plain = [_plain(row) for row in rows]
    run_job(
        client,
        job,
        lambda job_id: client.load_table_from_json(plain, target, job_id=job_id, job_config=config),
        once=True,
    )


def forget(client: bigquery.Client, settings: Settings, now: datetime) -> int:
    """Remove what is older than it is kept for, and return how many rows that were."""
    config = with_parameters(before=now - KEPT)
    removed = 0
    for name, age in AGES.items():
        job = client.query(
            f"DELETE FROM `{settings.dataset('ops')}.{name}` WHERE {age} < @before", job_config=config
        )
        job.result()
        removed += job.num_dml_affected_rows or 0
    return removed


def _value(column: sa.Column[Any]) -> str:
    text = f"JSON_VALUE(each, '$.{column.name}')"
    if isinstance(column.type, sa.TIMESTAMP):
        return f"TIMESTAMP({text})"
    kinds = {sa.Integer: "INT64", sa.Float: "FLOAT64"}
    kind = kinds.get(type(column.type))
    return f"CAST({text} AS {kind})" if kind else text


def _plain(row: Row) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
