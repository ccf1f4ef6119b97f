"""Data health: how old what the pages say is, by what the ledger and the record of builds say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from reporting.entities import ENTITIES, Entity
from reporting.reports import formats
from reporting.reports.marts import Marts
from reporting.reports.page import Page, ShortList, Tile, Tone
from reporting.warehouse import builds

DAYS = 30
# As declared beside the dbt sources; what is read once a day may be a day older.
LATE_DAYS, LATE_SLOW_DAYS, STALE_DAYS = 1, 2, 3
CHANGES = 20
STATUSES = {"fresh": "good", "late": "warning", "stale": "bad", "never read": "plain"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What the ledger says of an entity. Counts are of the last `DAYS` days.

    `missed_days` are those since its first run on which no run was complete, today excepted: whatever failed, data did not
    come. `incomplete` runs were cut off, and `rejected` records have no key.
    """

    entity: Entity
    status: str
    age: timedelta | None
    last_complete_at: datetime | None
    last_sweep_at: datetime | None
    last_change_at: datetime | None
    runs: int
    incomplete: int
    missed_days: int
    read: int
    inserted: int
    updated: int
    tombstoned: int
    rejected: int

    @property
    def name(self) -> str:
        """The entity as the ledger names it."""
        return f"{self.entity.source}.{self.entity.name}"

    @property
    def tone(self) -> str:
        """How bad its status is."""
        return STATUSES[self.status]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a property in a source."""

    entity: str
    change: str
    name: str
    first_seen_on: date


@dataclass(frozen=True, slots=True)
class Health:
    """Every entity, in the order in which they are declared. `days` are [entity, day, complete runs, rows changed]."""

    today: date
    entities: tuple[Reads, ...]
    built_at: datetime | None
    changed_built_at: datetime | None
    pending_runs: int
    now: datetime
    days: tuple[tuple[str, date, int, int], ...]
    changes: tuple[Change, ...]

    def known(self) -> list[Reads]:
        """Those that were ever read."""
        return [each for each in self.entities if each.last_complete_at or each.runs]

    @property
    def marts_at(self) -> datetime | None:
        """When the marts were last built, whole or in part."""
        return max((at for at in (self.built_at, self.changed_built_at) if at), default=None)

    def age(self, at: datetime | None) -> timedelta | None:
        """How long ago that was."""
        return self.now - at if at else None

    def tiles(self) -> Sequence[Tile]:
        """How many sources are fresh, how old the marts are, and what is missing in them."""
        known = self.known()
        if not known:
            return (Tile("Sources", "none yet", "Nothing was read yet."),)
        return (self._fresh(known), self._marts(), self._missed(known))

    def _fresh(self, known: Sequence[Reads]) -> Tile:
        fresh = sum(1 for each in known if each.status == "fresh")
        worst = max(known, key=lambda each: each.age or timedelta.max)
        tone: Tone = "good" if fresh == len(known) else "warning"
        if any(each.status == "stale" for each in known):
            tone = "bad"
        return Tile(
            "Fresh sources",
            f"{fresh} of {len(known)}",
            f"oldest: {worst.name}, {formats.span(worst.age)}",
            tone,
        )

    def _marts(self) -> Tile:
        age = self.age(self.marts_at)
        if age is None:
            return Tile("Marts built", "never", "", "bad")
        detail = "with everything that was loaded"
        tone: Tone = "good"
        if self.pending_runs:
            detail, tone = f"{formats.count(self.pending_runs, 'run')} not taken in yet", "warning"
        if age > timedelta(days=STALE_DAYS):
            tone = "bad"
        return Tile("Marts built", f"{formats.span(age)} ago", detail, tone)

    def _missed(self, known: Sequence[Reads]) -> Tile:
        missed = sum(each.missed_days for each in known)
        return Tile(
            f"Missed in {DAYS} days",
            formats.count(missed, "day"),
            "days of an entity without a complete run" if missed else "Every entity was read every day.",
            "warning" if missed else "good",
        )

    def lists(self) -> Sequence[ShortList]:
        """What is not fresh."""
        lines = tuple(
            (each.name, f"last complete run {formats.span(each.age)} ago")
            for each in self.known()
            if each.status in ("late", "stale")
        )
        empty = "Everything is fresh." if self.known() else "Nothing was read yet."
        return (ShortList("Late sources", lines, empty),)

    def payload(self) -> dict[str, Any]:
        """Complete runs and rows changed of each entity and day."""
        first = self.today - timedelta(days=DAYS - 1)
        names = [each.name for each in self.known()]
        return {
            "days": [(first + timedelta(days=number)).isoformat() for number in range(DAYS)],
            "entities": names,
            "runs": [
                [(day - first).days, names.index(name), runs, changed]
                for name, day, runs, changed in self.days
                if name in names and first <= day <= self.today
            ],
        }


def read(marts: Marts) -> Health:
    """What the ledger, the record of builds and the record of schema changes say."""
    first = marts.today - timedelta(days=DAYS - 1)
    on = f"DATE(committed_at, {marts.zone})"
    recent = f"{on} >= {marts.day(first)}"
    changed = "IFNULL(rows_inserted, 0) + IFNULL(rows_updated, 0) + IFNULL(rows_tombstoned, 0)"
    # As the freshness of the dbt sources counts.
    counts = "is_complete AND cursor_at IS NOT NULL AND refresh != 'replay'"
    sums = ", ".join(
        f"SUM(IF({recent}, IFNULL(rows_{name}, 0), 0)) AS rows_{name}"
        for name in ("read", "inserted", "updated", "tombstoned", "rejected")
    )
    ledger = marts.rows(
        f"""
        SELECT source, entity, MIN({on}) AS first_on,
            MAX(IF({counts}, committed_at, NULL)) AS last_complete_at,
            MAX(IF(is_complete AND refresh = 'full', committed_at, NULL)) AS last_sweep_at,
            MAX(IF({changed} > 0, committed_at, NULL)) AS last_change_at,
            COUNTIF({recent}) AS runs, COUNTIF({recent} AND NOT is_complete) AS incomplete, {sums}
        FROM {marts.ops("sync_runs")} GROUP BY source, entity
        """
    )
    days = marts.rows(
        f"""
        SELECT CONCAT(source, '.', entity) AS name, {on} AS day_on, COUNTIF({counts}) AS runs, SUM({changed}) AS changed
        FROM {marts.ops("sync_runs")} WHERE {recent} GROUP BY name, day_on
        """
    )
    [built] = marts.rows(
        f"""
        SELECT MAX(IF(refresh = 'full', committed_at, NULL)) AS full_at,
            MAX(IF(refresh = 'changed', committed_at, NULL)) AS changed_at
        FROM {marts.ops("dbt_builds")}
        """
    )
    schema = marts.rows(
        f"""
        SELECT CONCAT(source, '.', entity) AS name, change, IFNULL(name_after, name_before) AS property,
            name_before, first_seen_at
        FROM {marts.ops("schema_changes")} WHERE change != 'first' ORDER BY first_seen_at DESC, change_id LIMIT {CHANGES}
        """
    )
    seen: dict[str, set[date]] = {}
    for row in days:
        if row["runs"]:
            seen.setdefault(row["name"], set()).add(row["day_on"])
    by_name = {f"{row['source']}.{row['entity']}": row for row in ledger}
    zone = ZoneInfo(marts.settings.timezone)
    return Health(
        today=marts.today,
        entities=tuple(
            _reads(entity, by_name.get(name), seen.get(name, set()), marts)
            for entity in ENTITIES
            if (name := f"{entity.source}.{entity.name}")
        ),
        built_at=built["full_at"],
        changed_built_at=built["changed_at"],
        pending_runs=len(builds.plan(marts.client, marts.settings, "changed").run_ids),
        now=marts.now,
        days=tuple((row["name"], row["day_on"], row["runs"], row["changed"] or 0) for row in days),
        changes=tuple(
            Change(
                entity=row["name"],
                change=row["change"],
                name=f"{row['name_before']} → {row['property']}"
                if "renamed" in row["change"]
                else row["property"] or formats.NOTHING,
                first_seen_on=row["first_seen_at"].astimezone(zone).date(),
            )
            for row in schema
        ),
    )


def status(entity: Entity, age: timedelta | None) -> str:
    """What the age of an entity's last complete run means."""
    if age is None:
        return "never read"
    if age > timedelta(days=STALE_DAYS):
        return "stale"
    late = LATE_SLOW_DAYS if entity.is_slow else LATE_DAYS
    return "late" if age > timedelta(days=late) else "fresh"


def _reads(entity: Entity, row: Any, seen: set[date], marts: Marts) -> Reads:
    last = row["last_complete_at"] if row else None
    age = marts.now.astimezone(UTC) - last if last else None
    missed = 0
    if row:
        first = max(row["first_on"], marts.today - timedelta(days=DAYS - 1))
        past = [first + timedelta(days=number) for number in range((marts.today - first).days)]
        missed = sum(1 for day in past if day not in seen)
    return Reads(
        entity=entity,
        status=status(entity, age),
        age=age,
        last_complete_at=last,
        last_sweep_at=row["last_sweep_at"] if row else None,
        last_change_at=row["last_change_at"] if row else None,
        runs=row["runs"] if row else 0,
        incomplete=row["incomplete"] if row else 0,
        missed_days=missed,
        read=row["rows_read"] if row else 0,
        inserted=row["rows_inserted"] if row else 0,
        updated=row["rows_updated"] if row else 0,
        tombstoned=row["rows_tombstoned"] if row else 0,
        rejected=row["rows_rejected"] if row else 0,
    )


PAGE = Page("health", "Data health", read)
