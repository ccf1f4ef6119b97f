"""Opens the readers of Google Calendar, and reads the list of calendars."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Page, Reader, Record, missing
from reporting.sources.google_api import JsonObject
from reporting.sources.google_calendar.api import Account
from reporting.sources.google_calendar.event_reader import EventsReader
from reporting.sources.google_calendar.records import content_hash
from reporting.sources.shapes import record_of


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None) -> Reader:
    """A reader of `entity`. `token` is an authorized user as JSON. `base_url` is only set for a fake API."""
    return reader_of(Account(json.loads(token), base_url), entity)


def reader_of(account: Account, entity: Entity) -> Reader:
    """The reader of `entity`."""
    if entity.name == "calendars":
        return CalendarsReader(account)
    return EventsReader(account, entity, datetime.now(UTC).date())


class CalendarsReader:
    """Reads the list of calendars (a `Reader`). Every read is a full one."""

    def __init__(self, account: Account) -> None:
        self.account = account

    @property
    def request_count(self) -> int:
        """The number of requests sent so far, including retries and requests for access tokens."""
        return self.account.transport.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """The time of Google's clock in its first answer."""
        return self.account.transport.server_started_at

    def describe(self) -> JsonObject:
        """Nothing: the API alone defines the fields of a calendar."""
        return {}

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every calendar."""
        for answer in self.account.calendars():
            yield Page(answer.requested_at, tuple(map(record_of, answer.items)))

    def would_meet(self, record_id: str) -> bool:
        """Whether a full refresh would have returned this record."""
        return True

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield a tombstone for each: the list has every calendar that is not hidden."""
        return missing(ids)

    def content_hash(self, record: Record) -> str:
        """The SHA-256 of the calendar."""
        return content_hash(record)

    def close(self) -> None:
        """Close the connections."""
        self.account.close()
