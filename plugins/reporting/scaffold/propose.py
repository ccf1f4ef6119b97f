"""What a recorded answer of an API suggests: where its records are, their key, typed columns, and how pages follow.

It looks at names and types. Nothing that it returns holds a value of the answer, but for the fields' names.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from reporting.scaffold.revisions import ScaffoldError
from reporting.sources.rest.declare import RESERVED
from reporting.sources.rest.fields import column_of, field
from reporting.sources.rest.paging import Answer, Paging, PagingError, SinglePage, found_in
from reporting.sources.shapes import as_time

KEYS = ("id", "uuid", "_id", "gid", "key", "sid", "code", "slug", "name")
CHANGED = (
    "updated_at",
    "updatedAt",
    "modified_at",
    "modifiedAt",
    "last_modified",
    "lastModified",
    "updated",
    "modified",
)
# How deep a list of records, or a field with a column, may lie.
DEPTH = 3
MOST_COLUMNS = 40
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,60}")
DECIMAL = re.compile(r"-?\d+\.\d+")
TIME_NAME = re.compile(r"(?:created|updated|modified|date|time|_at$|At$)")
UNIX = range(10**9, 3 * 10**9)

Kind = Literal["text", "number", "date", "datetime", "bool"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is declared of the answer. `columns` has the kind of each field, `left_out` the number of those without a column.

    `paging` is None where one answer has everything or nothing shows it; then `unclear` says why. `changed` is the field with the time of a change.
    """

    records: str
    key: str
    columns: Mapping[str, Kind]
    paging: Paging | None
    unclear: str
    changed: str | None
    left_out: int
    sample: tuple[Mapping[str, Any], ...]


def proposal(body: Any, link: str | None = None) -> Proposal:
    """What `body`, and the next address in the header `Link`, suggest. Raises `ScaffoldError`, which shows no value."""
    records = _where(body)
    found = [each for each in field(body, records) if isinstance(each, Mapping)]
    key = _key(found)
    paging, unclear = None, ""
    try:
        shown = found_in(Answer(body, list(found), [str(each[key]) for each in found], link))
        # A short list shows nothing of how a long one goes on, which is looked for at each read.
        paging = None if isinstance(shown, SinglePage) else shown
    except PagingError as error:
        unclear = str(error)
    kinds, left_out = _columns(found, key)
    if not kinds:
        raise ScaffoldError(
            "the records of the answer have no field beside their key that could be a column."
        )
    changed = next((name for name in CHANGED if kinds.get(name) == "datetime"), None)
    return Proposal(records, key, kinds, paging, unclear, changed, left_out, tuple(found))


def invented(records: tuple[Mapping[str, Any], ...], key: str, count: int) -> list[dict[str, Any]]:
    """`count` records of the same shape, in which every value is another one."""
    return [_invented_record(records[number % len(records)], key, number) for number in range(count)]


def _where(body: Any) -> str:
    if isinstance(body, list) and any(isinstance(each, Mapping) for each in body):
        return ""
    lists = sorted(_lists(body, "", DEPTH), key=lambda each: -each[1])
    if not lists:
        raise ScaffoldError(
            "the answer holds no list of records. Give the path of a list that has at least one record in it."
        )
    return lists[0][0]


def _lists(value: Any, path: str, depth: int) -> Iterator[tuple[str, int]]:
    for name, each in value.items() if isinstance(value, Mapping) else ():
        if not NAME.fullmatch(str(name)):
            continue
        below = f"{path}.{name}" if path else name
        if isinstance(each, list) and any(isinstance(one, Mapping) for one in each):
            yield below, len(each)
        elif depth > 1:
            yield from _lists(each, below, depth - 1)


def _key(records: list[Mapping[str, Any]]) -> str:
    names = [name for name in records[0] if NAME.fullmatch(str(name))]
    ranked = [
        *(name for name in KEYS if name in names),
        *(name for name in names if name.lower().endswith("id")),
        *names,
    ]
    for name in ranked:
        values = [each.get(name) for each in records]
        is_key = all(
            isinstance(each, str | int) and not isinstance(each, bool) and each != "" for each in values
        )
        if is_key and len(set(map(str, values))) == len(records):
            return name
    raise ScaffoldError(
        "no field tells the records of the answer apart. Declare the source by hand, with several fields as its `key`: "
        "docs/guides/adding-a-source.md."
    )


def _columns(records: list[Mapping[str, Any]], key: str) -> tuple[dict[str, Kind], int]:
    values: dict[str, list[Any]] = {}
    for record in records:
        for path, value in _fields(record, "", DEPTH):
            values.setdefault(path, []).append(value)
    kinds: dict[str, Kind] = {}
    met = set(RESERVED)
    left_out = 0
    for path, found in values.items():
        column = column_of(path)
        if path == key:
            continue
        if (
            column in met
            or not re.fullmatch(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*", column)
            or len(kinds) >= MOST_COLUMNS
        ):
            left_out += 1
            continue
        met.add(column)
        kinds[path] = _kind(path, [each for each in found if each is not None])
    return kinds, left_out


def _fields(value: Mapping[str, Any], path: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, each in value.items():
        if not NAME.fullmatch(str(name)):
            continue
        below = f"{path}.{name}" if path else name
        if isinstance(each, Mapping) and depth > 1:
            yield from _fields(each, below, depth - 1)
        else:
            yield below, each


def _kind(path: str, values: list[Any]) -> Kind:
    if not values:
        return "text"
    if all(isinstance(each, bool) for each in values):
        return "bool"
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
        is_time = TIME_NAME.search(path) and all(int(each) in UNIX for each in values)
        return "datetime" if is_time else "number"
    if not all(isinstance(each, str) for each in values):
        return "text"
    if all(_is_day(each) for each in values):
        return "date"
    if all(_is_time(each) for each in values):
        return "datetime"
    return "number" if all(DECIMAL.fullmatch(each) for each in values) else "text"


def _is_day(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    # Bare digits are a time to Python, and mostly a number to an API.
    return len(text) >= 16 and text[4:5] == "-" and as_time(text) is not None


def _invented_record(record: Mapping[str, Any], key: str, number: int) -> dict[str, Any]:
    made = {
        name: _invented(name, value, number) for name, value in record.items() if NAME.fullmatch(str(name))
    }
    made[key] = 1001 + number if isinstance(record[key], int) else f"key-{1001 + number}"
    return made


def _invented(name: str, value: Any, number: int) -> Any:
    if isinstance(value, bool):
        return number % 2 == 0
    if isinstance(value, int):
        is_time = TIME_NAME.search(name) and value in UNIX
        return 1_767_600_000 + 3600 * number if is_time else 10 + number
    if isinstance(value, float):
        return 10.5 + number
    if isinstance(value, Mapping):
        return {
            each: _invented(each, below, number) for each, below in value.items() if NAME.fullmatch(str(each))
        }
    if isinstance(value, list):
        return [_invented(name, each, number) for each in value[:2]]
    if not isinstance(value, str):
        return None
    if _is_day(value):
        return f"2026-01-{1 + number % 28:02d}"
    if _is_time(value):
        return f"2026-01-{1 + number % 28:02d}T08:00:00Z"
    return f"{10 + number}.25" if DECIMAL.fullmatch(value) else f"{name} {number + 1}"
