"""What the catalogue says is kept in memory, until a statement may have changed it.

local-bigquery 0.4.0 asks some thirty times a statement what tables there are, what their columns are, and what it has noted about
them: half of what a build of dbt costs it. The server is the only one that writes its files, so each statement that is no read
is watched, and what it may have changed is forgotten as soon as it has ended. Drop it when upstream keeps what it has read.

Columns are kept longer than the rest. A statement that changes rows leaves them, and one that replaces a table or a view
by one with the same columns leaves those of all others, also those of the views over it.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import duckdb
from local_bigquery.catalog import metadata, row_access, tabledata, tables
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError

from sandbox.bigquery.patches.catalog_lookup import SERVER

Name = tuple[str, str, str]

FIRST_WORD = re.compile(r"\s*(\w+)")
READS = frozenset({"SELECT", "WITH", "FROM", "EXPLAIN", "DESCRIBE", "SHOW", "SET", "LOAD", "USE"})
# They change rows, and no column.
CHANGES_OF_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "COPY"})
# What the server notes for itself, such as the description of a table.
NOTED = re.compile(r'\s*(?:INSERT OR REPLACE INTO|DELETE FROM|CREATE OR REPLACE TABLE) "?emulator"?\."?(\w+)')
# What `empty_tables` adds: no rows where no rows were known.
COUNTED = re.compile(r'\s*INSERT INTO "?__ducklake_metadata_')
PART = r'(?:"((?:[^"]|"")+)"|(\w+))'
MADE = re.compile(
    rf"\s*CREATE (?:OR REPLACE )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?{PART}\.{PART}\.{PART}(?=\s|\()"
)
# Entries; past that all are forgotten, since a table of results is asked about once.
MOST = 4096


class Memory:
    """Answers by question, which are only kept if nothing has been forgotten since the question was asked."""

    def __init__(self) -> None:
        self._kept: dict[Any, Any] = {}
        self._age = 0
        self._lock = threading.Lock()

    def answer(self, question: Any, ask: Callable[[], Any]) -> Any:
        with self._lock:
            age = self._age
            if question in self._kept:
                return self._kept[question]
        answer = ask()
        with self._lock:
            if self._age == age:
                if len(self._kept) >= MOST:
                    self._kept.clear()
                self._kept[question] = answer
        return answer

    def forget(self, is_concerned: Callable[[Any], bool] = lambda question: True) -> None:
        """Forget the answers to these questions, and keep none of what is being asked just now."""
        with self._lock:
            self._age += 1
            for question in [each for each in self._kept if is_concerned(each)]:
                del self._kept[question]


class Catalogue:
    """What is known of the server's notes by their kind, of DuckLake's catalogue, and of columns.

    A question is a tuple of what is asked and of the project, dataset and table that it is asked about.
    """

    def __init__(self) -> None:
        self.lake, self.columns = Memory(), Memory()
        self.notes: defaultdict[str, Memory] = defaultdict(Memory)
        self.read_columns = tables.columns

    def before(self, text: str, params: Any) -> Callable[[], None] | None:
        """What to do when the statement `text` has ended, whether it has failed or not; None if it changes nothing here."""
        word = found[1].upper() if (found := FIRST_WORD.match(text)) else ""
        if word in READS or COUNTED.match(text):
            return None
        if noted := NOTED.match(text):
            keys = tuple(params or ())
            # A list is asked for by the first keys of what it lists, and so is all of it deleted.
            return lambda: self.notes[noted[1]].forget(lambda question: _agree(question[1:], keys))
        if word in CHANGES_OF_ROWS:
            return self.lake.forget
        if made := MADE.match(text):
            name = _name(made)
            earlier = self._columns_of(name)
            return lambda: self._after_making(name, earlier)
        return self._forget_all

    def known_columns(self, project_id: str, dataset_id: str, table_id: str) -> list[Any]:
        name = (project_id, dataset_id, table_id)
        return list(self.columns.answer(("columns", *name), lambda: tuple(self.read_columns(*name))))

    def _columns_of(self, name: Name) -> list[Any] | None:
        try:
            return self.known_columns(*name)
        except (BigQueryError, duckdb.Error):
            return None

    def _after_making(self, name: Name, earlier: list[Any] | None) -> None:
        for memory in (self.lake, self.columns):
            memory.forget(lambda question: _agree(_folded(question[1:4]), _folded(name)))
        # Nothing stands over a table that has not been there.
        if earlier is not None and self._columns_of(name) != earlier:
            self.columns.forget()

    def _forget_all(self) -> None:
        for memory in (self.lake, self.columns, *self.notes.values()):
            memory.forget()


class Watched:
    """A cursor whose statements are watched."""

    def __init__(self, cursor: Any, catalogue: Catalogue) -> None:
        self._cursor, self._catalogue = cursor, catalogue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, text: str, *arguments: Any, **options: Any) -> Any:
        return self._watch(self._cursor.execute, text, *arguments, **options)

    def sql(self, text: str, *arguments: Any, **options: Any) -> Any:
        return self._watch(self._cursor.sql, text, *arguments, **options)

    def _watch(self, run: Callable[..., Any], text: str, *arguments: Any, **options: Any) -> Any:
        after = self._catalogue.before(text, arguments[0] if arguments else options.get("params"))
        try:
            return run(text, *arguments, **options)
        finally:
            if after is not None:
                after()


class Connection:
    """The server's connection, whose cursors are watched."""

    def __init__(self, connection: Any, catalogue: Catalogue) -> None:
        self._connection, self._catalogue = connection, catalogue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self) -> Watched:
        return Watched(self._connection.cursor(), self._catalogue)


def apply() -> None:
    """Watch all statements, and answer from memory."""
    catalogue = Catalogue()
    connect, fetch, fetch_notes = database.connection, database.fetch, metadata.fetch
    find_objects = database.objects

    def of_lake(sql: str, params: list[Any] | None = None) -> list[Any]:
        if not params:
            return fetch(sql, params)  # type: ignore[no-any-return]
        return list(catalogue.lake.answer((sql, *params), lambda: fetch(sql, params)))

    def objects(project_id: str, dataset_id: str, table_id: str | None = None) -> list[Any]:
        if project_id == SERVER:
            return find_objects(project_id, dataset_id, table_id)  # type: ignore[no-any-return]
        asked = (project_id, dataset_id, table_id)
        return list(catalogue.lake.answer(("objects", *asked), lambda: find_objects(*asked)))

    def of_notes(sql: str, params: list[Any] | None = None) -> list[Any]:
        kind = sql.partition("emulator.")[2].split()[0]
        return list(catalogue.notes[kind].answer((sql, *(params or ())), lambda: fetch_notes(sql, params)))

    database.connection = lambda: Connection(connect(), catalogue)
    database.fetch, database.objects = of_lake, objects
    metadata.fetch = row_access.fetch = of_notes
    tables.columns = tabledata.columns = catalogue.known_columns


def _name(made: re.Match[str]) -> Name:
    quoted, bare = made.groups()[::2], made.groups()[1::2]
    project, dataset, table = (
        each.replace('""', '"') if each else other for each, other in zip(quoted, bare, strict=True)
    )
    return project, dataset, table


def _folded(name: Name) -> tuple[str | None, ...]:
    return tuple(part and part.casefold() for part in name)


def _agree(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two names are the same as far as both go."""
    return all(left is None or left == right for left, right in zip(one, other, strict=False))
