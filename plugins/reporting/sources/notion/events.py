"""Notion's webhooks: https://developers.notion.com/reference/webhooks

An event has ids and no values. Notion collects changes for up to five minutes, keeps no order, and sends an event up to eight times
within about a day.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from reporting.sources.events import Event, EventError, Request, StaleError, is_same, mac, name_of, parsed
from reporting.sources.shapes import as_time, mapping

SIGNATURE = "x-notion-signature"
HANDSHAKE = "verification_token"
# The last delivery is made after about a day. What is noted is kept for longer than this, so that nothing is noted again.
LONGEST_AGE = timedelta(days=3)
# How far Notion's clock may be ahead.
LONGEST_LEAD = timedelta(minutes=5)
# Neither a value nor the time of the last edit of a row that is still there says what these have done.
NEED_FULL = frozenset({"page.deleted", "page.undeleted", "page.moved"})
# What no row shows.
WITHOUT_ROWS = ("comment.", "page.locked", "page.unlocked", "database.deleted", "data_source.deleted")


def is_signed(request: Request, secret: str, now: datetime) -> bool:
    """Whether the header has the HMAC of the body. It has no time: that is in the body, which `events_in` looks at."""
    return is_same(request.header(SIGNATURE), f"sha256={mac(secret, request.body).hex()}")


def handshake_in(body: bytes) -> str | None:
    """The token that Notion sends when a webhook is made, which is the key of its signatures; None in any other body."""
    try:
        found = mapping(parsed(body))
    except EventError:
        return None
    token = found.get(HANDSHAKE)
    return name_of(token) if set(found) == {HANDSHAKE} and isinstance(token, str) else None


def events_in(body: bytes, now: datetime) -> list[Event]:
    """The event of a request. Raises `EventError`, and `StaleError` if it is older than three days."""
    found = mapping(parsed(body))
    key, kind, at = name_of(found.get("id")), name_of(found.get("type")), as_time(found.get("timestamp"))
    if key is None or kind is None or at is None:
        raise EventError("an event of Notion has an id, a type and a timestamp")
    if not now - LONGEST_AGE <= at <= now + LONGEST_LEAD:
        raise StaleError("the event is older than what Notion still sends")
    about = mapping(found.get("entity"))
    return [
        Event(
            key=key,
            type=kind,
            object_id=name_of(about.get("id")),
            occurred_at=at,
            containers=() if kind.startswith(WITHOUT_ROWS) else _containers(about, found.get("data")),
            needs_full=kind in NEED_FULL,
        )
    ]


def containers_in(description: Mapping[str, Any]) -> set[str]:
    """The ids of the data source that rows are in, and of its database."""
    ids = (description.get("id"), mapping(description.get("parent")).get("database_id"))
    return {plain for each in ids if (plain := _plain(each))}


def _containers(about: Mapping[str, Any], data: Any) -> tuple[str, ...]:
    parent = mapping(mapping(data).get("parent"))
    ids = [parent.get(name) for name in ("id", "database_id", "data_source_id")]
    if about.get("type") in ("database", "data_source"):
        ids.append(about.get("id"))
    return tuple(dict.fromkeys(plain for each in ids if (plain := _plain(each))))


def _plain(value: Any) -> str | None:
    """An id is the same with and without its dashes."""
    name = name_of(value)
    return name.replace("-", "").lower() if name else None
