"""Profiles the raw tables: the number of rows, and per column the empty values, distinct values, minimum and maximum.

For texts and lists these are lengths, so that a profile contains no names. A profile costs one query of its table, so a table
is profiled only after a load changed it, and at most once a day.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from google.cloud import bigquery

from reporting.entity import Entity
from reporting.monitoring import records
from reporting.settings import Settings
from reporting.sources.registry import ENTITIES
from reporting.warehouse.client import WarehouseError, with_parameters

logger = logging.getLogger(__name__)

# Of the columns that the loader adds, only the times have a distribution worth profiling.
LOADER_TIMES = ("_source_updated_at", "_first_seen_at", "_extracted_at", "_loaded_at")
# Keys are the names of types in BigQuery's client, the older ones and those of SQL.
KINDS = {
    "STRING": "text",
    "TIMESTAMP": "time",
    "DATE": "date",
    **dict.fromkeys(("BOOLEAN", "BOOL"), "boolean"),
    **dict.fromkeys(("INTEGER", "INT64", "FLOAT", "FLOAT64", "NUMERIC", "BIGNUMERIC"), "number"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is profiled. `kind` is text, list, number, date, time or boolean."""

    name: str
    kind: str

    @property
    def is_list(self) -> bool:
        """Whether it holds an array."""
        return self.kind == "list"

    @property
    def measured(self) -> str:
        """A SQL expression for the value whose minimum and maximum are taken: a length for texts and lists."""
        length = {"text": "LENGTH", "list": "ARRAY_LENGTH"}.get(self.kind)
        return f"{length}(`{self.name}`)" if length else f"`{self.name}`"

    def bound(self, function: str) -> str:
        """A SQL expression for the minimum (`MIN`) or maximum (`MAX`) as text."""
        found = f"{function}({self.measured})"
        return f"FORMAT_TIMESTAMP('%FT%TZ', {found})" if self.kind == "time" else f"CAST({found} AS STRING)"

    @property
    def empty(self) -> str:
        """A SQL condition that the column is empty. BigQuery stores an empty array instead of a null one."""
        return f"IFNULL(ARRAY_LENGTH(`{self.name}`), 0) = 0" if self.is_list else f"`{self.name}` IS NULL"

    @property
    def distinct(self) -> str:
        """A SQL expression for the approximate number of distinct values."""
        return "CAST(NULL AS INT64)" if self.is_list else f"APPROX_COUNT_DISTINCT(`{self.name}`)"


def due(client: bigquery.Client, settings: Settings, now: datetime) -> list[Entity]:
    """The entities whose table a load changed since its last profile, unless it was profiled today already (in the owner's
    time zone)."""
    ops = settings.dataset("ops")
    midnight = now.astimezone(ZoneInfo(settings.timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    sql = f"""
        SELECT changed.table_name
        FROM (
            SELECT CONCAT(source, '__', entity) AS table_name, MAX(committed_at) AS changed_at
            FROM `{ops}.sync_runs` WHERE rows_inserted + rows_updated + rows_tombstoned > 0
            GROUP BY table_name
        ) changed
        LEFT JOIN (
            SELECT table_name, MAX(profiled_at) AS profiled_at FROM `{ops}.{records.PROFILES}` GROUP BY table_name
        ) known
            ON known.table_name = changed.table_name
        WHERE known.profiled_at IS NULL
            OR (known.profiled_at < changed.changed_at AND known.profiled_at < @midnight)
    """
    config = with_parameters(midnight=midnight)
    names = {row["table_name"] for row in client.query_and_wait(sql, job_config=config)}
    return [entity for entity in ENTITIES if entity.table in names]


def take(client: bigquery.Client, settings: Settings, entity: Entity, now: datetime) -> int:
    """Profile the table of `entity` and store the profile, once a day at most. Returns the number of columns.

    A load that is committed meanwhile belongs to the next profile. Raises `WarehouseError` for a table without columns.
    """
    table = client.get_table(f"{settings.project}.{settings.dataset('raw')}.{entity.table}")
    columns = list(profiled(table))
    if not columns:
        raise WarehouseError(f"the table {entity.table} has no column that can be profiled.")
    row = next(iter(client.query_and_wait(_statement(table, columns))))
    found = [
        {
            "table_name": entity.table,
            "column_name": column.name,
            "profiled_at": now,
            "kind": column.kind,
            "row_count": row["row_count"],
            "deleted_count": row["deleted_count"],
            **{
                name: row[f"{name}_{place}"]
                for name in ("null_count", "distinct_count", "minimum", "maximum")
            },
        }
        for place, column in enumerate(columns)
    ]
    day = now.astimezone(ZoneInfo(settings.timezone)).date()
    job = f"{settings.dataset('profile')}-{entity.table}-{day}"
    records.append(client, settings, records.PROFILES, job, found)
    logger.info("Profiled %s: %d rows, %d columns.", entity.table, row["row_count"], len(columns))
    return len(columns)


def profiled(table: bigquery.Table) -> Iterator[Column]:
    """The columns to profile: those from the source, and the loader's times."""
    for field in table.schema:
        if field.name.startswith("_") and field.name not in LOADER_TIMES:
            continue
        if field.mode == "REPEATED":
            yield Column(field.name, "list")
        elif kind := KINDS.get(field.field_type):
            yield Column(field.name, kind)


def _statement(table: bigquery.Table, columns: list[Column]) -> str:
    """One query over the rows that are not deleted; deleted rows are only counted."""
    parts = [
        part
        for place, column in enumerate(columns)
        for part in (
            f"COUNTIF({column.empty}) AS null_count_{place}",
            f"{column.distinct} AS distinct_count_{place}",
            f"{column.bound('MIN')} AS minimum_{place}",
            f"{column.bound('MAX')} AS maximum_{place}",
        )
    ]
    name = f"`{table.reference}`"
    return f"""
        SELECT COUNT(*) AS row_count,
            (SELECT COUNTIF(_deleted_at IS NOT NULL) FROM {name}) AS deleted_count,
            {", ".join(parts)}
        FROM {name} WHERE _deleted_at IS NULL
    """
