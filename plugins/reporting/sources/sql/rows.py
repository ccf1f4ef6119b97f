"""The columns of the raw table of a database's table, and the conversion of rows: everything is text, which staging casts."""

from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Record
from reporting.sources.columns import text
from reporting.sources.shapes import text_of
from reporting.sources.sql.entities import SqlTable
from reporting.sources.sql.reader import content_hash


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns of `entity` without the loader's."""
    named = cast(SqlTable, entity).columns.items()
    return [text("id", "The key.", True), *(text(name, each.description) for name, each in named)]


def row(entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The values of these columns for a row of the database."""
    values, named = record.payload["row"], cast(SqlTable, entity).columns
    return {"id": record.id, **{name: text_of(values.get(name), each.kind) for name, each in named.items()}}


def stamps(entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
    """Values for the loader's columns: the content hash of a row."""
    return {"_source_updated_at": None, "_content_hash": content_hash(record)}
