"""The page of relationships: whom to call, who is going cold, and whose birthday is next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from reporting.reports import formats
from reporting.reports.marts import Marts
from reporting.reports.page import MOST_ROWS, Page, ShortList, Tile
from reporting.sources.hubspot.entities import TOUCHES

BIRTHDAY_DAYS = 60
# A birthday within so many days is a reason to call.
NEAR_DAYS = 7
LISTED = 5
MOST_DOTS = 500
# The upper limits of the bars in the chart of silences, in days; the last bar has no limit.
SILENCES = ((7, "a week"), (30, "a month"), (90, "3 months"), (180, "6 months"), (365, "a year"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person whom the page shows. Days are in the owner's time zone."""

    name: str
    company: str | None
    owner: str | None
    last_touch_on: date | None
    last_touch_type: str | None
    days_since: int | None
    cadence_days: float | None
    touches_a_year: int
    next_touch_on: date | None
    next_touch_type: str | None
    is_going_cold: bool
    birthday_on: date | None
    days_to_birthday: int | None
    age: int | None

    @property
    def has_birthday_soon(self) -> bool:
        """Whether the next birthday is within the days that the page shows."""
        return self.days_to_birthday is not None and self.days_to_birthday <= BIRTHDAY_DAYS

    @property
    def is_birthday_near(self) -> bool:
        """Whether the next birthday is a reason to call."""
        return self.days_to_birthday is not None and self.days_to_birthday <= NEAR_DAYS

    @property
    def overdue(self) -> float:
        """The silence divided by the usual silence: 2 is twice as long as usual. 0 if no usual silence is known."""
        if self.days_since is None or not self.cadence_days:
            return 0.0
        return self.days_since / self.cadence_days

    @property
    def is_due(self) -> bool:
        """Whether the silence is longer than usual, and no meeting or task is planned."""
        return self.next_touch_on is None and (self.is_going_cold or self.overdue > 1)

    @property
    def turns(self) -> str:
        """The age at the next birthday, as the end of a sentence about it; empty if the year of birth is unknown."""
        return f", turns {self.age}" if self.age else ""

    @property
    def reasons(self) -> list[str]:
        """Why to call, the most pressing first."""
        said: list[str] = []
        if self.is_birthday_near and self.birthday_on is not None:
            said.append(Markup("birthday {}{}").format(formats.ahead(self.birthday_on), self.turns))
        if self.is_due and self.days_since is not None:
            usual = f"usually every {formats.count(round(self.cadence_days or 0), 'day')}"
            said.append(f"{formats.count(self.days_since, 'day')} of silence, {usual}")
        return said

    @property
    def touch(self) -> str:
        """The type of the latest touch, such as call or meeting."""
        return TOUCHES.get(self.last_touch_type or "", self.last_touch_type or formats.NOTHING)

    @property
    def planned(self) -> str:
        """What is planned and when; empty if nothing is planned."""
        if self.next_touch_on is None:
            return ""
        kind = TOUCHES.get(self.next_touch_type or "", self.next_touch_type or "touch")
        return f"{kind} on {formats.day(self.next_touch_on)}"


@dataclass(frozen=True, slots=True)
class Relationships:
    """The people whom the page shows, and how long everybody's silence is.

    `silences` counts people by the length of their silence: one count per entry of `SILENCES`, then one for longer ones.
    `unheard` counts people without any touch.
    """

    today: date
    people: tuple[Person, ...]
    people_count: int
    silences: tuple[int, ...]
    unheard: int

    def to_call(self) -> list[Person]:
        """Whom to call: people with a birthday within a week first, then those whose silence exceeds the usual one most."""
        due = [person for person in self.people if person.is_due or person.is_birthday_near]
        return sorted(
            due,
            key=lambda person: (
                person.days_to_birthday if person.is_birthday_near else NEAR_DAYS + 1,
                -person.overdue,
                person.name,
            ),
        )

    def going_cold(self) -> list[Person]:
        """Those whose silence exceeds the usual one most, even if a touch is planned."""
        return sorted(
            (person for person in self.people if person.is_going_cold),
            key=lambda person: (-person.overdue, person.name),
        )

    def birthdays(self) -> list[Person]:
        """People with a birthday soon, the next birthday first."""
        return sorted(
            (person for person in self.people if person.has_birthday_soon),
            key=lambda person: (person.days_to_birthday, person.name),
        )

    def owners(self) -> list[str]:
        """The owners of the people who are shown."""
        return sorted({person.owner for person in self.people if person.owner})

    @property
    def most(self) -> int:
        """The most rows that a table shows."""
        return MOST_ROWS

    def tiles(self) -> Sequence[Tile]:
        """How many people to call, how many are going cold, and how many have a birthday soon."""
        if not self.people_count:
            return (Tile("People", "none yet", "They come from HubSpot or Google Contacts."),)
        cold = self.going_cold()
        unplanned = sum(1 for person in cold if person.next_touch_on is None)
        near = [person for person in self.birthdays() if person.is_birthday_near]
        to_call = len(self.to_call())
        recent, ever = sum(self.silences[:3]), sum(self.silences)
        return (
            Tile("To call", f"{to_call:,}", "Longer silence than usual, or a birthday within a week"),
            Tile(
                "Going cold",
                f"{len(cold):,}",
                f"{unplanned:,} of them without a plan" if cold else "Nobody is going cold.",
                "bad" if unplanned else "good",
            ),
            Tile(
                "Birthdays within a week",
                f"{len(near):,}",
                _next_birthday(self.birthdays()),
            ),
            Tile(
                "In touch within 3 months",
                formats.percent(recent / ever if ever else None),
                f"{recent:,} of {ever:,} who were ever contacted" if ever else "Nobody was ever contacted.",
            ),
        )

    def lists(self) -> Sequence[ShortList]:
        """Whom to call and whose birthday comes next."""
        calls = tuple((person.name, person.reasons[0]) for person in self.to_call()[:LISTED])
        birthdays = tuple(
            (
                person.name,
                Markup("{}, {}{}").format(
                    formats.ahead(person.birthday_on), formats.day(person.birthday_on), person.turns
                ),
            )
            for person in self.birthdays()[:LISTED]
            if person.birthday_on
        )
        return (
            ShortList("Who to call", calls, "Nobody is overdue."),
            ShortList("Birthdays ahead", birthdays, f"No birthday in the next {BIRTHDAY_DAYS} days."),
        )

    def payload(self) -> dict[str, Any]:
        """The bars of silence, and one dot per person whose usual silence is known, the longest silences first."""
        dots = sorted(
            (person for person in self.people if person.overdue),
            key=lambda person: (-person.overdue, person.name),
        )
        names = ["within " + name for _, name in SILENCES] + ["longer ago", "never"]
        return {
            "silences": [
                [name, count] for name, count in zip(names, (*self.silences, self.unheard), strict=True)
            ],
            "dots": [
                [
                    person.name,
                    person.cadence_days,
                    person.days_since,
                    int(person.is_going_cold),
                    person.owner or "",
                    person.touches_a_year,
                ]
                for person in dots[:MOST_DOTS]
            ],
        }


def read(marts: Marts) -> Relationships:
    """Query the people who are due, going cold or have a birthday soon, and counts of all people."""
    relationships = marts.mart("relationships")
    people = marts.rows(
        f"""
        SELECT full_name, email, company_name, owner, last_touch_at, last_touch_type, days_since_last_touch,
            cadence_days, touches_365_days, next_touch_at, next_touch_type, is_going_cold, next_birthday_on,
            age_at_birthday
        FROM {relationships}
        WHERE is_going_cold OR cadence_days IS NOT NULL
            OR next_birthday_on <= DATE_ADD({marts.day(marts.today)}, INTERVAL {BIRTHDAY_DAYS} DAY)
        """
    )
    steps = (0, *(days for days, _ in SILENCES))
    bars = [
        f"COUNTIF(days_since_last_touch <= {until} AND (days_since_last_touch > {after} OR {after} = 0))"
        for after, until in pairwise(steps)
    ]
    bars.append(f"COUNTIF(days_since_last_touch > {steps[-1]})")
    named = ", ".join(f"{bar} AS bar_{place}" for place, bar in enumerate(bars))
    [counts] = marts.rows(
        f"SELECT COUNT(*) AS people, COUNTIF(days_since_last_touch IS NULL) AS unheard, {named} FROM {relationships}"
    )
    zone = ZoneInfo(marts.settings.timezone)
    return Relationships(
        today=marts.today,
        people=tuple(_person(row, zone, marts.today) for row in people),
        people_count=counts["people"],
        silences=tuple(counts[f"bar_{place}"] for place in range(len(bars))),
        unheard=counts["unheard"],
    )


def _next_birthday(birthdays: Sequence[Person]) -> str:
    if not birthdays or birthdays[0].birthday_on is None:
        return ""
    return Markup("next: {}, {}").format(birthdays[0].name, formats.ahead(birthdays[0].birthday_on))


def _person(row: Any, zone: ZoneInfo, today: date) -> Person:
    def day(moment: datetime | None) -> date | None:
        return moment.astimezone(zone).date() if moment else None

    birthday_on = row["next_birthday_on"]
    # If the marts were built on an earlier day, the birthday may have passed.
    if birthday_on and birthday_on < today:
        birthday_on = None
    return Person(
        name=row["full_name"] or row["email"] or "(no name)",
        company=row["company_name"],
        owner=row["owner"],
        last_touch_on=day(row["last_touch_at"]),
        last_touch_type=row["last_touch_type"],
        days_since=row["days_since_last_touch"],
        cadence_days=row["cadence_days"],
        touches_a_year=row["touches_365_days"],
        next_touch_on=day(row["next_touch_at"]),
        next_touch_type=row["next_touch_type"],
        is_going_cold=bool(row["is_going_cold"]),
        birthday_on=birthday_on,
        days_to_birthday=(birthday_on - today).days if birthday_on else None,
        age=row["age_at_birthday"],
    )


PAGE = Page("relationships", "Relationships", read)
