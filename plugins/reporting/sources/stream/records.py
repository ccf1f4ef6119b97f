"""Checks pushed records against the columns of their stream. What is wrong is said by position and field, without any value."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

from reporting.sources.base import Record
from reporting.sources.fast_json import loads
from reporting.sources.stream.declare import StreamTable

MOST_RECORDS = 1000
LONGEST_KEY = 500
# Names of fields come from the client, who gets no long text of his own back.
LONGEST_NAME = 100

Problem = Literal["not_json", "not_an_object", "unknown_field", "missing_field", "wrong_type", "key_too_long"]


class TooManyError(ValueError):
    """A body has more records than one request may have."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a record is not accepted. `position` counts the records of the request from 1."""

    position: int
    error: Problem
    field: str | None = None
    expected: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is answered."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def parsed(
    table: StreamTable, body: bytes, request_id: str, received_at: datetime
) -> tuple[list[Record], list[Refused]]:
    """The records of a body, which are accepted, and why others are not. Raises `TooManyError`.

    A body is one JSON object or NDJSON, one object per line. A record without a declared key has one of `request_id` and its
    position, so that the same request makes the same rows.
    """
    accepted: list[Record] = []
    refused: list[Refused] = []
    for position, found in enumerate(_objects(body), 1):
        if position > MOST_RECORDS:
            raise TooManyError
        problem = _problem(table, found, position)
        if problem is not None:
            refused.append(problem)
            continue
        key = _key(table, found) if table.keys else f"{request_id}-{position}"
        if len(key) > LONGEST_KEY:
            refused.append(Refused(position, "key_too_long", "+".join(table.keys)))
            continue
        accepted.append(Record({"id": key, "record": found, "received_at": received_at.isoformat()}))
    return accepted, refused


_BROKEN = object()


def _objects(body: bytes) -> Iterator[Any]:
    whole = _loaded(body)
    if whole is not _BROKEN:
        yield whole
        return
    for line in body.split(b"\n"):
        if line.strip():
            yield _loaded(line)


def _loaded(text: bytes) -> Any:
    try:
        return loads(text)
    # Lists within lists go deeper than the parser does.
    except (ValueError, RecursionError):
        return _BROKEN


def _problem(table: StreamTable, found: Any, position: int) -> Refused | None:
    if found is _BROKEN:
        return Refused(position, "not_json")
    if not isinstance(found, dict):
        return Refused(position, "not_an_object")
    for name in found:
        if name not in table.columns:
            return Refused(position, "unknown_field", str(name)[:LONGEST_NAME])
    for name in table.needed:
        if found.get(name) in (None, ""):
            return Refused(position, "missing_field", name, table.columns[name].kind)
    for name, value in found.items():
        kind = table.columns[name].kind
        if value is not None and not _fits(value, kind):
            return Refused(position, "wrong_type", name, kind)
    return None


def _fits(value: Any, kind: str) -> bool:
    """Whether a value is of its column's type, or a text that is written as one: forms and phones send nothing but text."""
    if isinstance(value, str):
        # No database takes these.
        if "\0" in value or (not value.isprintable() and any("\ud800" <= each <= "\udfff" for each in value)):
            return False
        return kind == "text" or _is_written(value.strip(), kind)
    if isinstance(value, bool):
        return kind == "bool"
    if isinstance(value, int | float):
        return kind == "number" and math.isfinite(value)
    return False


def _is_written(text: str, kind: str) -> bool:
    try:
        match kind:
            case "number":
                return text.isascii() and "_" not in text and math.isfinite(float(text))
            case "bool":
                return text.lower() in ("true", "false")
            case "date":
                return len(text) == 10 and date.fromisoformat(text) is not None
            case _:
                return len(text) > 10 and datetime.fromisoformat(text) is not None
    except (ValueError, OverflowError):
        return False


def _key(table: StreamTable, found: dict[str, Any]) -> str:
    values = [found[name] for name in table.keys]
    texts = [each if isinstance(each, str) else json.dumps(each) for each in values]
    return texts[0] if len(texts) == 1 else json.dumps(texts, ensure_ascii=False)
