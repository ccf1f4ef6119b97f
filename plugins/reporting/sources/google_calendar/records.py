"""What a record of an event is: the event as Google returned it, its calendar, and a key of both."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from reporting.sources.base import Record, digest_of
from reporting.sources.shapes import as_time, mapping, record_of

# Increase this when the conversion of a record to a row changes, so that existing rows are loaded again.
ROW_VERSION = 1
# The key of an instance is that of its recurring event and the time for which the instance was planned first:
# https://developers.google.com/workspace/calendar/api/guides/recurringevents
INSTANCE = re.compile(r"(?P<series>.+)_\d{8}(?:T\d{6}Z)?")


def key_of(calendar_id: str, event_id: str) -> str:
    """The key of an event: another calendar may have an event with the same id, for example an invitation to it."""
    return f"{calendar_id}/{event_id}"


def parts_of(key: str) -> tuple[str, str]:
    """The calendar and the event's id in a key. Ids of events have no slash."""
    calendar_id, _, event_id = key.rpartition("/")
    return calendar_id, event_id


def series_of(event_id: str) -> str | None:
    """The id of the recurring event of an instance, by the form of the instance's id; None for other events."""
    found = INSTANCE.fullmatch(event_id)
    return found["series"] if found else None


def event_record(calendar_id: str, event: Any) -> Record:
    """The record of an event; without a key if `event` is not an object or has no id."""
    found = record_of(event)
    if found.id is None:
        return found
    return Record({"id": key_of(calendar_id, found.id), "calendarId": calendar_id, "event": found.payload})


def begins_on(event: Mapping[str, Any]) -> date | None:
    """The date on which an event begins, in UTC if it has a time; None if that cannot be read."""
    start = mapping(event.get("start"))
    if at := as_time(start.get("dateTime")):
        return at.date()
    try:
        return date.fromisoformat(start["date"])
    except (KeyError, TypeError, ValueError):
        return None


def content_hash(record: Record) -> str:
    """The SHA-256 of a record, the same for every endpoint that returns it. Entity tags are left out, as they belong to an
    answer."""
    event = record.payload.get("event")
    content = {name: value for name, value in record.payload.items() if name != "etag"}
    if isinstance(event, Mapping):
        content["event"] = {name: value for name, value in event.items() if name != "etag"}
    return digest_of(content, ROW_VERSION)
