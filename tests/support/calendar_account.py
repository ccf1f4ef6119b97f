"""A running fake API for Google Calendar as tests use it: changes made to the account, and readers of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from reporting.entity import Entity
from reporting.sources.base import Reader
from reporting.sources.google_calendar.api import Account as Source
from reporting.sources.google_calendar.entities import GOOGLE_CALENDAR
from reporting.sources.google_calendar.event_reader import EventsReader, horizon_of
from reporting.sources.google_calendar.reader import CalendarsReader
from reporting.sources.google_calendar.records import key_of, parts_of
from reporting.sources.http import Policy
from sandbox.google.calendar_sample import FAMILY, FRIENDS, OWN, TEAM
from sandbox.serving import fake_api
from tests.sandbox.google.account import Account
from tests.support.google_account import UNPACED, USER

ENTITIES = {entity.name: entity for entity in GOOGLE_CALENDAR}
TODAY = date(2026, 3, 15)
# A few recurring events and the holidays.
SMALL = ("--contacts", "3", "--today", TODAY.isoformat(), "--calendar-days", "0")
__all__ = [
    "ENTITIES",
    "FAMILY",
    "FRIENDS",
    "OWN",
    "TEAM",
    "TODAY",
    "CalendarAccount",
    "calendar_account",
    "timed",
]


def timed(start: str, hours: float = 1.0) -> dict[str, Any]:
    """The times of an event that begins then, in UTC."""
    at = datetime.fromisoformat(f"{start}+00:00")
    end = datetime.fromtimestamp(at.timestamp() + hours * 3600, at.tzinfo)
    return {
        "start": {"dateTime": at.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": end.isoformat(), "timeZone": "UTC"},
    }


class CalendarAccount(Account):
    """An account at an address, with its readers. An event is named by its key."""

    today = TODAY

    def create(self, calendar: str = OWN, **fields: Any) -> str:
        made = self.control("POST", f"calendars/{quote(calendar, safe='')}/events", fields)
        return key_of(calendar, made["id"])

    def change(self, key: str, /, **fields: Any) -> None:
        self.control("PATCH", self._path(key), fields)

    def delete(self, key: str) -> None:
        self.control("DELETE", self._path(key))

    def create_calendar(self, calendar: str, **fields: Any) -> None:
        self.control("POST", "calendars", {"id": calendar, "summary": "Another", **fields})

    def change_calendar(self, calendar: str, **fields: Any) -> None:
        self.control("PATCH", f"calendars/{quote(calendar, safe='')}", fields)

    def delete_calendar(self, calendar: str) -> None:
        self.control("DELETE", f"calendars/{quote(calendar, safe='')}")

    def expire(self) -> None:
        self.control("POST", "sync_tokens/expire")

    def fault(self, **fault: Any) -> None:
        self.control("POST", "faults", [fault])

    def requests(self) -> dict[str, int]:
        found: dict[str, int] = self.control("GET", "requests")
        return found

    def truth(self, kind: str = "events") -> dict[str, Any]:
        """Every calendar, or every event that begins before the horizon, by its key."""
        found = self.control("GET", f"calendar?timeMax={horizon_of(self.today)}T00:00:00Z")
        if kind == "calendars":
            return dict(found["calendars"])
        return {
            key_of(calendar, event_id): event
            for calendar, events in found["events"].items()
            for event_id, event in events.items()
        }

    def reader(
        self, kind: str = "events", page_size: int | None = None, policy: Policy = UNPACED
    ) -> Reader | Any:
        account = Source(USER, self.address, policy)
        if kind == "calendars":
            return CalendarsReader(account)
        return EventsReader(account, self.entity(kind), self.today, page_size)

    @staticmethod
    def entity(kind: str) -> Entity:
        return ENTITIES[kind]

    def _path(self, key: str) -> str:
        return "calendars/{}/events/{}".format(*(quote(each, safe="") for each in parts_of(key)))


@contextmanager
def calendar_account(folder: Path, *arguments: str) -> Iterator[CalendarAccount]:
    """Serve a small account from `folder` while the block lasts."""
    with fake_api("google", folder, None, *SMALL, *arguments) as served:
        running = CalendarAccount(served)
        try:
            yield running
        finally:
            running.http.close()


def content(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without what belongs to an answer."""
    return {name: value for name, value in event.items() if name != "etag"}


def check_living(rows: Mapping[str, Any], account: CalendarAccount, kind: str) -> None:
    """Every calendar or event that exists is among the table's rows, as it is."""
    for key, each in account.truth(kind).items():
        assert rows[key]["_deleted_at"] is None, key
        payload = rows[key]["_payload"]
        assert content(payload if kind == "calendars" else payload["event"]) == content(each), key
        if kind == "events":
            assert (rows[key]["calendar_id"], rows[key]["event_id"]) == parts_of(key)
            assert rows[key]["summary"] == each.get("summary")


def check_all(rows: Mapping[str, Any], account: CalendarAccount, kind: str) -> None:
    """And no other is, within the horizon."""
    check_living(rows, account, kind)
    living = {key for key, row in rows.items() if row["_deleted_at"] is None}
    horizon = horizon_of(account.today)
    beyond = {
        key
        for key in living
        if kind == "events" and (rows[key]["start_date"] or rows[key]["start_at"].date()) >= horizon
    }
    assert living - beyond == set(account.truth(kind))
    for row in rows.values():
        assert row["_deleted_reason"] in (None, "trashed", "missing")
