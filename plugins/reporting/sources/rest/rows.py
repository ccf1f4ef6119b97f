"""What the raw table of a declared resource holds, and how a record becomes a row of it: text, which staging casts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Record, digest_of
from reporting.sources.columns import text
from reporting.sources.rest.declare import PARENT, RestEntity
from reporting.sources.rest.fields import ABSENT, column_of, field
from reporting.sources.shapes import as_time, text_of

# Raised when the warehouse makes another row of the same record, so that rows of an older version are made again.
ROW_VERSION = 1
# Numbers from here on are milliseconds: as seconds they would be in the year 5138.
MILLISECONDS = 10**11


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns of `entity` before the loader's."""
    named = cast(RestEntity, entity).columns.items()
    return [text("id", "The key.", True), *(text(name, each.description) for name, each in named)]


def row(entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The columns of `entity` from a record, without the loader's."""
    declared = cast(RestEntity, entity)
    payload = record.payload
    whole = {**payload["record"], PARENT: payload.get("parent")}
    day = {"snapshot_day": payload.get("day")} if declared.keeps_days else {}
    return {
        "id": record.id,
        **day,
        **{
            column_of(path): _text(field(whole, path), each.kind)
            for path, each in declared.resource.columns.items()
        },
    }


def stamps(entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
    """What the loader keeps of a record's content, and of its change where the source tells of it."""
    since = entity.resource.since if isinstance(entity, RestEntity) else None
    changed_at = time_of(field(record.payload.get("record"), since.field)) if since else None
    return {
        "_source_updated_at": changed_at.isoformat() if changed_at else None,
        "_content_hash": content_hash(entity, record),
    }


def content_hash(entity: Entity, record: Record) -> str:
    """SHA-256 over a record and the columns that are made of it: a column more makes every row anew."""
    declared = entity.resource.columns if isinstance(entity, RestEntity) else {}
    return digest_of([[path, each.kind] for path, each in declared.items()] + [record.payload], ROW_VERSION)


def time_of(value: Any) -> datetime | None:
    """A time as APIs write it: ISO 8601, or seconds or milliseconds since 1970, as a number or its digits."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) in (10, 13):
        number = int(value)
    if number is None:
        return as_time(value)
    try:
        return datetime.fromtimestamp(number / 1000 if abs(number) >= MILLISECONDS else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: Any, kind: str) -> str | None:
    if value is ABSENT:
        return None
    if kind == "datetime" and isinstance(value, int | float) and (at := time_of(value)):
        return at.isoformat()
    return text_of(value, kind)
