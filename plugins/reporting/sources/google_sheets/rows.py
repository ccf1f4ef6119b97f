"""The columns of the raw table of a tab of Google Sheets, and the conversion of the tab's rows.

Columns are text. An amount in the spreadsheet's locale becomes plain digits, and a date ISO 8601. A value that cannot be read
stays as typed; staging casts the columns, and lists such values in `uncastable_columns`.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Record
from reporting.sources.columns import text
from reporting.sources.google_sheets.cells import as_text
from reporting.sources.google_sheets.entities import SheetTab
from reporting.sources.google_sheets.tab import content_hash


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns of `entity` without the loader's."""
    return [
        text(
            "id",
            "Cell of the column `id`, or a hash of the row and its number among equal ones: the key.",
            True,
        ),
        *(text(name, each.description) for name, each in _tab(entity).columns.items()),
    ]


def row(entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The values of these columns for a row of the tab."""
    payload = record.payload
    return {
        "id": record.id,
        **{
            name: as_text(payload["columns"].get(name), each.kind, payload["locale"])
            for name, each in _tab(entity).columns.items()
        },
    }


def stamps(entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
    """Values for the loader's columns: the content hash. A sheet does not say when a row was changed."""
    return {"_source_updated_at": None, "_content_hash": content_hash(record)}


def _tab(entity: Entity) -> SheetTab:
    if not isinstance(entity, SheetTab):
        raise TypeError(f"expected a tab of a sheet, got {type(entity).__name__}")
    return entity
