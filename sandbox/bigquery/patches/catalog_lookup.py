"""Whether a table is there, and which of its columns are REQUIRED, is asked of DuckLake's own catalog.

local-bigquery 0.4.0 asks `duckdb_tables()` and `duckdb_columns()` several times a statement, which describe every table of
every database and take tens of milliseconds for a few dozen of them. Drop it when upstream looks up one name.
"""

from typing import Any

import duckdb
from local_bigquery.engine import database

# Where the server keeps its own tables and the results of queries, a DuckDB database and no DuckLake.
SERVER = "emulator"

# https://ducklake.select/docs/stable/specification/tables/overview: what is there now has no last snapshot.
OBJECTS = """
    SELECT t.table_name, 'TABLE', coalesce(c.record_count, 0)
    FROM {catalog}.ducklake_table AS t
    JOIN {catalog}.ducklake_schema AS s USING (schema_id)
    LEFT JOIN {catalog}.ducklake_table_stats AS c USING (table_id)
    WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL AND s.schema_name = $1
        AND t.table_name = coalesce($2, t.table_name)
    UNION ALL
    SELECT v.view_name, 'VIEW', 0
    FROM {catalog}.ducklake_view AS v
    JOIN {catalog}.ducklake_schema AS s USING (schema_id)
    WHERE v.end_snapshot IS NULL AND s.end_snapshot IS NULL AND s.schema_name = $1
        AND v.view_name = coalesce($2, v.view_name)
    ORDER BY 1
"""
# How the query begins that this one stands in for; its parameters are project, dataset and table.
REQUIRED_DESCRIBED = "SELECT column_name FROM duckdb_columns()"
REQUIRED = """
    SELECT c.column_name
    FROM {catalog}.ducklake_column AS c
    JOIN {catalog}.ducklake_table AS t USING (table_id)
    JOIN {catalog}.ducklake_schema AS s USING (schema_id)
    WHERE c.end_snapshot IS NULL AND t.end_snapshot IS NULL AND s.end_snapshot IS NULL
        AND s.schema_name = $1 AND t.table_name = $2 AND c.parent_column IS NULL AND NOT c.nulls_allowed
"""


def apply() -> None:
    """Look up by name, in a project's catalog or among the results of queries."""
    every_object = database.objects
    fetch_any = database.fetch

    def objects(project_id: str, dataset_id: str, table_id: str | None = None) -> list[tuple[str, str, int]]:
        found: list[tuple[str, str, int]]
        try:
            if project_id != SERVER:
                found = fetch_any(OBJECTS.format(catalog=_catalog(project_id)), [dataset_id, table_id])
            elif table_id is not None:
                name = database.quote(project_id, dataset_id, table_id)
                found = [(table_id, "TABLE", *fetch_any(f"SELECT count(*) FROM {name}")[0])]
            else:
                found = every_object(project_id, dataset_id, table_id)
        except (duckdb.BinderException, duckdb.CatalogException):
            return []
        return found

    def fetch(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
        if params and params[0] != SERVER and sql.startswith(REQUIRED_DESCRIBED):
            sql, params = REQUIRED.format(catalog=_catalog(params[0])), params[1:]
        rows: list[tuple[Any, ...]] = fetch_any(sql, params)
        return rows

    database.objects = objects
    database.fetch = fetch


def _catalog(project_id: str) -> Any:
    return database.quote(f"__ducklake_metadata_{project_id}")
