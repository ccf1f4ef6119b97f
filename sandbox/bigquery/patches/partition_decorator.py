"""A load job into one partition (`table$20260101`) is refused.

local-bigquery 0.4.0 takes the decorator for a part of the name and fills a table called `table$20260101`: the
rows would be missing where they belong, without an error. Drop it when upstream writes to the partition.
"""

from typing import Any

from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import load, runner


def apply() -> None:
    """Refuse such a load job before it does anything."""
    run_load = load.run

    def run(cursor: Any, config: Any, upload: str | None) -> Any:
        table = config.destinationTable and config.destinationTable.tableId
        if table and "$" in table:
            raise BigQueryError("invalid", f"the local BigQuery cannot write to one partition: {table}")
        return run_load(cursor, config, upload)

    load.run = run
    runner.HANDLERS["load"] = run
