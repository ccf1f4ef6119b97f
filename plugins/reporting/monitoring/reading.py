"""Reads what the checks need: with one query of the sync log, and one of the marts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.cloud import bigquery

from reporting.ingest.freshness import COMPLETE_RUN
from reporting.monitoring.categories import Category
from reporting.monitoring.stale import Read
from reporting.monitoring.volumes import BEFORE, SHOWN_FOR, Load
from reporting.settings import Settings
from reporting.sources.registry import entity_named
from reporting.warehouse.client import with_parameters

# A column with more distinct values than this is not a category.
MOST_VALUES = 2_000


@dataclass(frozen=True, slots=True)
class SyncLog:
    """When each entity was last read, and its loads: those of the last day, and the earlier ones to compare them with."""

    reads: tuple[Read, ...]
    loads: tuple[Load, ...]


def sync_log(client: bigquery.Client, settings: Settings, now: datetime) -> SyncLog:
    """Read the sync log, without entities that the code no longer has."""
    sql = f"""
        SELECT
            source, entity, refresh, committed_at, is_complete, rows_in_warehouse,
            IFNULL(rows_read, 0) AS rows_read,
            IFNULL(rows_inserted, 0) + IFNULL(rows_updated, 0) AS rows_changed,
            IFNULL(rows_tombstoned, 0) AS rows_gone,
            MAX(IF({COMPLETE_RUN}, committed_at, NULL))
                OVER (PARTITION BY source, entity) AS last_complete_at
        FROM (SELECT *, committed_at > @since AS is_recent FROM `{settings.dataset("ops")}.sync_runs`) AS runs
        QUALIFY is_recent OR ROW_NUMBER() OVER (
            PARTITION BY source, entity, refresh, is_recent ORDER BY committed_at DESC, run_id
        ) <= {BEFORE}
        ORDER BY source, entity, committed_at
    """
    config = with_parameters(since=now - SHOWN_FOR)
    reads: dict[str, Read] = {}
    loads = []
    living: dict[str, int] = {}
    for row in client.query_and_wait(sql, job_config=config):
        name = f"{row['source']}.{row['entity']}"
        try:
            entity = entity_named(name)
        except LookupError:
            continue
        if row["rows_in_warehouse"] is not None:
            living[name] = row["rows_in_warehouse"]
        if row["last_complete_at"]:
            # Rows are ordered by time, so the latest run remains.
            reads[name] = Read(entity, row["last_complete_at"], not row["is_complete"])
        loads.append(
            Load(
                source=row["source"],
                entity=row["entity"],
                refresh=row["refresh"],
                committed_at=row["committed_at"],
                read=row["rows_read"],
                changed=row["rows_changed"],
                gone=row["rows_gone"],
                in_warehouse=living.get(name),
            )
        )
    return SyncLog(tuple(reads.values()), tuple(loads))


def values(
    client: bigquery.Client, settings: Settings, categories: Sequence[Category]
) -> dict[Category, dict[str, int]]:
    """The number of rows of each value of each category; only the most frequent values.

    Raises Google's `NotFound` if the marts have not been built yet.
    """
    parts = [
        f"""
        (SELECT {number} AS category, {each.column} AS value, COUNT(*) AS row_count
        FROM `{settings.dataset("marts")}.{each.mart}` WHERE {each.column} IS NOT NULL
        GROUP BY value ORDER BY row_count DESC, value LIMIT {MOST_VALUES})
        """
        for number, each in enumerate(categories)
    ]
    found: dict[Category, dict[str, int]] = {each: {} for each in categories}
    for row in client.query_and_wait(" UNION ALL ".join(parts)):
        found[categories[row["category"]]][row["value"]] = row["row_count"]
    return found
