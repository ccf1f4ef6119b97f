"""A folder of files that a test changes, and a table in memory that follows it as the loader would."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reporting.settings import read_settings
from reporting.sources.base import Page
from reporting.sources.files import FileTable, Property
from reporting.sources.files import rows as rows_module
from reporting.sources.files.folder import Folder
from reporting.sources.files.reader import FilesReader

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = {
    "at": Property("datetime", "When."),
    "level": Property("number", "Percent."),
    "note": Property("text", "A note."),
}


def table(pattern: str = "battery/*", **declared: Any) -> FileTable:
    """A declared table with three columns, unless others are given."""
    given = {"name": "battery_log", "description": "The battery.", "columns": COLUMNS} | declared
    return FileTable(pattern=pattern, **given)


class Drop:
    """A folder with files, whose times are set, so that each change is later than the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._clock = 0

    def put(self, name: str, content: str | bytes, is_recent: bool = False) -> Path:
        """Write a file; long ago, unless it is recent."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self._clock += 1
        at = datetime.now(UTC) - timedelta(minutes=5) if is_recent else LONG_AGO
        seconds = (at + timedelta(milliseconds=self._clock)).timestamp()
        os.utime(path, (seconds, seconds))
        return path

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.folder / name).unlink()

    def reader(self, declared: FileTable, token: str | None = None) -> FilesReader:
        """A reader of the folder, which has listed it."""
        reader = FilesReader(Folder(str(self.folder)), declared, declared.pattern)
        reader.resume_at(token)
        reader.describe()
        return reader


def records(pages: Iterable[Page]) -> list[dict[str, Any]]:
    """The payloads of all records."""
    return [dict(each.payload) for page in pages for each in page.records]


@dataclass
class Table:
    """Rows by key as the loader would have them, with its full and incremental refreshes; `token` is the sync log's."""

    declared: FileTable
    drop: Drop
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    token: str | None = None
    has_run: bool = False
    read_count: int = 0

    def sync(self, is_full: bool = False) -> FilesReader:
        """Read, load, and keep the token; return the reader."""
        reader = self.drop.reader(self.declared, self.token)
        pages = list(reader.read(datetime.now(UTC) if self.has_run and not is_full else None))
        seen = self._take(pages)
        if reader.is_full_refresh:
            gone = [each for each in self.rows if each not in seen and reader.would_meet(each)]
            self._take(reader.ask_about(gone))
        self.token, self.has_run = reader.sync_token, True
        return reader

    def living(self, where: Callable[[dict[str, Any]], bool] = lambda row: True) -> dict[str, dict[str, Any]]:
        """The rows by key, without those that are none."""
        return {key: row for key, row in self.rows.items() if where(row)}

    def _take(self, pages: Iterable[Page]) -> set[str]:
        seen = set()
        settings = read_settings({})
        for page in pages:
            self.read_count += len(page.records)
            for record in page.records:
                assert record.id is not None
                assert record.id not in seen, "a key is yielded once"
                seen.add(record.id)
                self.rows[record.id] = rows_module.row(self.declared, record, {}, settings)
            for tombstone in page.tombstones:
                seen.add(tombstone.id)
                self.rows.pop(tombstone.id, None)
        return seen
