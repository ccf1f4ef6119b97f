"""What the raw table of a database's table holds, and how a row becomes a row of it: text, which staging casts."""

import json
from typing import Any, cast

import sqlalchemy as sa

from reporting.entity import Entity, SqlTable
from reporting.landing import Manifest
from reporting.settings import Settings
from reporting.sources.base import Record
from reporting.sources.sql import content_hash
from reporting.warehouse.columns import text


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns of `entity` before the loader's."""
    named = cast(SqlTable, entity).columns.items()
    return [text("id", "The key.", True), *(text(name, each.description) for name, each in named)]


def row(entity: Entity, record: Record, manifest: Manifest, settings: Settings) -> dict[str, Any]:
    """The columns of `entity` from a row of the database, without the loader's."""
    values = record.payload["row"]
    return {"id": record.id, **{name: _text(values.get(name)) for name in cast(SqlTable, entity).columns}}


def stamps(record: Record, settings: Settings) -> dict[str, Any]:
    """What the loader keeps of a row's content."""
    return {"_source_updated_at": None, "_content_hash": content_hash(record)}


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
