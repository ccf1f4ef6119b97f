"""Keeps data sources and pages in one SQLite file, so that a restart, and a crash, serve the same rows."""

import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.clock import CLOCK
from sandbox.fake_api import transaction
from sandbox.notion import values
from sandbox.notion.values import Json

SCHEMA = """
CREATE TABLE IF NOT EXISTS parameters (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS data_sources (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pages (
    id TEXT PRIMARY KEY, data_source_id TEXT NOT NULL, created TEXT NOT NULL, edited TEXT NOT NULL,
    in_trash INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS pages_by_creation ON pages (data_source_id, created, id);
"""
BOT = {
    "object": "user",
    "id": str(uuid.uuid5(uuid.NAMESPACE_URL, "sandbox/bot")),
    "name": "Sample integration",
    "avatar_url": None,
    "type": "bot",
    "bot": {},
}


class Store:
    """The data below `folder`.

    A page is kept whole, its values by property id, so that a rename changes the schema alone:
    `{"id", "created_by", "edited_by", "icon", "number", "values": {property id: [type, value]}}`.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database = sqlite3.connect(
            folder / "notion.sqlite", isolation_level=None, check_same_thread=False
        )
        self.database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        self.version = 0

    def renew(self) -> None:
        """Take in that the file is another one."""
        self.version += 1

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def parameters(self) -> dict[str, str]:
        """What the folder was filled with; empty while it is new."""
        return dict(self.database.execute("SELECT name, value FROM parameters"))

    def fill(self, parameters: dict[str, str], data_sources: Iterable[Json], pages: Iterable[Json]) -> None:
        """Write everything at once or nothing."""
        with self._transaction():
            self.database.executemany("INSERT INTO parameters VALUES (?, ?)", parameters.items())
            self.database.executemany(
                "INSERT INTO data_sources VALUES (?, ?)",
                ((each["id"], json.dumps(each)) for each in data_sources),
            )
            self.database.executemany("INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?)", map(_row, pages))

    def data_sources(self) -> list[Json]:
        """Every data source."""
        return [
            json.loads(body)
            for (body,) in self.database.execute("SELECT body FROM data_sources ORDER BY rowid")
        ]

    def data_source(self, key: str) -> Json | None:
        """A data source by its id, or None."""
        return next((each for each in self.data_sources() if _is_id(key, each["id"])), None)

    def of_database(self, key: str) -> list[Json]:
        """The data sources that a database holds."""
        return [each for each in self.data_sources() if _is_id(key, each["parent"]["database_id"])]

    def save_data_source(self, body: Json) -> None:
        """Replace a data source's schema."""
        with self._transaction():
            self.database.execute(
                "UPDATE data_sources SET body = ? WHERE id = ?", (json.dumps(body), body["id"])
            )

    def page(self, key: str) -> Json | None:
        """A page, in the trash or not; None when there is none."""
        sql = "SELECT data_source_id, created, edited, in_trash, body FROM pages WHERE id = ?"
        row = self.database.execute(sql, (_canonical(key),)).fetchone()
        return _page(*row) if row else None

    def pages(self, data_source_id: str, with_trash: bool = False) -> Iterator[Json]:
        """The pages of a data source in order of creation."""
        sql = (
            "SELECT data_source_id, created, edited, in_trash, body FROM pages "
            f"WHERE data_source_id = ? {'' if with_trash else 'AND NOT in_trash'} ORDER BY created, id"
        )
        for row in self.database.execute(sql, (data_source_id,)):
            yield _page(*row)

    def times(self, data_source_id: str) -> Iterator[Json]:
        """The pages of a data source without their contents, in order of creation."""
        sql = "SELECT id, created, edited FROM pages WHERE data_source_id = ? AND NOT in_trash ORDER BY created, id"
        for key, created, edited in self.database.execute(sql, (data_source_id,)):
            yield {"id": key, "created": created, "edited": edited}

    def pages_by_id(self, keys: list[str]) -> list[Json]:
        """The pages with these ids, in this order."""
        marks = ", ".join("?" * len(keys))
        sql = f"SELECT data_source_id, created, edited, in_trash, body FROM pages WHERE id IN ({marks})"
        found = {page["id"]: page for page in (_page(*row) for row in self.database.execute(sql, keys))}
        return [found[key] for key in keys]

    def counts(self) -> dict[str, int]:
        """Pages outside the trash by data source."""
        sql = "SELECT data_source_id, COUNT(*) FROM pages WHERE NOT in_trash GROUP BY 1"
        return dict(self.database.execute(sql))

    def create(self, data_source: Json, contents: Json) -> Json:
        """A new page with the given values by property id."""
        count = self.database.execute("SELECT COUNT(*) FROM pages").fetchone()[0]
        now = values.iso_minute(CLOCK.now())
        page = {
            "id": str(uuid.uuid4()),
            "data_source_id": data_source["id"],
            "created": now,
            "edited": now,
            "in_trash": False,
            "created_by": BOT,
            "edited_by": BOT,
            "icon": None,
            "number": count + 1,
            "values": contents,
        }
        with self._transaction():
            self.database.execute("INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?)", _row(page))
        return page

    def save(self, page: Json) -> Json:
        """Replace a page, edited now."""
        page = {**page, "edited": values.iso_minute(CLOCK.now()), "edited_by": BOT}
        with self._transaction():
            self.database.execute("DELETE FROM pages WHERE id = ?", (page["id"],))
            self.database.execute("INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?)", _row(page))
        return page

    def purge(self, key: str) -> bool:
        """Delete a page for good; False when there was none."""
        with self._transaction():
            return self.database.execute("DELETE FROM pages WHERE id = ?", (_canonical(key),)).rowcount > 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.version += 1
        with transaction(self.database):
            yield


_COLUMNS = ("data_source_id", "created", "edited", "in_trash")


def _row(page: Json) -> tuple[Any, ...]:
    body = {key: value for key, value in page.items() if key not in _COLUMNS}
    key, *rest = page["id"], *(page[name] for name in _COLUMNS)
    return (key, *rest, json.dumps(body, separators=(",", ":")))


def _page(data_source_id: str, created: str, edited: str, in_trash: int, body: str) -> Json:
    columns = zip(_COLUMNS, (data_source_id, created, edited, bool(in_trash)), strict=True)
    return {**json.loads(body), **dict(columns)}


def _canonical(key: str) -> str:
    """An id with or without dashes is the same id."""
    try:
        return str(uuid.UUID(key))
    except ValueError:
        return key


def _is_id(given: str, known: str) -> bool:
    return _canonical(given) == _canonical(known)
