"""Reads JSON (one list or object in a file) and NDJSON (an object a line)."""

from collections.abc import Iterator, Mapping
from typing import Any

from reporting.sources.fast_json import loads
from reporting.sources.files.content import LONGEST_LINE, Content, UnreadableError
from reporting.sources.files.declare import FileTable
from reporting.sources.files.parts import Part, is_deep
from reporting.sources.http import LONGEST_ANSWER
from reporting.sources.rest.fields import field

NO_OBJECT = "is no object"
TOO_DEEP = "has too many lists or objects within each other"
# What a parser raises of text that is no JSON; so many brackets within each other are too much for it.
NO_JSON = (ValueError, RecursionError)


class JsonParser:
    """One file with a list of objects, or with one object; a `Parser`. It is read as a whole, so it has a bound."""

    is_ended = True

    def __init__(self, table: FileTable, content: Content) -> None:
        self._table = table
        text = content.text(table.encoding)
        self.digest = text.digest
        self.found = str(text)
        try:
            body = loads(content.whole(LONGEST_ANSWER).decode(text.encoding))
        except NO_JSON:
            raise UnreadableError("is no valid JSON, or is cut off") from None
        records = field(body, table.records)
        if isinstance(records, Mapping) and not table.records:
            records = [records]
        if not isinstance(records, list):
            where = f"at '{table.records}'" if table.records else "in it"
            raise UnreadableError(f"has no list of objects {where}")
        self._records = records

    def parts(self) -> Iterator[Part]:
        """A record for each object of the list, by its number."""
        for number, record in enumerate(self._records, 1):
            yield _part(number, record)


class LinesParser:
    """One NDJSON file; a `Parser`."""

    def __init__(self, table: FileTable, content: Content) -> None:
        self._content = content
        self._text = content.text(table.encoding)
        self.digest = self._text.digest
        self.is_ended = self._text.is_ended
        self.found = str(self._text)

    def parts(self) -> Iterator[Part]:
        """A record for each line that is not blank."""
        for number, line in self._content.lines(self._text.encoding):
            if line is None:
                yield Part(number, None, f"is longer than {LONGEST_LINE} characters")
                continue
            if not line.strip():
                continue
            try:
                record = loads(line)
            except NO_JSON:
                yield Part(number, None, "is no valid JSON")
                continue
            yield _part(number, record)


def _part(number: int, record: Any) -> Part:
    if not isinstance(record, Mapping):
        return Part(number, None, NO_OBJECT)
    return Part(number, None, TOO_DEEP) if is_deep(record) else Part(number, record)
