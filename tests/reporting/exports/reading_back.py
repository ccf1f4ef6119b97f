"""Exports as somebody else's program reads them, with the types of the mart."""

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import parquet

from reporting.cells import unguarded

Rows = list[dict[str, Any]]
WIDE = Context(prec=60)


def _value(kind: pa.DataType, found: Any) -> Any:
    """What text, or a number of SQLite, stands for."""
    if found is None:
        return None
    if pa.types.is_list(kind) or pa.types.is_struct(kind):
        return _nested(kind, json.loads(found))
    if pa.types.is_boolean(kind):
        assert found in ("true", "false", 0, 1)
        return found in ("true", 1)
    if pa.types.is_integer(kind):
        return int(found)
    if pa.types.is_floating(kind):
        return float(found)
    if pa.types.is_decimal(kind):
        return Decimal(str(found)).quantize(Decimal("1e-9"), context=WIDE)
    if pa.types.is_date(kind):
        return date.fromisoformat(found)
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(found)
    return found


def _nested(kind: pa.DataType, found: Any) -> Any:
    if found is None:
        return None
    if pa.types.is_list(kind):
        return [_nested(kind.value_type, each) for each in found]
    if pa.types.is_struct(kind):
        return {field.name: _nested(field.type, found[field.name]) for field in kind}
    return _value(kind, found)


def _csv(path: Path, mart: str, schema: pa.Schema) -> Rows:
    with (path / f"{mart}.csv").open(encoding="utf-8-sig", newline="") as file:
        names, *rows = list(csv.reader(file, quoting=csv.QUOTE_NOTNULL, strict=True))
    assert names == schema.names

    def cell(kind: pa.DataType, text: str | None) -> Any:
        return _value(kind, unguarded(text) if text is not None and pa.types.is_string(kind) else text)

    return [
        {field.name: cell(field.type, text) for field, text in zip(schema, row, strict=True)} for row in rows
    ]


def _parquet(path: Path, mart: str, schema: pa.Schema) -> Rows:
    table = parquet.read_table(path / f"{mart}.parquet")
    assert table.schema.types == schema.types
    rows: Rows = table.to_pylist()
    return rows


def _duckdb(path: Path, mart: str, schema: pa.Schema) -> Rows:
    with closing(duckdb.connect(str(path), read_only=True)) as database:
        table = database.sql(f'SELECT * FROM "{mart}"').to_arrow_table()
    # Only the name of UTC differs.
    rows: Rows = table.cast(pa.schema([field.with_nullable(True) for field in schema])).to_pylist()
    return rows


def _sqlite(path: Path, mart: str, schema: pa.Schema) -> Rows:
    with closing(sqlite3.connect(path)) as database:
        cursor = database.execute(f'SELECT * FROM "{mart}"')
        assert [each[0] for each in cursor.description] == schema.names
        return [
            {field.name: _value(field.type, found) for field, found in zip(schema, row, strict=True)}
            for row in cursor
        ]


READ_BACK: dict[str, Callable[[Path, str, pa.Schema], Rows]] = {
    "csv": _csv,
    "parquet": _parquet,
    "duckdb": _duckdb,
    "sqlite": _sqlite,
}
