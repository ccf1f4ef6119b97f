"""Reads what was pushed since the cursor from the inbox. Nobody is asked for it, and nothing in it is ever gone."""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Page, Record
from reporting.sources.stream.declare import StreamTable
from reporting.sources.stream.inbox import Inbox
from reporting.sources.stream.rows import content_hash

logger = logging.getLogger(__name__)

# A request counts from the moment at which it is accepted, and is seen once it is written, which takes a minute at most. The web
# server may be on another machine, whose clock differs by five minutes at most.
OVERLAP = timedelta(minutes=15)
# How long requests that were loaded are kept: a warehouse that was restored to a day in this time misses nothing.
KEPT = timedelta(days=7)


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None) -> "StreamReader":
    """A reader of `entity`. Nothing is asked over the network, so `token` and `base_url` are not used."""
    if not isinstance(entity, StreamTable):
        raise TypeError(f"expected a stream, got {type(entity).__name__}")
    return StreamReader(entity, Inbox(settings, entity.name))


class StreamReader:
    """Reads one stream."""

    request_count = 0
    server_started_at = None

    def __init__(self, table: StreamTable, inbox: Inbox) -> None:
        self._table = table
        self._inbox = inbox

    def describe(self) -> dict[str, Any]:
        """The declared columns."""
        return {"columns": {name: each.kind for name, each in self._table.columns.items()}}

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield what was accepted since then, a page per request, and remove what was loaded more than a week before."""
        for at, folder in self._inbox.requests():
            if since is not None and at < since - OVERLAP:
                if at < since - KEPT:
                    self._inbox.remove(folder)
                continue
            records = tuple(Record(each) for each in self._inbox.payloads(folder))
            if records:
                yield Page(at, records)

    def would_meet(self, record_id: str) -> bool:
        """Whether a record that is not met is gone: never."""
        return False

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Nothing is known of what was not pushed."""
        return iter(())

    def content_hash(self, record: Record) -> str:
        """The SHA-256 of a record."""
        return content_hash(self._table, record)

    def close(self) -> None:
        """There is nothing to close."""
