"""Reads tables of any database that SQLAlchemy supports: https://docs.sqlalchemy.org/en/20/core/engines.html"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

import sqlalchemy as sa

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import (
    ClockError,
    NotFoundError,
    Page,
    Record,
    SourceError,
    SourceUnavailableError,
    check_clock,
    digest_of,
    missing,
)
from reporting.sources.sql import databases
from reporting.sources.sql.entities import SqlTable

# A transaction that was still open during a read makes its rows visible later, with earlier times.
OVERLAP = timedelta(minutes=10)
# Increase this when the conversion of a record to a row changes, so that existing rows are loaded again.
ROW_VERSION = 2


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None) -> "SqlReader":
    """A reader of `entity`. `token` is the address of the database, so `base_url` is not used."""
    if not isinstance(entity, SqlTable):
        raise TypeError(f"expected a table of a database, got {type(entity).__name__}")
    return SqlReader(token, entity, settings.names.get(entity.table) or entity.name)


class SqlReader:
    """Reads one table (a `Reader`). `url` is a secret, and no message shows it. Raises the errors of
    `reporting.sources.base`."""

    def __init__(self, url: str, entity: SqlTable, table: str) -> None:
        self._engine = databases.engine_of(url)
        self._entity, self._name, self.request_count = entity, table, 0
        self.server_started_at: datetime | None = None
        self._offset = timedelta()
        self._columns: list[sa.Column[Any]] = []

    def describe(self) -> dict[str, Any]:
        """The columns of the table and their types."""
        try:
            with self._engine.connect() as connection:
                self.server_started_at, self._offset = databases.clock(connection)
                if self.server_started_at:
                    check_clock("the database", self.server_started_at, datetime.now(UTC))
                table = sa.Table(self._name, sa.MetaData(), autoload_with=connection, resolve_fks=False)
        except ClockError:
            raise
        except sa.exc.NoSuchTableError:
            raise NotFoundError(
                f"the database has no table '{self._name}' for {self._entity.table}. Correct its name in the settings."
            ) from None
        except Exception as error:  # noqa: BLE001 (what a driver raises is foreign)
            raise self._unavailable(error) from None
        wanted = {self._entity.key, *self._entity.columns, *filter(None, [self._entity.modified])}
        if lacking := sorted(wanted - set(table.columns.keys())):
            raise SourceError(f"the table '{self._name}' of the database lacks {', '.join(lacking)}.")
        self._columns = [each for each in table.columns if each.name in wanted]
        return {"properties": {each.name: str(each.type) for each in self._columns}}

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield the rows of one query, ordered by key. Rows without a time of change are always read."""
        columns = {each.name: each for each in self._columns}
        key, modified = columns[self._entity.key], columns.get(self._entity.modified or "")
        self.request_count += 1
        requested_at = datetime.now(UTC)
        met: set[str] = set()
        try:
            with self._engine.connect() as connection:
                databases.prepare(connection)
                query = sa.select(*(databases.selected(connection, each) for each in self._columns)).order_by(
                    key
                )
                if since is not None and modified is not None:
                    start = since.astimezone(UTC) - OVERLAP
                    condition = databases.changed_since(connection, modified, start, self._offset)
                    query = query if condition is None else query.where(condition)
                rows = connection.execution_options(yield_per=1000).execute(query)
                for some in batched(rows, self._entity.page_size, strict=False):
                    records = tuple(self._record(connection, row) for row in some)
                    self._check_keys(records, met)
                    yield Page(requested_at, records)
        except SourceError:
            raise
        except Exception as error:  # noqa: BLE001 (what a driver raises is foreign, and often quotes a value)
            raise self._unavailable(error) from None

    def would_meet(self, record_id: str) -> bool:
        """Whether a full refresh would have returned this record."""
        return True

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield a tombstone for each: the table has every row that there is."""
        return missing(ids)

    def content_hash(self, record: Record) -> str:
        """The SHA-256 of the row."""
        return content_hash(record)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _record(self, connection: sa.Connection, row: Any) -> Record:
        values = {
            column.name: databases.value_of(connection, column, value)
            for column, value in zip(self._columns, row, strict=True)
        }
        return Record({"id": values[self._entity.key], "row": values})

    def _check_keys(self, records: Iterable[Record], met: set[str]) -> None:
        for key in filter(None, (each.id for each in records)):
            if key in met:
                name, column = self._name, self._entity.key
                raise SourceError(
                    f"the table '{name}' of the database has the same {column} in more than one row, so {column} cannot be "
                    f"the key; nothing was loaded. SELECT {column}, COUNT(*) FROM {name} GROUP BY {column} HAVING COUNT(*) > "
                    "1 shows which."
                )
            met.add(key)

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        # Without the text of the error, which may quote the address.
        return SourceUnavailableError(
            f"the database of {self._entity.table} cannot be read ({type(error).__name__})."
        )


def content_hash(record: Record) -> str:
    """The SHA-256 of a row."""
    return digest_of(record.payload, ROW_VERSION)
