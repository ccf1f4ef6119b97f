"""What every reader yields and raises."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

DeletedReason = Literal["trashed", "archived", "merged", "missing"]
# What the sources call a record's key.
KEYS = ("id", "resourceName")


class SourceError(Exception):
    """A source did not give what was expected; the message says what to do and holds no secret."""


class SourceUnavailableError(SourceError):
    """The source kept failing after every retry. Running the task again later is safe."""


class AccessDeniedError(SourceError):
    """The source refused the token, or the token may not see what was asked for."""


class NotFoundError(SourceError):
    """What the configuration names was not found in the source, or was found `found_count` times."""

    def __init__(self, message: str, found_count: int = 0) -> None:
        super().__init__(message)
        self.found_count = found_count


class IncompleteReadError(SourceError):
    """The source cannot be read to its end; what was read must not be loaded as if it were whole."""


class NotReadError(Exception):
    """There is nothing to read, on purpose: the entity is switched off, or optional and not there."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the API gave it.

    `values` holds, by property id, the whole value of each property that the answer had cut short.
    """

    payload: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str | None:
        """The record's key; None when the source gave none, and then it cannot be loaded."""
        key = next((self.payload[name] for name in KEYS if name in self.payload), None)
        return None if key is None or key == "" else str(key)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A record that the source no longer has."""

    id: str
    reason: DeletedReason
    merged_into_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one answer; `requested_at` (UTC) is taken before the request is sent.

    `position` is where a `ResumableReader` goes on when everything up to this page is kept; None where it cannot.
    `is_capped` says that the source's cap on what one query returns ended the answer, so that another had to go on.
    """

    requested_at: datetime
    records: tuple[Record, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    position: Mapping[str, Any] | None = None
    is_capped: bool = False


def account_of(token: str, base_url: str) -> str:
    """Tells the accounts behind two tokens apart; nobody can make a token of it."""
    return hashlib.sha256(f"{base_url} {token}".encode()).hexdigest()[:12]


class Reader(Protocol):
    """Reads one entity of one source, once. Every method raises the errors above."""

    @property
    def request_count(self) -> int:
        """Requests sent so far, retries included."""

    @property
    def server_started_at(self) -> datetime | None:
        """The source's own clock at its first answer; None before."""

    def describe(self) -> dict[str, Any]:
        """The source's description of the entity, which the manifest keeps. Called first."""

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield everything, or with `since` what changed at or after it (less the source's overlap), to the end."""

    def would_meet(self, record_id: str) -> bool:
        """Whether the sweep would have met this record if it were there."""

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield what became of records that a sweep did not meet: tombstones, or records that are there."""

    def content_hash(self, record: Record) -> str:
        """SHA-256 over what counts as the record's content."""

    def close(self) -> None:
        """Close the connections."""


@runtime_checkable
class ResumableReader(Reader, Protocol):
    """A reader whose read of everything can go on where another one of the same day stopped.

    It must meet whatever a read without a stop would have met: an order that no edit changes, and positions that stay
    good.
    """

    @property
    def account(self) -> str:
        """Tells the account that is read from others, and shows no secret."""

    def resume(self, position: Mapping[str, Any]) -> Iterator[Page]:
        """Yield what `read(None)` would have after the page with this position; some of it may come again."""

    def expected_count(self) -> int | None:
        """About how many records there are, if the source says so in one request."""


@runtime_checkable
class LookupReader(Reader, Protocol):
    """A reader whose source can be asked for records one by one, whether a sweep met them or not."""

    def look_up(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield each of them as it is now: the record, or a tombstone."""


@runtime_checkable
class WindowReader(Reader, Protocol):
    """A reader whose source can be asked for what changed until a time, too."""

    def read_window(self, since: datetime, until: datetime | None) -> Iterator[Page]:
        """Yield what was last changed from `since` (less the overlap) to `until`, both included, to the end.

        What was changed again after `until` is not in it.
        """


@runtime_checkable
class SyncReader(Reader, Protocol):
    """A reader of a source that remembers what it gave: a token stands for a read, and leads to what changed since."""

    @property
    def sync_token(self) -> str | None:
        """Where the next read may begin; known when this one has come to its end."""

    @property
    def is_sweep(self) -> bool:
        """Whether everything is read, whatever was asked for; known with the first page."""

    def resume_at(self, sync_token: str | None) -> None:
        """Have a read of what changed begin where another ended; without a token, or an old one, it is a sweep."""
