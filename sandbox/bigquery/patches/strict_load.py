"""A load job refuses a null in a REQUIRED column, as BigQuery does; as published it loads the row."""

from typing import Any

from local_bigquery.engine.database import quote
from local_bigquery.jobs import load


def apply() -> None:
    """Count a null in a REQUIRED column as a bad record."""
    project = load._projection

    def projection(config: Any, fields: list[Any], columns: list[str]) -> tuple[str, str]:
        select, is_bad = project(config, fields, columns)
        nulls = [f"{quote(field.name)} IS NULL" for field in fields if field.mode == "REQUIRED"]
        return select, " OR ".join([is_bad, *nulls])

    load._projection = projection
