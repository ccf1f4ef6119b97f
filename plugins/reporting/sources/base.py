"""The interface between sources and the rest of the project: what readers yield and raise, and what a source consists of."""

import hashlib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Protocol, cast, runtime_checkable

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.fast_json import dumps

DeletedReason = Literal["trashed", "archived", "purged", "merged", "missing"]
# The most seconds by which this machine's clock and a source's clock may differ.
CLOCK_TOLERANCE = 300.0
# The names that sources use for the key of a record.
KEYS = ("id", "resourceName")


class SourceError(Exception):
    """A source did not answer as expected. The message says what to do, and contains no secret."""


class SourceUnavailableError(SourceError):
    """The source kept failing after every retry. Running the task again later is safe."""


class ClockError(SourceUnavailableError):
    """This machine's clock and the source's differ too much. Rows read with a wrong clock would hide later changes."""


class AccessDeniedError(SourceError):
    """The source refused the token, or the token may not read what was requested."""


class NotFoundError(SourceError):
    """Something that the configuration names was not found in the source, or was found `found_count` times."""

    def __init__(self, message: str, found_count: int = 0) -> None:
        super().__init__(message)
        self.found_count = found_count


class IncompleteReadError(SourceError):
    """The source cannot be read completely. The records so far must not be loaded as if they were everything."""


class NotReadError(Exception):
    """There is nothing to read, on purpose: the entity is switched off, or it is optional and does not exist."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the API returned it.

    `values` has the complete values, by property id, of properties that the answer contained only in part.
    """

    payload: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str | None:
        """The record's key; None when the source gave none, and then it cannot be loaded."""
        for name in KEYS:
            if name in self.payload:
                key = self.payload[name]
                return None if key is None or key == "" else str(key)
        return None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A record that the source no longer has.

    `is_told` says that the source answered about this record itself, at the time of the page's request. Otherwise it was
    concluded from a list in which the record is missing, and holds for the start of the read.
    """

    id: str
    reason: DeletedReason
    merged_into_id: str | None = None
    is_told: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one answer. `requested_at` (UTC) is the time just before the request was sent.

    `position` is where a `ResumableReader` can continue after this page; None if it cannot continue here. `is_capped` says
    that this is a truncated query: the source limits what one query returns, so another query had to continue.
    """

    requested_at: datetime
    records: tuple[Record, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    position: Mapping[str, Any] | None = None
    is_capped: bool = False


class DescribedProperty(NamedTuple):
    """A property as its source describes it."""

    name: str
    type: str


def named_property(name: str, described: Any) -> tuple[str, DescribedProperty]:
    """The id and the description of a property whose name never changes, so that the name is its id."""
    return name, DescribedProperty(name, str(described))


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of `script/doctor`. `text` says what works, or what is wrong and what to do.

    `level` is `note` for what is merely not used, and `warning` for what is not wrong but may be regretted.
    """

    subject: str
    is_well: bool
    text: str
    level: Literal["", "note", "warning"] = ""


class Dialogue(Protocol):
    """How `script/connect` talks to the owner."""

    def say(self, text: str) -> None:
        """Show one or more lines."""

    def ask(self, question: str, default: str) -> str:
        """Ask a question, and return the answer, or `default` if the answer is empty."""


class Rows(Protocol):
    """The functions in the module `rows` of a source."""

    def columns(self, entity: Entity) -> list[Any]:
        """The columns of the raw table of `entity` for SQLAlchemy, without those that the loader adds."""

    def row(
        self, entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings
    ) -> dict[str, Any]:
        """The values of these columns for a record. `schema` is the source's own description of the entity."""

    def stamps(self, entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
        """Values for the loader's columns: the content hash, and if the source knows them, when the record was changed or
        deleted."""


def check_clock(host: str, answered_at: datetime, now: datetime, tolerance: float = CLOCK_TOLERANCE) -> None:
    """Raise `ClockError` if the clock of `host` and this machine's `now` differ by more than `tolerance` seconds."""
    ahead = (now - answered_at).total_seconds()
    if abs(ahead) > tolerance:
        raise ClockError(
            f"this machine's clock is {_span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} that of {host}. Rows that "
            "are read with a wrong clock would hide later changes, so nothing was read. Set the clock (with a time server: "
            "timedatectl set-ntp true), and run the task again."
        )


def _span(seconds: float) -> str:
    """A duration in a suitable unit: `7 minutes`, `3 hours`, `365 days`."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}s"
    return f"{seconds:.0f} seconds"


def digest_of(content: Any, row_version: int) -> str:
    """The SHA-256 of a record's content and of the version of the function that converts it to a row.

    The version is included because a better conversion does not change the payload: with a new version, the next full refresh
    loads every row again.
    """
    text = dumps([row_version, content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def account_of(token: str, base_url: str) -> str:
    """A digest that differs between accounts. The token cannot be computed from it."""
    return hashlib.sha256(f"{base_url} {token}".encode()).hexdigest()[:12]


class Reader(Protocol):
    """Reads one entity of one source. It is used for a single read. Every method raises the errors above."""

    @property
    def request_count(self) -> int:
        """The number of requests sent so far, retries included."""

    @property
    def server_started_at(self) -> datetime | None:
        """The time of the source's own clock in its first answer; None before."""

    def describe(self) -> dict[str, Any]:
        """The source's own description of the entity, which is kept in the manifest. Called before `read`."""

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield all records, or with `since` those that changed at or after it (minus the source's overlap)."""

    def would_meet(self, record_id: str) -> bool:
        """Whether a full refresh would have returned this record if it existed."""

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Look for records that a full refresh did not return: yield a tombstone, or the record if it exists after all."""

    def content_hash(self, record: Record) -> str:
        """The SHA-256 of the parts of the record that count as content."""

    def close(self) -> None:
        """Close the connections."""


@runtime_checkable
class ResumableReader(Reader, Protocol):
    """A reader that can continue a full refresh that another reader began on the same day.

    It must return every record that an uninterrupted read would have returned. So the order must not depend on edits, and
    positions must remain valid.
    """

    @property
    def account(self) -> str:
        """A text that differs between accounts, and contains no secret."""

    def resume(self, position: Mapping[str, Any]) -> Iterator[Page]:
        """Yield what `read(None)` would have yielded after the page with this position. Some records may be repeated."""

    def expected_count(self) -> int | None:
        """The approximate number of records; None if the source cannot tell it in one request."""


@runtime_checkable
class LookupReader(Reader, Protocol):
    """A reader whose source can be asked for single records by id."""

    def look_up(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield the present state of each: the record, or a tombstone."""


@runtime_checkable
class BinReader(Reader, Protocol):
    """A reader whose source also lists the records in its recycling bin."""

    def ask_bin(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield the state of records that were in the bin before. Their reason is `purged` if they no longer exist at all."""


@runtime_checkable
class RejectingReader(Reader, Protocol):
    """A reader that also yields records of what it could not read, with the reason and no content."""

    @property
    def rejected_count(self) -> int:
        """How many of the records so far are such."""


def missing(ids: Iterable[str]) -> Iterator[Page]:
    """Tombstones for records that a list of everything does not have; no page where there are none."""
    if gone := tuple(Tombstone(each, "missing") for each in ids):
        yield Page(datetime.now(UTC), tombstones=gone)


def purged(pages: Iterable[Page]) -> Iterator[Page]:
    """Change tombstones of records that were in a recycling bin: if one is missing now, it was deleted from the bin."""
    for page in pages:
        told = (
            replace(each, reason="purged") if each.reason == "missing" else each for each in page.tombstones
        )
        yield replace(page, tombstones=tuple(told))


@runtime_checkable
class WindowReader(Reader, Protocol):
    """A reader whose source can also limit changes by an end time."""

    def read_window(self, since: datetime, until: datetime | None) -> Iterator[Page]:
        """Yield all records whose last change is between `since` (minus the overlap) and `until`, both included.

        A record that was changed again after `until` is not included.
        """


@runtime_checkable
class SyncReader(Reader, Protocol):
    """A reader of a source with sync tokens: each read ends with a token, from which a later read gets the changes since."""

    @property
    def sync_token(self) -> str | None:
        """The token for the next read; known when this read is complete."""

    @property
    def is_full_refresh(self) -> bool:
        """Whether all records are read, even if only changes were requested; known with the first page."""

    def resume_at(self, sync_token: str | None) -> None:
        """Set the token from which an incremental refresh begins. With None or an expired token it becomes a full refresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source: its entities, its code, and texts about it for the owner.

    `name` is the first part of the names of its raw tables; `title` is what people call it.

    `package` contains these modules, which are imported only when they are needed, since parsing DAGs needs none of them:

    - `reader` with the function `open_reader`;
    - `rows` with the functions of `Rows`;
    - `checks` with `check(settings, token, host)`, which yields a `Finding` for each check of `script/doctor`. It may have
      `STEPS`, a text that `script/connect` shows first, and `connect(dialogue, settings, token, host)`, which asks the owner
      and returns settings. That of a source with a login of its own has `connect`, and `login(variables)`, which returns the
      APIs of Google that the login is for.

    `needs` says what its Airflow connection must contain, and `advice` how to get that. `when_stale` says what to check if the
    source is not read any more.
    `is_login` says that the secret comes from a login with Google (an authorized user), and is not a token to paste.
    `has_secret` says that it is read with the secret of a connection; otherwise there is none, and others push its records.
    `property_of` returns the id and the description of a property in the result of a reader's `describe`; None if the API
    alone defines the properties and the owner cannot change them.
    """

    name: str
    title: str
    package: str
    entities: tuple[Entity, ...]
    needs: str
    advice: str
    when_stale: str
    is_login: bool = False
    has_secret: bool = True
    property_of: Callable[[str, Any], tuple[str, DescribedProperty]] | None = None

    @property
    def connection(self) -> str:
        """The name of the Airflow connection with which it is read."""
        return self.entities[0].connection if self.entities else self.name

    @property
    def rows(self) -> Rows:
        """Its module `rows`: the columns of its raw tables, and the conversion of records to rows."""
        return cast(Rows, self._module("rows"))

    @property
    def checks(self) -> Any:
        """Its module `checks`, for `script/doctor` and `script/connect`."""
        return self._module("checks")

    @property
    def events(self) -> Any:
        """Its module `events`, which `reporting.sources.events` describes; None if it sends none."""
        name = f"{self.package}.events"
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            return None

    def open_reader(self, settings: Settings, entity: Entity, token: str, base_url: str | None) -> Reader:
        """A reader of `entity`. `token` is the secret of the connection. `base_url` is only set for a fake API."""
        return cast(Reader, self._module("reader").open_reader(settings, entity, token, base_url))

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{self.package}.{name}")
