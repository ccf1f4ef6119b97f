"""A load job refuses what BigQuery refuses: a null in a REQUIRED column, and a field that the schema lacks.

local-bigquery 0.4.0 loads the first as it is and drops the second. Only the uppermost fields of uploaded NDJSON
are looked at. Drop it when upstream is as strict.
"""

from typing import Any

from local_bigquery.engine.database import quote
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import load, runner
from local_bigquery.jobs.storage import literal


def apply() -> None:
    """Count such nulls as bad records, and look for unknown fields before loading."""
    project, run_load = load._projection, load.run

    def projection(config: Any, fields: list[Any], columns: list[str]) -> tuple[str, str]:
        select, is_bad = project(config, fields, columns)
        nulls = [f"{quote(field.name)} IS NULL" for field in fields if field.mode == "REQUIRED"]
        return select, " OR ".join([is_bad, *nulls])

    def run(cursor: Any, config: Any, upload: str | None) -> Any:
        fields = (config.schema_ and config.schema_.fields) or []
        is_json = config.sourceFormat == "NEWLINE_DELIMITED_JSON"
        if upload and fields and is_json and not config.ignoreUnknownValues:
            _refuse_unknown(cursor, {field.name.casefold() for field in fields}, upload)
        return run_load(cursor, config, upload)

    load._projection = projection
    load.run = run
    runner.HANDLERS["load"] = run


def _refuse_unknown(cursor: Any, known: set[str], upload: str) -> None:
    objects = f"read_json_objects([{literal(upload)}], format = 'newline_delimited')"
    with load._reading({upload: None}):
        names = cursor.execute(f"SELECT DISTINCT unnest(json_keys(json)) FROM {objects}").fetchall()
    unknown = sorted(name for (name,) in names if name.casefold() not in known)
    if unknown:
        raise BigQueryError(
            "invalid",
            f"Error while reading data, error message: JSON parsing error: No such field: {unknown[0]}.",
        )
