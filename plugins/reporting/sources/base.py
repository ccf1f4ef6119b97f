"""What every reader yields and raises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

DeletedReason = Literal["trashed", "archived", "merged", "missing"]


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


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the API gave it.

    `values` holds, by property id, the whole value of each property that the answer had cut short.
    """

    payload: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A record that the source no longer has."""

    id: str
    reason: DeletedReason
    merged_into_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one answer; `requested_at` (UTC) is taken before the request is sent."""

    requested_at: datetime
    records: tuple[Record, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
