"""The columns of a table or of an answer are read once, and again when a schema has changed.

local-bigquery 0.4.0 looks them up several times a statement, and once more for each page of an answer: a fifth of what a build of
dbt costs it. DuckLake counts what changes a schema, be it a table's or a view's, so what was read under the same count is still
true. An answer never changes. Drop it when upstream keeps what it has read.
"""

import functools
from typing import Any

import duckdb
from local_bigquery.catalog import tabledata, tables
from local_bigquery.engine import database

# https://ducklake.select/docs/stable/specification/tables/ducklake_snapshot
VERSION = "SELECT schema_version FROM {catalog}.ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1"
KEPT = 4096


def apply() -> None:
    """Keep the columns that were read last."""
    read = tables.columns

    @functools.lru_cache(KEPT)
    def known(project_id: str, dataset_id: str, table_id: str, version: int | None) -> tuple[Any, ...]:
        return tuple(read(project_id, dataset_id, table_id))

    def columns(project_id: str, dataset_id: str, table_id: str) -> list[Any]:
        version = None
        if dataset_id != tables.RESULTS:
            catalog = database.quote(f"__ducklake_metadata_{project_id}")
            try:
                [(version,)] = database.fetch(VERSION.format(catalog=catalog))
            except duckdb.Error:
                # No project of that name; the look itself says so.
                return list(read(project_id, dataset_id, table_id))
        return list(known(project_id, dataset_id, table_id, version))

    tables.columns = tabledata.columns = columns
