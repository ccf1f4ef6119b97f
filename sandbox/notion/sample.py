"""Invented habits of one person, and a database with every property type; the same for the same parameters."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sandbox.notion import values
from sandbox.notion.schema import definition, options, statuses
from sandbox.notion.store import BOT
from sandbox.notion.values import Json, option, property_id, rich_text

OWNER = {
    "object": "user",
    "id": str(uuid.uuid5(uuid.NAMESPACE_URL, "sandbox/owner")),
    "name": "Robin Sample",
    "avatar_url": None,
    "type": "person",
    "person": {"email": "robin@example.com"},
}
GROUP = {"object": "group", "id": str(uuid.uuid5(uuid.NAMESPACE_URL, "sandbox/group")), "name": "Family"}
WORKSPACE_PAGE = str(uuid.uuid5(uuid.NAMESPACE_URL, "sandbox/home"))
EVERYTHING_ROWS = 40
# References in the longest values; a relation refers to a row once.
MANY = 40


@dataclass(frozen=True, slots=True)
class Sample:
    """What the sample is made from. `rows` days are in the daily database, the other two follow `days`."""

    seed: int
    days: int
    rows: int
    today: date
    started_at: datetime

    def data_sources(self) -> list[Json]:
        """The five data sources."""
        return list(_SCHEMAS.values())

    def pages(self) -> Iterator[Json]:
        """Every page, one at a time."""
        yield from self._dailies()
        yield from self._periods("Weekly Disciplines", 7)
        yield from self._periods("Monthly Disciplines", None)
        yield from self._targets()
        yield from self._everything()

    def _dailies(self) -> Iterator[Json]:
        for number in range(self.rows):
            day = self.today - timedelta(days=number)
            dice = random.Random(f"{self.seed}:{day}")
            # A day without a row is a gap; asking for more rows than days fills them all.
            if self.rows == self.days and number and dice.random() < 0.06:
                continue
            done = 0.75 - 0.25 * (day.weekday() >= 5)
            contents = {
                "Name": [rich_text(day.isoformat())],
                "Date": _day(day),
                **{name: dice.random() < done + bonus for name, bonus in _DAILY_TICKS.items()},
                "Water": None if dice.random() < 0.1 else dice.randint(3, 12),
                "Steps": None if dice.random() < 0.1 else dice.randrange(1500, 16000),
                "Notes": [rich_text(dice.choice(_NOTES))] if dice.random() < 0.3 else [],
                "Mood": option(dice.choice(_MOODS)) if dice.random() < 0.8 else None,
            }
            if number < self.days:
                created = datetime.combine(day, time(19 + dice.randrange(4), dice.randrange(60)), UTC)
                edited = created + timedelta(hours=11) * (dice.random() < 0.2)
            else:
                # A page a minute, so that any number of them stays below what one query returns of a minute.
                created = edited = datetime.combine(self.today, time(), UTC) - timedelta(minutes=number)
            yield self._page("Daily Disciplines", day.isoformat(), number, created, edited, contents)

    def _periods(self, database: str, days: int | None) -> Iterator[Json]:
        first = self.today - timedelta(days=self.days)
        day = self.today - timedelta(days=self.today.weekday()) if days else self.today.replace(day=1)
        number = 0
        while day >= first:
            dice = random.Random(f"{self.seed}:{database}:{day}")
            title = f"Week of {day}" if days else f"{day:%B %Y}"
            contents: Json = {"Name": [rich_text(title)], "Week of" if days else "Month": _day(day)}
            ticks, amount = _PERIOD_HABITS[database]
            contents |= {name: dice.random() < 0.7 for name in ticks}
            contents[amount] = dice.randrange(5)
            if dice.random() > 0.05 or number == 0:
                created = datetime.combine(day, time(8, dice.randrange(60)), UTC)
                edited = created + timedelta(days=4)
                yield self._page(database, day.isoformat(), number, created, edited, contents)
            number += 1
            day = day - timedelta(days=days) if days else (day - timedelta(days=1)).replace(day=1)

    def _targets(self) -> Iterator[Json]:
        first = self.today - timedelta(days=self.days)
        middle = self.today - timedelta(days=self.days // 2)
        for number, (habit, period, target, since, until) in enumerate(
            [
                ("Meditate", "daily", 0.5, first, middle),
                ("Meditate", "daily", 0.7, middle + timedelta(days=1), None),
                ("Exercise", "daily", 0.6, first, None),
                ("Water", "daily", 8, first, None),
                ("Steps", "daily", 8000, first, None),
                ("Runs", "weekly", 2, first, None),
                ("Books", "monthly", 2, first, None),
            ]
        ):
            contents = {
                "Habit": [rich_text(habit)],
                "Period": option(period),
                "Target": target,
                "Active from": _day(since),
                "Active until": _day(until) if until else None,
            }
            created = datetime.combine(first, time(9, number), UTC)
            yield self._page("Habit Targets", str(number), number, created, created, contents)

    def _everything(self) -> Iterator[Json]:
        rows = [_page_id(self.seed, "Everything", str(number)) for number in range(EVERYTHING_ROWS)]
        for number in range(EVERYTHING_ROWS):
            created = datetime.combine(self.today - timedelta(days=60), time(7, number), UTC)
            contents = {} if number % 4 == 3 else _full_row(number, rows)
            contents["Name"] = [] if number == 3 else [rich_text(f"Row {number}")]
            if number == 0:
                contents["Name"] += [rich_text(f", part {part}") for part in range(1, MANY)]
            yield self._page("Everything", str(number), number, created, created, contents)

    def _page(
        self, database: str, key: str, number: int, created: datetime, edited: datetime, contents: Json
    ) -> Json:
        schema = _SCHEMAS[database]
        stored = {}
        for name, known in schema["properties"].items():
            kind = known["type"]
            if kind not in values.COMPUTED_TYPES:
                stored[known["id"]] = [kind, contents.get(name, values.EMPTY[kind]())]
        return {
            "id": _page_id(self.seed, database, key),
            "data_source_id": schema["id"],
            "created": values.iso_minute(min(created, self.started_at)),
            "edited": values.iso_minute(min(edited, self.started_at)),
            "in_trash": False,
            "created_by": OWNER if number % 5 else BOT,
            "edited_by": OWNER if number % 5 else BOT,
            "icon": {"type": "emoji", "emoji": "🌱"} if number % 7 == 1 else None,
            "number": number + 1,
            "values": stored,
        }


def _guest(number: int) -> Json:
    return {
        "object": "user",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox/guest/{number}")),
        "name": f"Guest {number}",
        "avatar_url": None,
        "type": "person",
        "person": {"email": f"guest{number}@example.com"},
    }


def _page_id(seed: int, database: str, key: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox/{seed}/{database}/{key}"))


def _day(day: date) -> Json:
    return {"start": day.isoformat(), "end": None, "time_zone": None}


def schema(name: str, properties: dict[str, tuple[str, Json]], created: str, description: str = "") -> Json:
    """A data source as the API describes it; `properties` maps names to types and their configuration."""
    source_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox/data_source/{name}"))
    user = {"object": "user", "id": OWNER["id"]}
    return {
        "object": "data_source",
        "id": source_id,
        "title": [rich_text(name)],
        "description": [rich_text(description)] if description else [],
        "parent": {
            "type": "database_id",
            "database_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox/database/{name}")),
        },
        "database_parent": {"type": "page_id", "page_id": WORKSPACE_PAGE},
        "is_inline": False,
        "in_trash": False,
        "created_time": created,
        "last_edited_time": created,
        "created_by": user,
        "last_edited_by": user,
        "icon": {"type": "emoji", "emoji": "📒"} if name == "Everything" else None,
        "cover": None,
        "url": f"https://www.notion.so/{source_id.replace('-', '')}",
        "public_url": None,
        "properties": {
            title: definition(
                "title" if kind == "title" else property_id(f"{name}/{title}"), title, kind, config
            )
            for title, (kind, config) in properties.items()
        },
    }


_DAILY_TICKS = {"Meditate": 0.0, "Exercise": -0.15, "Read": 0.1, "No sugar": -0.3, "Early night": 0.05}
_PERIOD_HABITS: dict[str, tuple[tuple[str, ...], str]] = {
    "Weekly Disciplines": (("Weekly review", "Call family", "Meal prep"), "Runs"),
    "Monthly Disciplines": (("Budget", "Backup", "Donate"), "Books"),
}
_NOTES = (
    "Slept badly.",
    "A good day.",
    "Travelling, no time.",
    "Long walk by the river.",
    "Felt a cold coming.",
)
_MOODS = ("calm", "tired", "happy", "restless")
_NUMBER = {"format": "number"}
_CREATED = "2024-01-01T08:00:00.000Z"


def _everything_schema() -> Json:
    made = schema(
        "Everything",
        {
            "Name": ("title", {}),
            "Text": ("rich_text", {}),
            "Number": ("number", _NUMBER),
            "Select": ("select", options("one", "two")),
            "Tags": ("multi_select", options("red", "green", "blue")),
            "Status": ("status", statuses()),
            "When": ("date", {}),
            "People": ("people", {}),
            "Files": ("files", {}),
            "Tick": ("checkbox", {}),
            "Link": ("url", {}),
            "Mail": ("email", {}),
            "Phone": ("phone_number", {}),
            "Formula": ("formula", {"expression": 'prop("Number") * 2'}),
            "Related": ("relation", {}),
            "Rollup": ("rollup", {}),
            "Created": ("created_time", {}),
            "Edited": ("last_edited_time", {}),
            "Author": ("created_by", {}),
            "Editor": ("last_edited_by", {}),
            "Button": ("button", {}),
            "Number of row": ("unique_id", {"prefix": None}),
            "Verified": ("verification", {}),
            "Place": ("place", {}),
        },
        _CREATED,
        "A row of every property type.",
    )
    related = made["properties"]["Related"]
    related["relation"] = {
        "database_id": made["parent"]["database_id"],
        "data_source_id": made["id"],
        "type": "dual_property",
        "dual_property": {"synced_property_name": "Related", "synced_property_id": related["id"]},
    }
    made["properties"]["Rollup"]["rollup"] = {
        "function": "sum",
        "relation_property_name": "Related",
        "relation_property_id": related["id"],
        "rollup_property_name": "Number",
        "rollup_property_id": made["properties"]["Number"]["id"],
    }
    return made


def _full_row(number: int, rows: list[str]) -> Json:
    """A row with a value in every property; what they are goes through each kind of value by turns."""
    notion_hosted = {
        "url": f"https://files.example.com/{number}?signature=x",
        "expiry_time": "2026-01-01T09:00:00.000Z",
    }
    formulas: tuple[Json, ...] = (
        {"type": "number", "number": number * 2},
        {"type": "string", "string": f"text {number}"},
        {"type": "boolean", "boolean": number % 2 == 0},
        {"type": "date", "date": {"start": "2026-01-01", "end": None, "time_zone": None}},
        {"type": "unsupported", "unsupported": {}},
        {"type": "string", "string": None},
    )
    rollups: tuple[Json, ...] = (
        {"type": "number", "number": 3.5, "function": "sum"},
        {
            "type": "date",
            "date": {"start": "2026-01-01", "end": "2026-02-01", "time_zone": None},
            "function": "date_range",
        },
        {
            "type": "array",
            "array": [{"type": "number", "number": 4}, {"type": "number", "number": None}],
            "function": "show_original",
        },
        {"type": "unsupported", "unsupported": {}, "function": "show_original"},
    )
    dates: tuple[Json, ...] = (
        {"start": "2026-03-01", "end": None, "time_zone": None},
        {"start": "2026-03-01T09:30:00.000+01:00", "end": "2026-03-01T10:30:00.000+01:00", "time_zone": None},
        {"start": "2026-03-01T09:30:00.000", "end": None, "time_zone": "Europe/Berlin"},
    )
    # Row 0 has more references than a row shows.
    many = MANY if number == 0 else 2
    numbers: tuple[Any, ...] = (number, number + 0.5, -number, 2**53 + number)
    return {
        "Text": [rich_text(f"part {part} ") for part in range(many)],
        "Number": numbers[number % 4],
        "Select": option("one" if number % 2 else "two"),
        "Tags": [option("red"), option("blue")],
        "Status": option(("Not started", "In progress", "Done")[number % 3]),
        "When": dates[number % 3],
        "People": [OWNER, GROUP, *(_guest(each) for each in range(2, many))],
        "Files": [
            {"name": "a.pdf", "type": "external", "external": {"url": "https://example.com/a.pdf"}},
            {"name": "b.png", "type": "file", "file": notion_hosted},
        ],
        "Tick": number % 2 == 0,
        "Link": "https://example.com/?q=ä",
        "Mail": "row@example.com",
        "Phone": "+49 30 000000",
        "Formula": formulas[number % 6],
        "Related": [{"id": each} for each in rows[:many]],
        "Rollup": rollups[number % 4],
        "Verified": {"state": "verified", "verified_by": OWNER, "date": _day(date(2026, 1, 1))},
        "Place": {"lat": 52.5, "lon": 13.4, "name": "Park", "address": None},
    }


_SCHEMAS = {
    "Daily Disciplines": schema(
        "Daily Disciplines",
        {
            "Name": ("title", {}),
            "Date": ("date", {}),
            **{name: ("checkbox", {}) for name in _DAILY_TICKS},
            "Water": ("number", _NUMBER),
            "Steps": ("number", _NUMBER),
            "Notes": ("rich_text", {}),
            "Mood": ("select", options(*_MOODS)),
        },
        _CREATED,
    ),
    "Weekly Disciplines": schema(
        "Weekly Disciplines",
        {
            "Name": ("title", {}),
            "Week of": ("date", {}),
            **{name: ("checkbox", {}) for name in _PERIOD_HABITS["Weekly Disciplines"][0]},
            "Runs": ("number", _NUMBER),
        },
        _CREATED,
    ),
    "Monthly Disciplines": schema(
        "Monthly Disciplines",
        {
            "Name": ("title", {}),
            "Month": ("date", {}),
            **{name: ("checkbox", {}) for name in _PERIOD_HABITS["Monthly Disciplines"][0]},
            "Books": ("number", _NUMBER),
        },
        _CREATED,
    ),
    "Habit Targets": schema(
        "Habit Targets",
        {
            "Habit": ("title", {}),
            "Period": ("select", options("daily", "weekly", "monthly")),
            "Target": ("number", _NUMBER),
            "Active from": ("date", {}),
            "Active until": ("date", {}),
        },
        _CREATED,
    ),
    "Everything": _everything_schema(),
}
