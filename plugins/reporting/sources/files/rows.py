"""What the raw table of declared files holds, and how a record becomes a row of it: text, which staging casts."""

from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Record, digest_of
from reporting.sources.columns import text
from reporting.sources.files.declare import PLACE, REJECT_REASON, FileTable, column_of
from reporting.sources.files.parts import value_of
from reporting.sources.files.values import text_in

# Raised when the warehouse makes another row of the same record, so that rows of an older version are made again.
ROW_VERSION = 1


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns of `entity` without the loader's."""
    staged = cast(FileTable, entity).staged.items()
    return [
        text("id", "The key: that of the record, or its file and its number there.", True),
        *(text(name, each.description) for name, each in staged),
        text(REJECT_REASON, "Why this line, or file, cannot be read; null for a record."),
    ]


def row(entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The values of these columns for a record, or for a line that could not be read."""
    table, payload = cast(FileTable, entity), record.payload
    held = payload.get("record") or {}
    ways = payload.get("ways") or {}
    line = payload.get("line")
    return {
        "id": record.id,
        **dict(zip(PLACE, (payload.get("file"), None if line is None else str(line)), strict=True)),
        **{
            column_of(name): text_in(
                value_of(held, name), each.kind, ways.get("decimal"), ways.get("order"), ways.get("locale")
            )
            for name, each in table.columns.items()
        },
        REJECT_REASON: payload.get("rejected"),
    }


def stamps(entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
    """Values for the loader's columns: the content hash. A file says of no record when it was changed."""
    return {"_source_updated_at": None, "_content_hash": content_hash(entity, record)}


def content_hash(entity: Entity, record: Record) -> str:
    """The SHA-256 of a record and of the columns that are made of it: a column more makes every row anew."""
    declared = [[name, each.kind] for name, each in cast(FileTable, entity).columns.items()]
    return digest_of([declared, record.payload], ROW_VERSION)
