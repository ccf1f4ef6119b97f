"""Finds and repairs times in the warehouse that lie in the future because a machine's clock was ahead.

A row is only replaced by a later read. So a row that was read "next year" would not change until then, and a cursor of next year
reads nothing. Every extract compares this machine's clock with the source's. Times that an earlier version, or a source without
a clock, let through are found and repaired here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest import states
from reporting.settings import Settings
from reporting.sources.base import CLOCK_TOLERANCE
from reporting.sources.registry import ENTITIES
from reporting.warehouse.client import with_parameters

# Only our own times: those of the source may rightly lie in the future.
STAMPS = ("_first_seen_at", "_extracted_at", "_loaded_at", "_deleted_at")
RUN_TIMES = ("started_at", "extracted_at", "window_since", "window_until", "cursor_at")
# A repaired row counts as read so long ago, so that a read which is running now can replace it.
LONGEST_READ = timedelta(days=1)
LIMIT = f"TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {int(CLOCK_TOLERANCE)} SECOND)"


@dataclass(frozen=True, slots=True)
class Ahead:
    """How many rows and runs of one entity have times in the future, and the latest of these times (UTC)."""

    entity: Entity
    row_count: int
    run_count: int
    latest_at: datetime


def find(client: bigquery.Client, settings: Settings) -> list[Ahead]:
    """The entities with times that are ahead of the warehouse's clock by more than the tolerance.

    Reads the four columns of times of every existing raw table. Raises Google's `NotFound` if there is no schema yet.
    """
    there = {table.table_id for table in client.list_tables(f"{settings.project}.{settings.dataset('raw')}")}
    parts = [
        _of_table(settings, number, entity) for number, entity in enumerate(ENTITIES) if entity.table in there
    ]
    parts.append(_of_sync_log(settings))
    found: dict[int, list[tuple[int, int, datetime]]] = {}
    for row in client.query_and_wait(" UNION ALL ".join(parts)):
        if row["n"]:
            found.setdefault(row["place"], []).append((row["is_run"], row["n"], row["latest_at"]))
    return [
        Ahead(
            ENTITIES[place],
            sum(count for is_run, count, _ in counts if not is_run),
            sum(count for is_run, count, _ in counts if is_run),
            max(latest for _, _, latest in counts),
        )
        for place, counts in sorted(found.items())
    ]


def mend(client: bigquery.Client, settings: Settings, ahead: Ahead) -> None:
    """Set back the times of one entity, so that the next full refresh replaces its rows and loads the changes that were missed.

    The sync log is repaired first: after that, no full refresh is skipped as unchanged. Each statement only touches rows that
    still have times in the future, so it can be repeated after a kill.
    """
    entity = ahead.entity
    names = with_parameters(source=entity.source, entity=entity.name)
    # A cursor of the future is none; those of the runs before and after it are.
    times = ", ".join(
        f"{name} = IF({name} > {LIMIT}, {'NULL' if name == 'cursor_at' else 'CURRENT_TIMESTAMP()'}, {name})"
        for name in (*RUN_TIMES, "committed_at")
    )
    client.query_and_wait(
        f"""
        UPDATE `{settings.dataset("ops")}.sync_runs` SET {times}, content_digest = NULL, sync_token = NULL
        WHERE source = @source AND entity = @entity
        """,
        job_config=names,
    )
    states.forget(settings, entity)
    if not ahead.row_count:
        return
    raw_times = ", ".join(
        f"{name} = IF({name} > {LIMIT}, "
        + (
            f"TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {int(LONGEST_READ.total_seconds())} SECOND)"
            if name == "_extracted_at"
            else "CURRENT_TIMESTAMP()"
        )
        + f", {name})"
        for name in STAMPS
    )
    client.query_and_wait(
        f"UPDATE `{settings.dataset('raw')}.{entity.table}` SET {raw_times} WHERE {_is_ahead(STAMPS)}"
    )


def _is_ahead(names: tuple[str, ...]) -> str:
    return " OR ".join(f"{name} > {LIMIT}" for name in names)


def _of_table(settings: Settings, place: int, entity: Entity) -> str:
    return f"""
        (SELECT {place} AS place, FALSE AS is_run, COUNT(*) AS n, MAX({_greatest(STAMPS)}) AS latest_at
        FROM `{settings.dataset("raw")}.{entity.table}` WHERE {_is_ahead(STAMPS)})
    """


def _of_sync_log(settings: Settings) -> str:
    times = (*RUN_TIMES, "committed_at")
    places = " ".join(
        f"WHEN '{entity.source}.{entity.name}' THEN {number}" for number, entity in enumerate(ENTITIES)
    )
    return f"""
        (SELECT place, TRUE AS is_run, COUNT(*) AS n, MAX(latest_at) AS latest_at
        FROM (
            SELECT CASE CONCAT(source, '.', entity) {places} END AS place, {_greatest(times)} AS latest_at
            FROM `{settings.dataset("ops")}.sync_runs` WHERE {_is_ahead(times)}
        ) AS runs
        WHERE place IS NOT NULL GROUP BY place)
    """


def _greatest(names: tuple[str, ...]) -> str:
    """A SQL expression for the latest of several times, some of which may be null."""
    return f"GREATEST({', '.join(f'IFNULL({name}, TIMESTAMP_SECONDS(0))' for name in names)})"
