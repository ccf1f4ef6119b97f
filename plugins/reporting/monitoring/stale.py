"""Finds entities that have not been read for too long, according to the complete runs in the sync log."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from reporting.entity import Entity
from reporting.ingest.freshness import STALE_AFTER
from reporting.monitoring.record import Incident
from reporting.naming import DagId
from reporting.reports import formats
from reporting.settings import PREFIX, SWITCHED_OFF
from reporting.sources.registry import SOURCES


@dataclass(frozen=True, slots=True)
class Read:
    """When an entity was last read completely, and whether its latest run was interrupted. Times are UTC."""

    entity: Entity
    last_complete_at: datetime
    is_cut_off: bool = False


def find(reads: Iterable[Read], names: Mapping[str, str], now: datetime) -> Iterator[Incident]:
    """One incident per entity that was read before, but not for `STALE_AFTER`. `names` comes from the settings."""
    for read in reads:
        entity, age = read.entity, now - read.last_complete_at
        if age <= STALE_AFTER or names.get(entity.table) == SWITCHED_OFF:
            continue
        name = f"{entity.source}.{entity.name}"
        dag_id = str(DagId("raw", entity.source, entity.name, "changed" if entity.has_changed else "full"))
        check = SOURCES[entity.source].when_stale
        cut_off = " Its latest run was interrupted." if read.is_cut_off else ""
        yield Incident(
            problem_key=f"stale/{name}",
            kind="stale",
            subject=f"{name} has not been read for {formats.span(age)}",
            what=(
                f"The last complete run of {name} was at {read.last_complete_at:%Y-%m-%d %H:%M} UTC, {formats.span(age)} "
                f"ago.{cut_off} Its data in the marts is just as old."
            ),
            todo=(
                f"Look whether {dag_id} is paused, is skipped or fails, and read its log. Then {check}: "
                f"script/doctor says. If it should not be read any more, set {PREFIX}NAME_{entity.table.upper()} to "
                f"{SWITCHED_OFF}."
            ),
            link=f"/dags/{dag_id}",
        )
