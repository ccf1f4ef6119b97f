"""What the raw table of a tab of Google Sheets holds, and how a row of the tab becomes a row of it.

Columns are text, and what was typed is completed: an amount in the spreadsheet's locale is plain digits, a date is ISO
8601. What cannot be understood stays as typed; staging casts, and lists it in `uncastable_columns`.
"""

from typing import Any

import sqlalchemy as sa

from reporting.entity import Entity, SheetTab
from reporting.landing import Manifest
from reporting.settings import Settings
from reporting.sources.base import Record
from reporting.sources.google_sheets.cells import as_text
from reporting.sources.google_sheets.rows import content_hash
from reporting.warehouse.columns import text


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns of `entity` before the loader's."""
    return [
        text(
            "id",
            "Cell of the column `id`, or a hash of the row and its number among equal ones: the key.",
            True,
        ),
        *(text(name, each.description) for name, each in _tab(entity).columns.items()),
    ]


def row(entity: Entity, record: Record, manifest: Manifest, settings: Settings) -> dict[str, Any]:
    """The columns of `entity` from a row of the tab, without the loader's."""
    payload = record.payload
    return {
        "id": record.id,
        **{
            name: as_text(payload["columns"].get(name), each.kind, payload["locale"])
            for name, each in _tab(entity).columns.items()
        },
    }


def stamps(record: Record, settings: Settings) -> dict[str, Any]:
    """What the loader keeps of a row's content; a sheet does not tell when a row was changed."""
    return {"_source_updated_at": None, "_content_hash": content_hash(record)}


def _tab(entity: Entity) -> SheetTab:
    if not isinstance(entity, SheetTab):
        raise TypeError(f"expected a tab of a sheet, got {type(entity).__name__}")
    return entity
