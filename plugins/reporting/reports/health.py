"""The page of data health: how old the data is, according to the sync log and the record of builds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from reporting.entity import Entity
from reporting.ingest.freshness import COMPLETE_RUN, STALE_AFTER, Status, status
from reporting.reports import formats
from reporting.reports.marts import Marts
from reporting.reports.page import Page, ShortList, Tile, Tone
from reporting.sources.registry import ENTITIES
from reporting.transform import builds

DAYS = 30
CHANGES = 20
# How many rows a run changed.
CHANGED_ROWS = "IFNULL(rows_inserted, 0) + IFNULL(rows_updated, 0) + IFNULL(rows_tombstoned, 0)"
STATUSES: dict[Status, str] = {"fresh": "good", "late": "warning", "stale": "bad", "never read": "plain"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """The reads of an entity, from the sync log. Counts cover the last `DAYS` days.

    `missed_days` counts the days since its first run, without today, on which no run was complete. `incomplete` runs were
    interrupted, and `rejected` records have no key.
    """

    entity: Entity
    status: Status
    age: timedelta | None
    last_complete_at: datetime | None
    last_full_refresh_at: datetime | None
    last_change_at: datetime | None
    first_on: date | None
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
        """The entity as the sync log names it."""
        return f"{self.entity.source}.{self.entity.name}"

    @property
    def tone(self) -> str:
        """The colour of its status."""
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
        """The entities that have been read at least once."""
        return [each for each in self.entities if each.last_complete_at or each.runs]

    @property
    def first_day(self) -> date:
        """The first of the days that the page shows."""
        return self.today - timedelta(days=DAYS - 1)

    @property
    def marts_at(self) -> datetime | None:
        """When the marts were last built, all or some of them."""
        return max((at for at in (self.built_at, self.changed_built_at) if at), default=None)

    def tiles(self) -> Sequence[Tile]:
        """How many sources are fresh, how old the marts are, and whether loads are missing in them."""
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
            Markup("oldest: {}, {}").format(worst.name, formats.age(worst.last_complete_at)),
            tone,
        )

    def _marts(self) -> Tile:
        if self.marts_at is None:
            return Tile("Marts built", "never", "", "bad")
        detail = "with everything that was loaded"
        tone: Tone = "good"
        if self.pending_runs:
            detail, tone = f"{formats.count(self.pending_runs, 'run')} not included yet", "warning"
        if self.now - self.marts_at > STALE_AFTER:
            tone = "bad"
        return Tile("Marts built", formats.ago(self.marts_at), detail, tone)

    def _missed(self, known: Sequence[Reads]) -> Tile:
        missed = sum(each.missed_days for each in known)
        # Days before the first run of an entity are not missed, but nobody should take them for days on which it was read.
        firsts = [each.first_on for each in known if each.first_on]
        first, last = min(firsts), max(firsts)
        since = ""
        if self.first_day < first == last:
            since = f" since the first run on {formats.day(first)}"
        elif last > self.first_day:
            since = f" since its first run, which for the last of them was on {formats.day(last)}"
        label = f"Missed in {DAYS} days"
        if first == self.today:
            return Tile(label, formats.NOTHING, "The first run was today.")
        if missed:
            return Tile(
                label, formats.count(missed, "day"), f"without a complete run of an entity{since}", "warning"
            )
        return Tile(label, formats.count(missed, "day"), f"Every entity was read every day{since}.", "good")

    def lists(self) -> Sequence[ShortList]:
        """The entities that are not fresh."""
        lines = tuple(
            (each.name, Markup("last complete run {}").format(formats.ago(each.last_complete_at)))
            for each in self.known()
            if each.status in ("late", "stale")
        )
        empty = "Everything is fresh." if self.known() else "Nothing was read yet."
        return (ShortList("Late sources", lines, empty),)

    def payload(self) -> dict[str, Any]:
        """Complete runs and rows changed of each entity and day."""
        first = self.first_day
        names = [each.name for each in self.known()]
        return {
            "days": [(first + timedelta(days=number)).isoformat() for number in range(DAYS)],
            "entities": names,
            # The place of the first day on which it was read; earlier days are not drawn.
            "firsts": [max(0, (each.first_on - first).days) if each.first_on else 0 for each in self.known()],
            "runs": [
                [(day - first).days, names.index(name), runs, changed]
                for name, day, runs, changed in self.days
                if name in names and first <= day <= self.today
            ],
        }


def read(marts: Marts) -> Health:
    """What the sync log, the record of builds and the record of schema changes say."""
    days = _runs_by_day(marts)
    seen: dict[str, set[date]] = {}
    for row in days:
        if row["runs"]:
            seen.setdefault(row["name"], set()).add(row["day_on"])
    by_name = _runs_by_entity(marts)
    [built] = marts.rows(
        f"""
        SELECT MAX(IF(refresh = 'full', committed_at, NULL)) AS full_at,
            MAX(IF(refresh = 'changed', committed_at, NULL)) AS changed_at
        FROM {marts.ops("dbt_builds")}
        """
    )
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
        changes=_changes(marts),
    )


def _recent(marts: Marts) -> tuple[str, str]:
    """SQL for the owner's day of a commit, and for whether it is one of the days that are shown."""
    on = f"DATE(committed_at, {marts.zone})"
    return on, f"{on} >= {marts.day(marts.today - timedelta(days=DAYS - 1))}"


def _runs_by_entity(marts: Marts) -> dict[str, Any]:
    """A row for each entity that was ever read: when it was last read to its end, and the counts of the last days."""
    on, recent = _recent(marts)
    sums = ", ".join(
        f"SUM(IF({recent}, IFNULL(rows_{name}, 0), 0)) AS rows_{name}"
        for name in ("read", "inserted", "updated", "tombstoned", "rejected")
    )
    rows = marts.rows(
        f"""
        SELECT CONCAT(source, '.', entity) AS name, MIN({on}) AS first_on,
            MAX(IF({COMPLETE_RUN}, committed_at, NULL)) AS last_complete_at,
            MAX(IF(is_complete AND refresh = 'full', committed_at, NULL)) AS last_full_refresh_at,
            MAX(IF({CHANGED_ROWS} > 0, committed_at, NULL)) AS last_change_at,
            COUNTIF({recent}) AS runs, COUNTIF({recent} AND NOT is_complete) AS incomplete, {sums}
        FROM {marts.ops("sync_runs")} GROUP BY name
        """
    )
    return {row["name"]: row for row in rows}


def _runs_by_day(marts: Marts) -> list[Any]:
    """A row for each entity and day of the last days: complete runs, and how many rows changed."""
    on, recent = _recent(marts)
    return marts.rows(
        f"""
        SELECT CONCAT(source, '.', entity) AS name, {on} AS day_on, COUNTIF({COMPLETE_RUN}) AS runs,
            SUM({CHANGED_ROWS}) AS changed
        FROM {marts.ops("sync_runs")} WHERE {recent} GROUP BY name, day_on
        """
    )


def _changes(marts: Marts) -> tuple[Change, ...]:
    """The latest changes of schemas, the newest first."""
    zone = ZoneInfo(marts.settings.timezone)
    rows = marts.rows(
        f"""
        SELECT CONCAT(source, '.', entity) AS name, change, IFNULL(name_after, name_before) AS property,
            name_before, first_seen_at
        FROM {marts.ops("schema_changes")} WHERE change != 'first' ORDER BY first_seen_at DESC, change_id LIMIT {CHANGES}
        """
    )
    return tuple(
        Change(
            entity=row["name"],
            change=row["change"],
            name=f"{row['name_before']} → {row['property']}"
            if "renamed" in row["change"]
            else row["property"] or formats.NOTHING,
            first_seen_on=row["first_seen_at"].astimezone(zone).date(),
        )
        for row in rows
    )


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
        last_full_refresh_at=row["last_full_refresh_at"] if row else None,
        last_change_at=row["last_change_at"] if row else None,
        first_on=row["first_on"] if row else None,
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
