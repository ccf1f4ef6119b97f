"""Opens one file, and looks through all of it before anything is yielded: whether it is whole, and how it is written."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any
from urllib.parse import quote

from reporting.sources.base import Record
from reporting.sources.files.books import BookParser, ParquetParser
from reporting.sources.files.cards import CardParser
from reporting.sources.files.content import Content, UnreadableError
from reporting.sources.files.declare import GZIP, FileTable
from reporting.sources.files.delimited import DelimitedParser
from reporting.sources.files.documents import JsonParser, LinesParser
from reporting.sources.files.folder import File, Folder
from reporting.sources.files.parts import Parser, value_of
from reporting.sources.files.values import Ways
from reporting.sources.shapes import has_lone_surrogate

# How long a file that may be half-written is waited for. Many programs write no end of the last line, and are done.
SETTLED = timedelta(minutes=15)
# With more lines that cannot be read it is another kind of file.
MOST_REJECTS = 10_000
LONGEST_KEY = 1024
GZIP_BEGINS = b"\x1f\x8b"
COMPRESSED = ("xlsx", "parquet")


class WaitingError(Exception):
    """A file is not whole yet. The message goes on from its name: `is cut off`."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A file that is whole. `count` is the number of its records, with those that cannot be read."""

    parser: Parser
    ways: Ways
    count: int
    reject_count: int

    @property
    def digest(self) -> str:
        """The SHA-256 of its content."""
        return self.parser.digest

    def told(self) -> str:
        """What the log says of it."""
        rejected = f", {self.reject_count} of which cannot be read" if self.reject_count else ""
        counted = f"{self.count} record{'' if self.count == 1 else 's'}{rejected}"
        return "; ".join(filter(None, (counted, self.parser.found, self.ways.told())))


@contextmanager
def opened(folder: Folder, file: File) -> Iterator[IO[bytes]]:
    """The file, open. Raises `UnreadableError` for one that is not to be opened, `WaitingError` for one that went, and the errors
    of `Folder.open`."""
    if file.problem:
        raise UnreadableError(file.problem)
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(folder.open(file))
        except FileNotFoundError:
            raise WaitingError("is not there any more") from None
        yield raw


def look_through(table: FileTable, file: File, raw: IO[bytes], now: datetime, folder: Folder) -> Looked:
    """Read the whole file once. Raises `WaitingError`, `UnreadableError`, and `SourceError` where a package is missing.

    What is wrong with a file that was changed in the last minutes may be mended by whoever writes it, so it waits.
    """
    is_settled = file.modified_at is None or now - file.modified_at > SETTLED
    try:
        parser = _parser(table, file, raw)
        ways = Ways(table.columns)
        count = reject_count = 0
        for part in parser.parts():
            count += 1
            if part.record is None:
                reject_count += 1
                if reject_count > MOST_REJECTS:
                    raise UnreadableError(f"has more than {MOST_REJECTS} lines that cannot be read")
            elif table.locale is None:
                ways.look(part.record)
    except UnreadableError as error:
        if not folder.is_same(file, raw):
            raise WaitingError("is still being written") from None
        if not is_settled:
            raise WaitingError(str(error)) from None
        raise
    if not folder.is_same(file, raw):
        raise WaitingError("is still being written")
    if not parser.is_ended and not is_settled:
        raise WaitingError("has no end of its last line or record yet")
    return Looked(parser, ways, count, reject_count)


def records_of(table: FileTable, file: File, looked: Looked, keys: set[str]) -> Iterator[Record]:
    """The records of the file in order, numbered from 1 without gaps; `keys` takes those that a key was made of."""
    said = {"locale": table.locale, "decimal": looked.ways.decimal, "order": looked.ways.order}
    ways = {name: each for name, each in said.items() if each}
    for number, part in enumerate(looked.parser.parts(), 1):
        place = {"file": file.name, "line": part.line}
        record_id, reason = f"{file.name}:{number}", part.reason
        if part.record is not None and table.keys:
            key = _key(table, part.record)
            if key is None:
                reason = f"has no value in {' and '.join(table.keys)} that can be a key"
            elif key in keys:
                reason = "has the same key as an earlier record of the file"
            else:
                keys.add(key)
                record_id = key
        if reason:
            yield Record({"id": record_id, **place, "rejected": reason})
        else:
            yield Record({"id": record_id, **place, "record": part.record, "ways": ways})


def _parser(table: FileTable, file: File, raw: IO[bytes]) -> Parser:
    raw.seek(0)
    is_gzipped = raw.read(len(GZIP_BEGINS)) == GZIP_BEGINS or file.name.endswith(GZIP)
    content = Content(raw, is_gzipped, file.size)
    kind = table.format_of(file.name)
    if is_gzipped and kind in COMPRESSED:
        raise UnreadableError("is gzipped, which such a file is not: it is compressed by itself")
    match kind:
        case "csv":
            return DelimitedParser(table, content, table.separator)
        case "tsv":
            return DelimitedParser(table, content, table.separator or "\t")
        case "json":
            return JsonParser(table, content)
        case "ndjson":
            return LinesParser(table, content)
        case "parquet":
            return ParquetParser(table, content)
        case "xlsx":
            return BookParser(table, content)
        case "vcf" | "ics":
            return CardParser(table, content)
    raise UnreadableError("has a name that does not say its format; declare `format` for its table")


def _key(table: FileTable, record: Any) -> str | None:
    """The key of a record; None where its first part is empty, or one is no text and no number."""
    parts = []
    for name in table.keys:
        value = value_of(record, name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            return None
        text = "" if value is None else str(value).strip()
        if has_lone_surrogate(text) or len(text) > LONGEST_KEY:
            return None
        parts.append(quote(text, safe=" "))
    return "/".join(parts) if parts[0] else None
