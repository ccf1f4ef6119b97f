"""What a source says of itself when something in it changes: the shape of its events, and how requests that bring them are told
from forged ones.

An event is a doorbell. It says that something changed, and an incremental or full refresh reads what. A source that sends events
has a module `events` in its package with these functions:

- `is_signed(request, secret, now)`: whether the source itself has made the request, and lately;
- `events_in(body, now)`: the events of a body whose signature is right. Raises `EventError`;
- `containers_in(description)`, if its events name the container of a record and not its kind: the ids of the containers that the
  rows of an entity are in, from what its reader has described;
- `handshake_in(body)`, if the source itself makes the secret: the secret in a request with which it begins.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

# What is longer is no name, and is not kept.
LONGEST_NAME = 100


class EventError(ValueError):
    """A body is not what the source sends. The message says what was expected, and quotes nothing of it."""


class StaleError(EventError):
    """An event is older than any that the source still sends, so somebody sends a recorded one again."""


@dataclass(frozen=True, slots=True)
class Request:
    """One POST. `address` is the public address that the owner has given to the source, with the query as it came; `headers` has
    all values of each header by its name in lower case."""

    address: str
    headers: Mapping[str, Sequence[str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header; None if there is none, or more than one: which of them counts would be a guess."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `key` is the same whenever the source sends it again.

    `entities` are the names of the source's entities that it concerns. Where the source says only in which container the record
    is, `containers` has the ids by which it may be found. `needs_full` says that an incremental refresh would not see it.
    """

    key: str
    type: str
    object_id: str | None
    occurred_at: datetime | None
    entities: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    needs_full: bool = False


def mac(secret: str, message: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104)."""
    return hmac.digest(secret.encode(), message, "sha256")


def is_same(given: str | None, right: str) -> bool:
    """Whether a signature is the right one, compared in constant time; one with characters beyond ASCII is none."""
    return given is not None and hmac.compare_digest(given.encode(), right.encode())


def digest(*parts: object) -> str:
    """A key of a fixed length for what tells an event from others."""
    return sha256(json.dumps(parts).encode()).hexdigest()


def parsed(body: bytes) -> Any:
    """The JSON of a body. Raises `EventError`."""
    try:
        return json.loads(body)
    # Lists within lists go deeper than the parser does.
    except (ValueError, RecursionError):
        pass
    raise EventError("the body is not JSON")


def name_of(value: Any) -> str | None:
    """A text or a whole number as it is kept; None for everything else, and for a text that is no name: one that is too long, or
    has characters which not every database takes."""
    if isinstance(value, int) and not isinstance(value, bool):
        # Python writes no number of more digits as text.
        value = str(value) if abs(value) < 10**LONGEST_NAME else None
    is_name = isinstance(value, str) and value.isascii() and value.isprintable()
    return value if is_name and 0 < len(value) <= LONGEST_NAME else None
