"""Asks the marts for the owner's week."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.ingest import freshness, sync_log
from reporting.mail.week import (
    Birthday,
    Deal,
    Deals,
    Engagements,
    FullDay,
    Habit,
    Health,
    Hours,
    Person,
    Planned,
    Summary,
    Week,
)
from reporting.settings import Settings
from reporting.transform import builds
from reporting.warehouse.client import with_parameters

BIRTHDAY_DAYS = 14
# How many periods a habit's line shows.
SHOWN = {"daily": 7, "weekly": 4, "monthly": 3}


class NothingBuiltError(Exception):
    """There are no marts to sum up."""


def read(client: bigquery.Client, settings: Settings, week: Week, now: datetime) -> Summary:
    """Ask the marts. Raises `NothingBuiltError`."""
    marts = _Marts(client, settings, week, now)
    read_at = _read_at(freshness.last_reads(client, settings))
    sources = read_at.keys()
    calendar = "google_calendar" in sources
    try:
        cold, cold_planned, planned, birthdays = marts.people() if sources & {"hubspot", "google"} else NOBODY
        return Summary(
            week=week,
            # Events may tick habits, too, and then Notion has none.
            habits=marts.habits() if "notion" in sources else (calendar and marts.habits()) or None,
            cold=cold,
            cold_planned_count=cold_planned,
            planned=planned,
            birthdays=birthdays,
            deals=marts.deals() if "hubspot" in sources else None,
            engagements=marts.engagements() if "hubspot" in sources else None,
            hours=marts.hours() if calendar else None,
            health=marts.health(read_at),
        )
    except NotFound:
        raise NothingBuiltError(
            "the marts are not there yet. Run mart_personal__models__full, or script/sync."
        ) from None


People = tuple[tuple[Person, ...] | None, int, tuple[Planned, ...], tuple[Birthday, ...]]
NOBODY: People = (None, 0, (), ())


class _Marts:
    """The queries, one for each part of the week."""

    def __init__(self, client: bigquery.Client, settings: Settings, week: Week, now: datetime) -> None:
        self._client, self._settings, self._week, self._now = client, settings, week, now
        self._today = now.astimezone(week.zone).date()

    def habits(self) -> tuple[Habit, ...]:
        month_on = self._week.last_on.replace(day=1)
        parameters = {
            "days_since": self._week.first_on - timedelta(weeks=1),
            "last_on": self._week.last_on,
            "weeks_since": self._week.first_on - timedelta(weeks=SHOWN["weekly"] - 1),
            "first_on": self._week.first_on,
            "months_since": _months_before(month_on, SHOWN["monthly"] - 1),
            "month_on": month_on,
        }
        rows = self._rows(
            """
            SELECT
                habits.habit_id, habits.habit, habits.period, habits.property_type, habits.date, habits.is_complete,
                habits.amount, habits.target, habits.is_due, habits.is_current, metrics.current_streak
            FROM {habits} AS habits
            LEFT JOIN (
                SELECT habit_id, period, current_streak FROM {habit_metrics}
                QUALIFY ROW_NUMBER() OVER (PARTITION BY habit_id, period ORDER BY month_on DESC) = 1
            ) AS metrics ON habits.habit_id = metrics.habit_id AND habits.period = metrics.period
            WHERE
                (habits.period = 'daily' AND habits.date BETWEEN @days_since AND @last_on)
                OR (habits.period = 'weekly' AND habits.date BETWEEN @weeks_since AND @first_on)
                OR (habits.period = 'monthly' AND habits.date BETWEEN @months_since AND @month_on)
            ORDER BY habits.period, LOWER(habits.habit), habits.habit_id, habits.date
            """,
            parameters,
        )
        found = [
            self._habit(list(each))
            for _, each in groupby(rows, key=lambda row: (row["habit_id"], row["period"]))
        ]
        return tuple(each for each in found if each.due or each.before[1] or "open" in each.cells)

    def _habit(self, rows: list[Any]) -> Habit:
        last = rows[-1]
        period: str = last["period"]
        by_date = {row["date"]: row for row in rows}
        days = self._periods(period)
        span = 7 if period == "daily" else 1
        now = [by_date[on] for on in days[-span:] if on in by_date]
        before = [by_date[on] for on in days[-2 * span : -span] if on in by_date]
        due = [row for row in now if _counts(row)]
        done, target = sum(row["is_complete"] for row in due), _last(row["target"] for row in due)
        is_number = last["property_type"] == "number"
        average = sum(row["amount"] or 0 for row in due) / len(due) if is_number and due else None
        reached = average if is_number else done / len(due) if due else None
        return Habit(
            name=last["habit"],
            period=period,
            is_number=is_number,
            cells=tuple(_cell(by_date.get(on)) for on in days[-SHOWN[period] :]),
            done=done,
            due=len(due),
            before=(sum(row["is_complete"] for row in before if _counts(row)), sum(map(_counts, before))),
            average=average,
            target=target,
            # A month or week alone is no rate: it is done or not.
            is_met=None
            if target is None or reached is None or (span == 1 and not is_number)
            else reached >= target,
            streak=last["current_streak"] or 0,
        )

    def _periods(self, period: str) -> list[date]:
        """The first days of the periods that are looked at, the oldest first."""
        if period == "daily":
            return [self._week.first_on + timedelta(days=number) for number in range(-7, 7)]
        if period == "weekly":
            return [self._week.first_on + timedelta(weeks=number) for number in range(1 - SHOWN["weekly"], 1)]
        month_on = self._week.last_on.replace(day=1)
        return [_months_before(month_on, number) for number in reversed(range(SHOWN["monthly"]))]

    def people(self) -> People:
        rows = self._rows(
            """
            SELECT
                full_name, email, company_name, days_since_last_touch, cadence_days, last_touch_type, is_going_cold,
                next_touch_at, next_touch_type, next_birthday_on, age_at_birthday
            FROM {relationships}
            WHERE is_going_cold OR next_birthday_on BETWEEN @today AND @ahead OR next_touch_at < @week_ahead
            ORDER BY days_since_last_touch / cadence_days DESC, person_id
            """,
            {
                "today": self._today,
                "ahead": self._today + timedelta(days=BIRTHDAY_DAYS),
                "week_ahead": self._now + timedelta(weeks=1),
            },
        )
        cold = [row for row in rows if row["is_going_cold"]]
        alone = [row for row in cold if row["next_touch_at"] is None]
        return tuple(map(_person, alone)), len(cold) - len(alone), self._planned(rows), self._birthdays(rows)

    def _planned(self, rows: list[Any]) -> tuple[Planned, ...]:
        """What is planned within a week from now, the earliest first."""
        until = self._now + timedelta(weeks=1)
        found = [row for row in rows if row["next_touch_at"] and row["next_touch_at"] < until]
        found.sort(key=lambda row: row["next_touch_at"])
        zone = self._week.zone
        return tuple(
            Planned(_name(row), row["next_touch_type"], row["next_touch_at"].astimezone(zone).date())
            for row in found
        )

    def _birthdays(self, rows: list[Any]) -> tuple[Birthday, ...]:
        """The birthdays of the days to come, the earliest first."""
        ahead = self._today + timedelta(days=BIRTHDAY_DAYS)
        found = [
            row for row in rows if row["next_birthday_on"] and self._today <= row["next_birthday_on"] <= ahead
        ]
        found.sort(key=lambda row: row["next_birthday_on"])
        return tuple(Birthday(_name(row), row["next_birthday_on"], row["age_at_birthday"]) for row in found)

    def deals(self) -> Deals:
        parameters = {"since": self._week.begins_at(), "until": self._week.begins_at(1), "today": self._today}
        (totals,) = self._rows(
            "SELECT COUNT(*) AS open_count, COALESCE(SUM(amount), 0) AS open_amount FROM {deals} WHERE NOT is_closed",
            {},
        )
        rows = self._rows(
            """
            SELECT
                deal_name, stage, amount, close_on, is_closed, is_won,
                created_at >= @since AND created_at < @until AS is_new,
                is_stage_since_known AND stage_entered_at >= @since AND stage_entered_at < @until AS is_moved,
                NOT is_closed AND close_on < @today AS is_overdue
            FROM {deals}
            WHERE
                (created_at >= @since AND created_at < @until)
                OR (is_stage_since_known AND stage_entered_at >= @since AND stage_entered_at < @until)
                OR (NOT is_closed AND close_on < @today)
            ORDER BY amount DESC, deal_id
            """,
            parameters,
        )

        def those(rows_of: Iterable[Any]) -> tuple[Deal, ...]:
            return tuple(
                Deal(row["deal_name"] or "(no name)", row["stage"], row["amount"], row["close_on"])
                for row in rows_of
            )

        moved = [row for row in rows if row["is_moved"]]
        return Deals(
            open_count=totals["open_count"],
            open_amount=Decimal(totals["open_amount"]),
            new=those(row for row in rows if row["is_new"]),
            moved=those(row for row in moved if not row["is_closed"]),
            won=those(row for row in moved if row["is_won"]),
            lost=those(row for row in moved if row["is_closed"] and not row["is_won"]),
            overdue=those(row for row in rows if row["is_overdue"]),
        )

    def engagements(self) -> Engagements:
        zone = self._settings.timezone
        parameters = {"before": self._week.begins_at(-1), "until": self._week.begins_at(1)}
        window = "occurred_at >= @before AND occurred_at < @until"
        counts = self._rows(
            f"""
            SELECT type, DATE(occurred_at, '{zone}') AS day_on, COUNT(*) AS engagement_count
            FROM {{engagements}} WHERE {window} GROUP BY type, day_on ORDER BY type, day_on
            """,
            parameters,
        )
        reached = self._rows(
            f"""
            SELECT DATE(occurred_at, '{zone}') < @first_on AS is_before, COUNT(DISTINCT contact_id) AS people_count
            FROM {{engagements}} CROSS JOIN UNNEST(contact_ids) AS contact_id
            WHERE is_touch AND {window} GROUP BY is_before
            """,
            parameters | {"first_on": self._week.first_on},
        )
        by_type: dict[str, int] = {}
        before: dict[str, int] = {}
        by_day = dict.fromkeys(self._week.days, 0)
        for row in counts:
            of = by_type if row["day_on"] in by_day else before
            of[row["type"]] = of.get(row["type"], 0) + row["engagement_count"]
            if row["day_on"] in by_day:
                by_day[row["day_on"]] += row["engagement_count"]
        people = {row["is_before"]: row["people_count"] for row in reached}
        return Engagements(by_type, before, tuple(by_day.values()), people.get(False, 0), people.get(True, 0))

    def hours(self) -> Hours:
        parameters = {
            "before": self._week.first_on - timedelta(weeks=1),
            "first_on": self._week.first_on,
            "last_on": self._week.last_on,
        }
        days = self._rows(
            """
            SELECT date, hours, meetings_count, is_unusually_full, full_above_hours FROM {busy_days}
            WHERE date BETWEEN @before AND @last_on ORDER BY date
            """,
            parameters,
        )
        calendars = self._rows(
            """
            SELECT calendar_name, SUM(hours) AS week_hours FROM {calendar_days}
            WHERE date BETWEEN @first_on AND @last_on
            GROUP BY calendar_name HAVING SUM(hours) > 0 ORDER BY week_hours DESC, calendar_name
            """,
            {name: parameters[name] for name in ("first_on", "last_on")},
        )
        now = [row for row in days if row["date"] >= self._week.first_on]
        return Hours(
            total=sum(row["hours"] for row in now),
            before=sum(row["hours"] for row in days) - sum(row["hours"] for row in now),
            meeting_count=sum(row["meetings_count"] for row in now),
            by_calendar=tuple((row["calendar_name"], row["week_hours"]) for row in calendars),
            full=tuple(
                FullDay(row["date"], row["hours"], row["full_above_hours"])
                for row in now
                if row["is_unusually_full"]
            ),
        )

    def health(self, read_at: Mapping[str, datetime]) -> Health:
        return Health(
            built_at=builds.last_build(self._client, self._settings),
            read_at=read_at,
            stale={
                name: (self._now - at).days
                for name, at in read_at.items()
                if self._now - at > freshness.STALE_AFTER
            },
            changed_count=sync_log.changed_count(self._client, self._settings, self._week.begins_at()),
        )

    def _rows(self, sql: str, parameters: Mapping[str, Any]) -> list[Any]:
        marts = {
            name: f"`{self._settings.dataset('marts')}.{name}`"
            for name in (
                *("habits", "habit_metrics", "relationships", "deals", "engagements"),
                *("busy_days", "calendar_days"),
            )
        }
        rows = self._client.query_and_wait(sql.format(**marts), job_config=with_parameters(**parameters))
        # A name is one line, and makes no others of the e-mail.
        return [
            {
                name: " ".join(value.split()) if isinstance(value, str) else value
                for name, value in row.items()
            }
            for row in rows
        ]


def _read_at(reads: Mapping[str, datetime]) -> dict[str, datetime]:
    """When any entity of each source was last read."""
    found: dict[str, datetime] = {}
    for name, at in reads.items():
        source = name.partition(".")[0]
        found[source] = max(at, found.get(source, at))
    return found


def _counts(row: Any) -> bool:
    """Whether a period is one that was due and is over, or is done already."""
    return bool(row["is_due"] and (row["is_complete"] or not row["is_current"]))


def _cell(row: Any) -> str:
    if row is None or not row["is_due"]:
        return "off"
    if row["is_complete"]:
        return "done"
    return "open" if row["is_current"] else "missed"


def _last(values: Iterable[float | None]) -> float | None:
    return next((each for each in reversed(list(values)) if each is not None), None)


def _person(row: Any) -> Person:
    return Person(
        _name(row),
        row["company_name"],
        row["days_since_last_touch"],
        row["cadence_days"],
        row["last_touch_type"],
    )


def _name(row: Any) -> str:
    return row["full_name"] or row["email"] or row["company_name"] or "(no name)"


def _months_before(month_on: date, months: int) -> date:
    number = month_on.year * 12 + month_on.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)
