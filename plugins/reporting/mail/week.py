"""What the weekly e-mail tells: the week, and of it habits, people, birthdays, deals, engagements and how fresh the data is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days that are over."""

    first_on: date
    zone: ZoneInfo

    @property
    def last_on(self) -> date:
        """The seventh day."""
        return self.first_on + timedelta(days=6)

    @property
    def days(self) -> list[date]:
        """All seven."""
        return [self.first_on + timedelta(days=number) for number in range(7)]

    def begins_at(self, weeks: int = 0) -> datetime:
        """The first moment of the week that is so many weeks later."""
        return datetime.combine(self.first_on + timedelta(weeks=weeks), time(), self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Habit:
    """A habit's line. `cells` are its latest periods: `done`, `missed`, `open` (not over yet) or `off` (not due).

    `done` of `due` are the periods of the week (a monthly habit: of the month), `before` the same a period earlier;
    `average` is a number habit's amount per due period, and `is_met` whether the target was reached (None without one).
    """

    name: str
    period: str
    is_number: bool
    cells: tuple[str, ...]
    done: int
    due: int
    before: tuple[int, int]
    average: float | None
    target: float | None
    is_met: bool | None
    streak: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to call, with the days since the last touch and how often there is one."""

    name: str
    company: str | None
    days: int
    cadence: float
    last_touch_type: str | None


@dataclass(frozen=True, slots=True)
class Planned:
    """A meeting or task to come."""

    name: str
    type: str
    on: date


@dataclass(frozen=True, slots=True)
class Birthday:
    """A birthday to come; the age is None when the year of birth is not known."""

    name: str
    on: date
    age: int | None


@dataclass(frozen=True, slots=True)
class Deal:
    """A deal that moved in the week, or is overdue."""

    name: str
    stage: str | None
    amount: Decimal | None
    close_on: date | None


@dataclass(frozen=True, slots=True)
class Deals:
    """What became of deals; amounts are in the portal's currency."""

    open_count: int
    open_amount: Decimal
    new: tuple[Deal, ...]
    moved: tuple[Deal, ...]
    won: tuple[Deal, ...]
    lost: tuple[Deal, ...]
    overdue: tuple[Deal, ...]


@dataclass(frozen=True, slots=True)
class Engagements:
    """Engagements by type and by day of the week; `before` are those of the week before by type."""

    by_type: Mapping[str, int]
    before: Mapping[str, int]
    by_day: tuple[int, ...]
    people_count: int
    people_before: int


@dataclass(frozen=True, slots=True)
class FullDay:
    """A day that was unusually full, and the hours above which it is."""

    on: date
    hours: float
    above: float


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours that events filled; `before` are those of the week before. `by_calendar` begins with the most."""

    total: float
    before: float
    meeting_count: int
    by_calendar: tuple[tuple[str, float], ...]
    full: tuple[FullDay, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """How fresh the data is. `stale` are sources by the days since they were read to their end."""

    built_at: datetime | None
    read_at: Mapping[str, datetime]
    stale: Mapping[str, int]
    changed_count: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The week. A part is None when no source of it was ever read."""

    week: Week
    habits: tuple[Habit, ...] | None
    cold: tuple[Person, ...] | None
    cold_planned_count: int
    planned: tuple[Planned, ...]
    birthdays: tuple[Birthday, ...]
    deals: Deals | None
    engagements: Engagements | None
    health: Health
    hours: Hours | None = None

    @property
    def rate(self) -> float | None:
        """Share of what was due that was done, of daily and weekly habits."""
        return _rate((each.done, each.due) for each in self.habits or () if each.period != "monthly")

    @property
    def rate_before(self) -> float | None:
        """The same of the week before."""
        return _rate(each.before for each in self.habits or () if each.period != "monthly")


def week_before(now: datetime, timezone: str, first_weekday: int) -> Week:
    """The last of the owner's weeks that is over at `now`; `first_weekday` is 0 for Monday."""
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    begun_on = today - timedelta(days=(today.weekday() - first_weekday) % 7)
    return Week(begun_on - timedelta(weeks=1), zone)


def _rate(parts: Iterable[tuple[int, int]]) -> float | None:
    done, due = (sum(each) for each in zip(*parts, strict=True)) if (parts := list(parts)) else (0, 0)
    return done / due if due else None
