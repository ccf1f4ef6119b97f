"""What the raw table of a stream holds, and how a record becomes a row of it: text, which staging casts."""

from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Record, digest_of
from reporting.sources.columns import text
from reporting.sources.rest.fields import column_of
from reporting.sources.shapes import mapping, text_of
from reporting.sources.stream.declare import StreamTable

# Raised when the warehouse makes another row of the same record.
ROW_VERSION = 1


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns of `entity` without the loader's."""
    staged = cast(StreamTable, entity).staged.items()
    return [text("id", "The key.", True), *(text(name, each.description) for name, each in staged)]


def row(entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The values of these columns for a record."""
    found = mapping(record.payload.get("record"))
    return {
        "id": record.id,
        "received_at": record.payload.get("received_at"),
        **{
            column_of(name): text_of(found.get(name), each.kind)
            for name, each in cast(StreamTable, entity).columns.items()
        },
    }


def stamps(entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
    """Values for the loader's columns: the content hash, and when the record was accepted."""
    return {
        "_source_updated_at": record.payload.get("received_at"),
        "_content_hash": content_hash(entity, record),
    }


def content_hash(entity: Entity, record: Record) -> str:
    """The SHA-256 of a record, without the time at which it was accepted, and of the columns that are made of it."""
    declared = [[name, each.kind] for name, each in cast(StreamTable, entity).columns.items()]
    return digest_of([declared, record.payload.get("record")], ROW_VERSION)
