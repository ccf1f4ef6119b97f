"""What the raw table of the tides holds."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Record, digest_of
from reporting.sources.columns import column, text

ROW_VERSION = 1


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns before the loader's."""
    return [
        text("id", "The key.", True),
        text("harbour", "Its name."),
        column("metres", sa.Float(), "Height."),
    ]


def row(entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The columns of a height."""
    return {"id": record.id, "harbour": record.payload["harbour"], "metres": record.payload["metres"]}


def stamps(entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
    """What the loader keeps of its content."""
    return {"_source_updated_at": None, "_content_hash": digest_of(record.payload, ROW_VERSION)}
