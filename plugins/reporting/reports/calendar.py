"""The page of the calendar: hours by day and by week, days that were unusually full, and whom the owner met."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from reporting.reports import formats
from reporting.reports.marts import Marts
from reporting.reports.page import MOST_ROWS, Page, ShortList, Tile

# The days and the weeks for which hours are shown.
DAYS = 182
WEEKS = 26
# The days for which people are counted.
MET_DAYS = 90
LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day: its hours over all calendars, and the hours above which it is unusually full (None: not known yet)."""

    on: date
    hours: float
    average: float
    meetings: int
    full_above: float | None
    is_full: bool


@dataclass(frozen=True, slots=True)
class Week:
    """The hours of a calendar in one week; `on` is its first day."""

    on: date
    calendar: str
    hours: float


@dataclass(frozen=True, slots=True)
class Met:
    """How often and how long the owner met a person in the last `MET_DAYS` days."""

    name: str
    company: str | None
    meetings: int
    hours: float
    last_on: date


@dataclass(frozen=True, slots=True)
class Ahead:
    """A meeting of the next seven days, in the owner's time zone, and the names of the people in it."""

    at: datetime
    title: str
    names: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """Everything in order of time, and people by how often they were met."""

    today: date
    days: tuple[Day, ...]
    weeks: tuple[Week, ...] = ()
    met: tuple[Met, ...] = ()
    ahead: tuple[Ahead, ...] = ()

    @property
    def most(self) -> int:
        """How many rows a table shows."""
        return MOST_ROWS

    @property
    def full_days(self) -> list[Day]:
        """The days that were unusually full, the latest first."""
        return [day for day in reversed(self.days) if day.is_full][:MOST_ROWS]

    def calendars(self) -> list[str]:
        """The calendars, the one with the most hours first."""
        sums: dict[str, float] = {}
        for week in self.weeks:
            sums[week.calendar] = sums.get(week.calendar, 0) + week.hours
        return sorted(sums, key=lambda name: (-sums[name], name))

    def week_starts(self) -> list[date]:
        """All weeks from the first with hours to the last, including weeks without any."""
        if not self.weeks:
            return []
        first, last = self.weeks[0].on, self.weeks[-1].on
        return [first + timedelta(days=number) for number in range(0, (last - first).days + 1, 7)]

    def tiles(self) -> Sequence[Tile]:
        """The hours of a week, meetings, and full days."""
        if not self.days:
            return (Tile("Calendar", "none yet", "It comes from Google Calendar."),)
        week, before = self.days[-7:], self.days[-14:-7]
        hours, earlier = (sum(day.hours for day in each) for each in (week, before))
        month = self.days[-28:]
        trend = tuple(day.average for day in self.days[-84:])
        return (
            Tile(
                "Hours in 7 days",
                formats.number(hours),
                f"{formats.number(earlier)} in the seven before",
                trend=trend,
            ),
            Tile("Meetings in 4 weeks", formats.number(sum(day.meetings for day in month)), "with guests"),
            Tile("People met in 90 days", formats.number(len(self.met)), "known by their address"),
            Tile(
                "Unusually full days in 4 weeks",
                formats.number(sum(day.is_full for day in month)),
                "by the eight weeks before each",
                "warning" if any(day.is_full for day in week) else "plain",
            ),
        )

    def lists(self) -> Sequence[ShortList]:
        """The next meetings."""
        lines = tuple(
            (each.title, f"{formats.day(each.at)}, {each.at:%H:%M}{f' · {each.names}' if each.names else ''}")
            for each in self.ahead[:LISTED]
        )
        return (ShortList("Meetings in the next 7 days", lines, "There are none."),)

    def payload(self) -> dict[str, Any]:
        """The days with their hours, and one row per week and calendar, both given as indexes into lists."""
        weeks, calendars = self.week_starts(), self.calendars()
        return {
            "days": [day.on.isoformat() for day in self.days],
            "hours": [round(day.hours, 2) for day in self.days],
            "averages": [round(day.average, 2) for day in self.days],
            "full": [int(day.is_full) for day in self.days],
            "weeks": [on.isoformat() for on in weeks],
            "calendars": calendars,
            "spent": [
                [weeks.index(week.on), calendars.index(week.calendar), round(week.hours, 2)]
                for week in self.weeks
            ],
        }


def read(marts: Marts) -> Calendar:
    """Query the marts `busy_days`, `calendar_days` and `meetings`, and the names in `people`."""
    days = marts.rows(
        f"""
        SELECT date, hours, average_28_days, meetings_count, full_above_hours, is_unusually_full
        FROM {marts.mart("busy_days")}
        WHERE date > {marts.day(marts.today - timedelta(days=DAYS))} AND date <= {marts.day(marts.today)}
        ORDER BY date
        """
    )
    weeks = marts.rows(
        f"""
        SELECT DATE_TRUNC(date, ISOWEEK) AS week_on, calendar_name, SUM(hours) AS week_hours
        FROM {marts.mart("calendar_days")}
        WHERE date > {marts.day(marts.today - timedelta(weeks=WEEKS))} AND date <= {marts.day(marts.today)}
        GROUP BY week_on, calendar_name
        HAVING SUM(hours) > 0
        ORDER BY week_on, calendar_name
        """
    )
    return Calendar(
        marts.today,
        tuple(
            Day(
                on=row["date"],
                hours=row["hours"],
                average=row["average_28_days"],
                meetings=row["meetings_count"],
                full_above=row["full_above_hours"],
                is_full=bool(row["is_unusually_full"]),
            )
            for row in days
        ),
        tuple(Week(row["week_on"], row["calendar_name"], row["week_hours"]) for row in weeks),
        _met(marts),
        _ahead(marts),
    )


def _met(marts: Marts) -> tuple[Met, ...]:
    rows = marts.rows(
        f"""
        SELECT
            people.person_id, people.full_name, people.email, people.company_name, COUNT(*) AS meetings_count,
            SUM(meetings.hours) AS met_hours, MAX(DATE(meetings.start_at, {marts.zone})) AS last_on
        FROM {marts.mart("meetings")} AS meetings
        CROSS JOIN UNNEST(meetings.person_ids) AS met_id
        INNER JOIN {marts.mart("people")} AS people ON met_id = people.person_id
        WHERE meetings.is_past AND meetings.start_at > {marts.moment(marts.now - timedelta(days=MET_DAYS))}
        GROUP BY people.person_id, people.full_name, people.email, people.company_name
        ORDER BY meetings_count DESC, met_hours DESC, people.person_id
        """
    )
    return tuple(
        Met(
            row["full_name"] or row["email"] or "(no name)",
            row["company_name"],
            row["meetings_count"],
            row["met_hours"],
            row["last_on"],
        )
        for row in rows
    )


def _ahead(marts: Marts) -> tuple[Ahead, ...]:
    rows = marts.rows(
        f"""
        SELECT
            meetings.meeting_id, meetings.start_at, meetings.title,
            STRING_AGG(COALESCE(people.full_name, people.email), ', ' ORDER BY people.person_id) AS names
        FROM {marts.mart("meetings")} AS meetings
        LEFT JOIN UNNEST(meetings.person_ids) AS met_id
        LEFT JOIN {marts.mart("people")} AS people ON met_id = people.person_id
        WHERE
            meetings.start_at > {marts.moment(marts.now)}
            AND meetings.start_at < {marts.moment(marts.now + timedelta(days=7))}
        GROUP BY meetings.meeting_id, meetings.start_at, meetings.title
        ORDER BY meetings.start_at, meetings.meeting_id
        """
    )
    zone = ZoneInfo(marts.settings.timezone)
    return tuple(
        Ahead(row["start_at"].astimezone(zone), row["title"] or "(no title)", row["names"] or "")
        for row in rows
    )


PAGE = Page("calendar", "Calendar", read)
