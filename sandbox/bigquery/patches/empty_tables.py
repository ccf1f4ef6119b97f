"""A table that never had a row has a count of its rows, which is none.

DuckLake counts a table's rows from the first INSERT on, and keeps the counts that it has read. Of a table without one it asks
its catalogue again for each column, twice a statement: `SELECT *` from an empty table of 24 columns takes 40 ms, and 4 ms
with a count. A new warehouse has little else than empty tables, under views of which dbt asks much. Nothing is said about
the values of columns, as of a column that was added later. Drop it when DuckLake keeps that there is no count.
"""

from typing import Any

from local_bigquery.catalog import names, tables
from local_bigquery.engine import database
from local_bigquery.jobs import query
from sqlglot import exp

# https://ducklake.select/docs/stable/specification/tables/ducklake_table_stats
COUNTED = """
    INSERT INTO {catalog}.ducklake_table_stats (table_id, record_count, next_row_id, file_size_bytes)
    SELECT t.table_id, 0, 0, 0
    FROM {catalog}.ducklake_table AS t
    JOIN {catalog}.ducklake_schema AS s USING (schema_id)
    WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL AND s.schema_name = $1 AND t.table_name = $2
        AND t.table_id NOT IN (SELECT c.table_id FROM {catalog}.ducklake_table_stats AS c)
"""


def apply() -> None:
    """Count the rows of each table when it is made, by a statement or by the API."""
    run, create = query._run, tables.create

    def run_and_count(
        cursor: Any, tree: Any, context: Any, destination: Any, config: Any, dry_run: bool, *rest: Any
    ) -> Any:
        statistics = run(cursor, tree, context, destination, config, dry_run, *rest)
        target = tree.find(exp.Table) if isinstance(tree, exp.Create) else None
        if target is not None and not dry_run and (tree.args.get("kind") or "").upper() == "TABLE":
            _count(*names.reference(target, context.project_id, context.dataset_id))
        return statistics

    def create_and_count(project_id: str, dataset_id: str, body: Any, *rest: Any, **options: Any) -> Any:
        made = create(project_id, dataset_id, body, *rest, **options)
        _count(*tables.reference(made.tableReference))
        return made

    query._run, tables.create = run_and_count, create_and_count


def _count(project_id: str, dataset_id: str | None, table_id: str) -> None:
    if dataset_id is None:
        return
    with database.writing(project_id, dataset_id, table_id):
        catalog = database.quote(f"__ducklake_metadata_{project_id}")
        database.execute(COUNTED.format(catalog=catalog), [dataset_id, table_id])
