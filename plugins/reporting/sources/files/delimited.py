"""Reads CSV and TSV (RFC 4180, and what programs make of it): a header among the first lines, then a record a line or more."""

import csv
from collections.abc import Iterator
from itertools import islice

from reporting.sources.files.content import LONGEST_LINE, Content, UnreadableError
from reporting.sources.files.declare import FileTable
from reporting.sources.files.parts import Header, Part, header_of, lacking

QUOTE = '"'
SEPARATORS = (",", ";", "\t", "|")
SHOWN = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# Banks write some lines of their own before the header.
HEADER_WITHIN = 20
# What the module csv takes in one field.
LONGEST_FIELD = 131_072
# Lines that one field in quotation marks may go over, and how often one that does not end is passed by.
MOST_LINES = 1000
MOST_UNCLOSED = 100
TOO_LONG = f"is longer than {LONGEST_LINE} characters"
UNCLOSED = "has a quotation mark that is not closed"

Line = tuple[int, str | None]


class DelimitedParser:
    """One CSV or TSV file; a `Parser`."""

    def __init__(self, table: FileTable, content: Content, separator: str | None) -> None:
        self._content = content
        self._text = content.text(table.encoding)
        first = list(islice(content.lines(self._text.encoding), HEADER_WITHIN))
        separators = (separator,) if separator else SEPARATORS
        self._header_line, self._separator, self._header = _found_header(table, first, separators)
        self._is_unclosed = False

    @property
    def digest(self) -> str:
        """The SHA-256 of the content."""
        return self._text.digest

    @property
    def is_ended(self) -> bool:
        """Whether the last line has an end, and no quotation mark is open; known when all parts were read once."""
        return self._text.is_ended and not self._is_unclosed

    @property
    def found(self) -> str:
        """Encoding and separator."""
        return f"{self._text}, {SHOWN.get(self._separator, self._separator)}"

    def parts(self) -> Iterator[Part]:
        """A record for each line that is not empty."""
        lines = _Lines(self._content.lines(self._text.encoding))
        for number, line in lines:
            if number <= self._header_line:
                continue
            if line is None:
                yield Part(number, None, TOO_LONG)
            elif (part := self._part(lines, number, line)) is not None:
                yield part

    def _part(self, lines: "_Lines", number: int, line: str) -> Part | None:
        if "\0" in line:
            return Part(number, None, "holds a NUL character")
        if QUOTE not in line and len(line) <= LONGEST_FIELD:
            return self._header.part(number, line.rstrip("\r\n").split(self._separator))
        whole = lines.until_closed(line)
        if whole is None:
            self._is_unclosed = self._is_unclosed or lines.is_at_end
            return Part(number, None, UNCLOSED)
        try:
            [values] = csv.reader(whole, delimiter=self._separator, strict=True)
        except csv.Error as error:
            is_long = "field limit" in str(error)
            return Part(number, None, TOO_LONG if is_long else "has text beside a field in quotation marks")
        except ValueError:
            return Part(number, None, "has an end of a line within it that is none")
        return self._header.part(number, values)


class _Lines:
    """Lines of which some can be read again."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._again: list[Line] = []
        self._unclosed_count = 0
        self.is_at_end = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> Line:
        return self._again.pop() if self._again else next(self._lines)

    def until_closed(self, line: str) -> list[str] | None:
        """The line and those after it up to where each quotation mark has its second; None where that is not found.

        What was looked at in vain is read again. Raises `UnreadableError` where that happens too often.
        """
        whole, looked_at = [line], list[Line]()
        count, length = line.count(QUOTE), len(line)
        while count % 2:
            following = next(self, None)
            if following is not None:
                looked_at.append(following)
            text = following[1] if following else None
            length += len(text or "")
            if text is None or "\0" in text or length > LONGEST_LINE or len(whole) >= MOST_LINES:
                self.is_at_end = following is None
                self._again += reversed(looked_at)
                self._unclosed_count += 1
                if self._unclosed_count > MOST_UNCLOSED:
                    raise UnreadableError(
                        f"has more than {MOST_UNCLOSED} quotation marks that are not closed"
                    )
                return None
            whole.append(text)
            count += text.count(QUOTE)
        return whole


def _found_header(
    table: FileTable, lines: list[Line], separators: tuple[str, ...]
) -> tuple[int, str, Header]:
    nearest: list[str] = []
    for number, line in lines:
        if line is None or "\0" in line:
            continue
        found: list[tuple[int, str, Header]] = []
        for separator in separators:
            cells = _cells(line, separator)
            if set(table.needed) & set(cells):
                nearest = max(nearest, cells, key=len)
            if header := header_of(table, cells):
                found.append((len(header.names), separator, header))
        if found:
            _, separator, header = max(found, key=lambda each: each[0])
            return number, separator, header
    if nearest:
        raise UnreadableError(f"lacks the column '{lacking(table, nearest)}'")
    raise UnreadableError("has no line with the names of the columns")


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=separator), [])
    except csv.Error:
        return []
