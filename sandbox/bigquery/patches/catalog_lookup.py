"""Whether a table is there, and what its columns are, is asked of DuckLake's own catalog.

local-bigquery 0.4.0 asks `duckdb_tables()` and `duckdb_columns()` several times a statement, which describe every table of
every database and take tens of milliseconds for a few dozen of them. Drop it when upstream looks up one name.
"""

from typing import Any

import duckdb
from local_bigquery.engine import database
from local_bigquery.jobs import query

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
COLUMNS = """
    FROM {catalog}.ducklake_column AS c
    WHERE c.end_snapshot IS NULL AND c.parent_column IS NULL AND c.table_id = (
        SELECT t.table_id
        FROM {catalog}.ducklake_table AS t
        JOIN {catalog}.ducklake_schema AS s USING (schema_id)
        WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL AND s.schema_name = $1 AND t.table_name = $2
    )
"""
# How a query begins, and what stands in for it; the first parameters are project, dataset and table.
REQUIRED = "SELECT column_name FROM duckdb_columns()"
STAND_INS = {
    REQUIRED: f"SELECT c.column_name {COLUMNS} AND NOT c.nulls_allowed",
    "SELECT 1 FROM duckdb_columns()": f"SELECT 1 {COLUMNS} AND c.column_name = $3",
}
TEMPORARY = "SELECT table_name FROM duckdb_tables() WHERE temporary"


class _NewCursor:
    """A cursor of a statement's own, which has no temporary table when the statement begins."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def sql(self, text: str, *arguments: Any, **options: Any) -> Any:
        if text == TEMPORARY:
            text = "SELECT NULL::VARCHAR AS table_name WHERE false"
        return self._cursor.sql(text, *arguments, **options)


def apply() -> None:
    """Look up by name, in a project's catalog or among the results of queries."""
    every_object = database.objects
    fetch_any = database.fetch
    run = query.execute

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
        if params and params[0] == SERVER and sql.startswith(REQUIRED):
            # The columns that may not be null: an answer is made by CREATE TABLE AS, which has none.
            return []
        if params and params[0] != SERVER:
            for beginning, stand_in in STAND_INS.items():
                if sql.startswith(beginning):
                    sql, params = stand_in.format(catalog=_catalog(params[0])), params[1:]
                    break
        rows: list[tuple[Any, ...]] = fetch_any(sql, params)
        return rows

    def execute(cursor: Any, *arguments: Any, session: Any = None, **options: Any) -> Any:
        return run(cursor if session else _NewCursor(cursor), *arguments, session=session, **options)

    database.objects = objects
    database.fetch = fetch
    query.execute = execute


def _catalog(project_id: str) -> Any:
    return database.quote(f"__ducklake_metadata_{project_id}")
