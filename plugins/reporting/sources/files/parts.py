"""What the parsers of all formats yield: a record or a rejected one, by its line or number, and what goes on in a header."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reporting.sources.files.content import UnreadableError
from reporting.sources.files.declare import FileTable
from reporting.sources.rest.fields import ABSENT, field

# Lists and objects within each other; BigQuery takes 500 in a JSON column, some of which the payload adds.
DEEPEST = 400
MOST_COLUMNS = 2000


@dataclass(frozen=True, slots=True)
class Part:
    """One record of a file, which begins at `line` (or is that number where there are no lines); or why it cannot be read."""

    line: int
    record: Mapping[str, Any] | None
    reason: str = ""


class Parser(Protocol):
    """One file that is ready to be read, any number of times."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the file's content."""

    @property
    def found(self) -> str:
        """What was found of its form, for the log."""

    @property
    def is_ended(self) -> bool:
        """Whether it ends as such a file does, so that nothing of the last record is still to come."""

    def parts(self) -> Iterator[Part]:
        """Its records in order. Raises `UnreadableError`."""


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns by place."""

    names: Sequence[str]

    def part(self, line: int, values: Sequence[Any]) -> Part | None:
        """The record of a line; None for one without any value."""
        while len(values) > len(self.names) and _is_empty(values[-1]):
            values = values[:-1]
        if all(map(_is_empty, values)):
            return None
        if len(values) != len(self.names):
            return Part(line, None, f"has {len(values)} fields, where the header has {len(self.names)}")
        return Part(line, {name: each for name, each in zip(self.names, values, strict=True) if name})


def header_of(table: FileTable, cells: Sequence[Any]) -> Header | None:
    """The header, if these cells have the name of every column that a file must have.

    Names are compared without case and spaces, and a column that is declared keeps its declared name. Raises
    `UnreadableError` where a declared column is there twice.
    """
    wanted = {_key(name): name for name in (*table.columns, *table.keys)}
    names: list[str] = []
    for cell in cells[:MOST_COLUMNS]:
        text = "" if cell is None else str(cell).strip()
        name = wanted.get(_key(text), text)
        if name and name in names:
            if _key(text) in wanted:
                return None if set(table.needed) - set(names) else _twice(name)
            name = f"{name} ({len(names) + 1})"
        names.append(name)
    while names and not names[-1]:
        names.pop()
    return (
        Header(names)
        if names and set(table.needed) <= set(names) and set(wanted.values()) & set(names)
        else None
    )


def lacking(table: FileTable, cells: Sequence[Any]) -> str:
    """The first declared name that is not among these cells."""
    names = {_key(str(cell)) for cell in cells if cell is not None}
    return next((name for name in table.needed if _key(name) not in names), "")


def value_of(record: Mapping[str, Any], name: str) -> Any:
    """The value of a declared column: by its name, or by its path in JSON. None where there is none."""
    if name in record:
        return record[name]
    found = field(record, name)
    return None if found is ABSENT else found


def is_deep(value: Any) -> bool:
    """Whether lists and objects are within each other more than `DEEPEST` times."""
    level, depth = [value], 0
    while level := [
        inner
        for each in level
        if isinstance(each, Mapping | list)
        for inner in (each.values() if isinstance(each, Mapping) else each)
    ]:
        depth += 1
        if depth > DEEPEST:
            return True
    return False


def _twice(name: str) -> Header:
    raise UnreadableError(f"has the column '{name}' twice")


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _key(name: str) -> str:
    return re.sub(r"\s+", "", name).casefold()
