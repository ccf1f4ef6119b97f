"""The page of engagement: calls, e-mails, meetings and messages by week, by owner and by hour of the week."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from reporting.reports import formats
from reporting.reports.marts import FIRST_DAY, Marts
from reporting.reports.page import Page, ShortList, Tile, Tone

# The order in which the charts stack them.
TYPES = {
    "calls": "Calls",
    "emails": "E-mails",
    "meetings": "Meetings",
    "communications": "Messages",
    "notes": "Notes",
    "tasks": "Tasks",
}
# The number of owners that are shown by name; all others are one group.
MOST_OWNERS = 8
OTHERS = "Others"
HOURS_DAYS = 365
TREND_WEEKS = 12
# The last so many weeks are compared with as many before them.
COMPARED_WEEKS = 4


@dataclass(frozen=True, slots=True)
class Engagement:
    """Numbers of engagements per week (from Monday), from the first engagement to today.

    `weeks` counts engagements by owner, type and index of the week. `touches` counts, by index of the week, those in which
    there was contact with the other person. `hours` counts the touches of the last year by owner, weekday (0 is Monday) and
    hour.
    """

    today: date
    first_on: date | None
    weeks: dict[tuple[str, str], Counter[int]]
    touches: Counter[int]
    hours: dict[str, Counter[tuple[int, int]]]

    @property
    def week_count(self) -> int:
        """The number of weeks, including the current one."""
        if self.first_on is None:
            return 0
        return (monday(self.today) - self.first_on).days // 7 + 1

    def owners(self) -> list[str]:
        """The owners, the busiest first, and the group of all others last."""
        counts: Counter[str] = Counter()
        for (owner, _), weeks in self.weeks.items():
            counts[owner] += weeks.total()
        return sorted(counts, key=lambda owner: (owner == OTHERS, -counts[owner], owner))

    def types(self) -> list[str]:
        """The types that occur, in the order of `TYPES`."""
        found = {kind for _, kind in self.weeks}
        return [kind for kind in TYPES if kind in found] + sorted(found - TYPES.keys())

    def titles(self) -> list[str]:
        """The names of the types as the page shows them."""
        return [TYPES.get(kind, kind) for kind in self.types()]

    def total(self) -> int:
        """All engagements."""
        return sum(weeks.total() for weeks in self.weeks.values())

    def by_year(self) -> list[tuple[int, dict[str, int]]]:
        """Counts by type for each year in which weeks begin, the latest first."""
        found: dict[int, Counter[str]] = {}
        for (_, kind), weeks in self.weeks.items():
            for place, count in weeks.items():
                found.setdefault(self._week_on(place).year, Counter())[kind] += count
        return [(year, dict(found[year])) for year in sorted(found, reverse=True)]

    def tiles(self) -> Sequence[Tile]:
        """The touches of the last weeks compared with those of the weeks before."""
        if not self.week_count:
            return (Tile("Engagement", "none yet", "It comes from HubSpot."),)
        # Only complete weeks are compared; the current one is not over.
        last = self.week_count - 1
        recent = sum(self.touches[place] for place in range(last - COMPARED_WEEKS, last))
        before = sum(self.touches[place] for place in range(last - 2 * COMPARED_WEEKS, last - COMPARED_WEEKS))
        tone: Tone = "plain" if recent == before else "good" if recent > before else "warning"
        trend = tuple(float(self.touches[place]) for place in range(max(0, last - TREND_WEEKS), last))
        return (
            Tile(
                f"Touches in {COMPARED_WEEKS} weeks",
                f"{recent:,}",
                f"{before:,} in the {COMPARED_WEEKS} before",
                tone,
                trend,
            ),
            Tile("Touches this week", f"{self.touches[last]:,}", "So far"),
            Tile("Engagements in all", f"{self.total():,}", f"since {formats.day(self.first_on)}"),
        )

    def lists(self) -> Sequence[ShortList]:
        """None; the tiles are enough for the overview."""
        return ()

    def payload(self) -> dict[str, Any]:
        """Counts per week, one list per owner and type. A list covers the weeks from the first to the last count that is not
        zero, and `from` is the index of its first week."""
        owners, types = self.owners(), self.types()
        return {
            "first": self.first_on.isoformat() if self.first_on else None,
            "weeks": self.week_count,
            "owners": owners,
            "types": self.titles(),
            "counts": [
                {
                    "owner": owners.index(owner),
                    "type": types.index(kind),
                    "from": min(weeks),
                    "n": _dense(weeks),
                }
                for (owner, kind), weeks in sorted(self.weeks.items())
            ],
            "hours": [
                [owners.index(owner), weekday, hour, count]
                for owner, hours in sorted(self.hours.items())
                if owner in owners
                for (weekday, hour), count in sorted(hours.items())
            ],
        }

    def _week_on(self, place: int) -> date:
        return (self.first_on or self.today) + timedelta(weeks=place)


def read(marts: Marts) -> Engagement:
    """Query the mart `engagements` up to today."""
    # A mistyped year would add centuries of weeks, and times at the end of the calendar cannot be converted to a time zone.
    near = f"IF(DATE(occurred_at) BETWEEN {marts.day(FIRST_DAY)} AND '9999-12-30', occurred_at, NULL)"
    on = f"DATE({near}, {marts.zone})"
    source = f"FROM {marts.mart('engagements')} WHERE {on} <= {marts.day(marts.today)}"
    weekly = marts.rows(
        f"""
        SELECT DATE_TRUNC({on}, WEEK(MONDAY)) AS week_on, IFNULL(owner, '(no owner)') AS owner_name, type,
            COUNT(*) AS engagements, COUNTIF(is_touch) AS touches
        {source} GROUP BY week_on, owner_name, type
        """
    )
    hourly = marts.rows(
        f"""
        SELECT IFNULL(owner, '(no owner)') AS owner_name, EXTRACT(DAYOFWEEK FROM {on}) AS weekday,
            EXTRACT(HOUR FROM DATETIME({near}, {marts.zone})) AS hour, COUNT(*) AS touch_count
        {source} AND is_touch AND {on} > DATE_SUB({marts.day(marts.today)}, INTERVAL {HOURS_DAYS} DAY)
        GROUP BY owner_name, weekday, hour
        """
    )
    counts: Counter[str] = Counter()
    for row in weekly:
        counts[row["owner_name"]] += row["engagements"]
    named = {owner for owner, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:MOST_OWNERS]}
    first_on = min((row["week_on"] for row in weekly), default=None)
    weeks: dict[tuple[str, str], Counter[int]] = {}
    touches: Counter[int] = Counter()
    for row in weekly:
        place = (row["week_on"] - first_on).days // 7
        key = (_known(row["owner_name"], named), row["type"])
        weeks.setdefault(key, Counter())[place] += row["engagements"]
        touches[place] += row["touches"]
    hours: dict[str, Counter[tuple[int, int]]] = {}
    for row in hourly:
        # In BigQuery a week begins with Sunday as 1.
        cell = ((row["weekday"] + 5) % 7, row["hour"])
        hours.setdefault(_known(row["owner_name"], named), Counter())[cell] += row["touch_count"]
    return Engagement(marts.today, first_on, weeks, touches, hours)


def monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def _known(owner: str, named: set[str]) -> str:
    return owner if owner in named else OTHERS


def _dense(weeks: Counter[int]) -> list[int]:
    return [weeks[place] for place in range(min(weeks), max(weeks) + 1)]


PAGE = Page("engagement", "Engagement", read)
