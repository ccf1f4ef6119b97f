"""A table that a load job makes, or replaces, keeps its REQUIRED columns.

local-bigquery 0.4.0 makes it from the rows alone, so that every column takes nulls afterwards. Drop it when
upstream keeps the mode.
"""

from typing import Any

from local_bigquery.catalog import tables
from local_bigquery.engine import database
from local_bigquery.jobs import load, runner


def apply() -> None:
    """Constrain the columns once the rows are in."""
    run_load = load.run

    def run(cursor: Any, config: Any, upload: str | None) -> Any:
        reference = tables.reference(config.destinationTable)
        is_made = config.writeDisposition == "WRITE_TRUNCATE" or not tables.exists(*reference)
        statistics = run_load(cursor, config, upload)
        fields = (config.schema_ and config.schema_.fields) or []
        if is_made:
            # Under the lock of the table's writers: another load job may be appending to it by now.
            with database.writing(*reference):
                _constrain(cursor, tables.name(*reference), fields)
        return statistics

    load.run = run
    runner.HANDLERS["load"] = run


def _constrain(cursor: Any, table: str, fields: list[Any]) -> None:
    for field in fields:
        if field.mode == "REQUIRED":
            cursor.execute(f"ALTER TABLE {table} ALTER COLUMN {database.quote(field.name)} SET NOT NULL")
