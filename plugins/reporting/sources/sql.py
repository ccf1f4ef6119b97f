"""Reads tables of a database that SQLAlchemy knows: https://docs.sqlalchemy.org/en/20/core/engines.html"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import batched
from typing import Any

import sqlalchemy as sa

from reporting.entity import SqlTable
from reporting.sources.base import NotFoundError, Page, Record, SourceError, SourceUnavailableError, Tombstone

# A row that was being written when the table was read shows up later, and the database has a clock of its own.
OVERLAP = timedelta(minutes=10)


class SqlReader:
    """Reads one table; a `Reader`. `url` is a secret and in no message. Raises the errors of `reporting.sources.base`."""

    server_started_at: datetime | None = None

    def __init__(self, url: str, entity: SqlTable, table: str) -> None:
        try:
            self._engine = sa.create_engine(url, hide_parameters=True)
        except (sa.exc.ArgumentError, ImportError) as error:
            raise SourceError(
                f"the connection 'sql' holds no address that SQLAlchemy takes ({type(error).__name__}), such as sqlite:///FILE."
            ) from None
        self._entity, self._name, self.request_count = entity, table, 0
        self._table: sa.Table

    def describe(self) -> dict[str, Any]:
        """The columns of the table and their types."""
        try:
            self._table = sa.Table(self._name, sa.MetaData(), autoload_with=self._engine)
        except sa.exc.NoSuchTableError:
            raise NotFoundError(
                f"the database has no table '{self._name}' for {self._entity.table}."
            ) from None
        except sa.exc.SQLAlchemyError as error:
            raise self._unavailable(error) from None
        wanted = {self._entity.key, *self._entity.columns, *filter(None, [self._entity.modified])}
        if lacking := sorted(wanted - set(self._table.columns.keys())):
            raise SourceError(f"the table '{self._name}' of the database lacks {', '.join(lacking)}.")
        return {"properties": {each.name: str(each.type) for each in self._table.columns}}

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield the rows of one query, by key; those without a time of their change each time."""
        query = sa.select(self._table).order_by(self._table.c[self._entity.key])
        if since is not None and self._entity.modified:
            modified = self._table.c[self._entity.modified]
            start = since.astimezone(UTC) - OVERLAP
            is_aware = getattr(modified.type, "timezone", False)
            query = query.where(
                (modified >= (start if is_aware else start.replace(tzinfo=None))) | modified.is_(None)
            )
        self.request_count += 1
        requested_at = datetime.now(UTC)
        try:
            with self._engine.connect() as connection:
                rows = connection.execution_options(yield_per=1000).execute(query).mappings()
                for some in batched(rows, self._entity.page_size, strict=False):
                    yield Page(requested_at, tuple(map(self._record, some)))
        except sa.exc.SQLAlchemyError as error:
            raise self._unavailable(error) from None

    def would_meet(self, record_id: str) -> bool:
        """Whether the sweep would have met this record."""
        return True

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield a tombstone for each: the table has every row that there is."""
        if gone := tuple(Tombstone(each, "missing") for each in ids):
            yield Page(datetime.now(UTC), tombstones=gone)

    def content_hash(self, record: Record) -> str:
        """SHA-256 over the row."""
        return content_hash(record)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _record(self, row: Any) -> Record:
        values = {str(name): _plain(value) for name, value in row.items()}
        return Record({"id": values[self._entity.key], "row": values})

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        # Not its text, which may quote the address.
        return SourceUnavailableError(
            f"the database of {self._entity.table} cannot be read ({type(error).__name__})."
        )


def content_hash(record: Record) -> str:
    """SHA-256 over a row."""
    return hashlib.sha256(json.dumps(record.payload, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A value as JSON has it; a time without an offset is UTC, and a decimal number its digits."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
