"""From a record of a source to a row of its raw table, as a load job takes it: JSON columns hold text."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from reporting.entities import Entity
from reporting.landing import Manifest
from reporting.sources import notion
from reporting.sources.base import Page, Record

Row = dict[str, Any]


def rows_of(
    entity: Entity, manifest: Manifest, pages: Iterator[Page], date_property: str | None = None
) -> Iterator[Row]:
    """The rows of a stage table: one a record, and one with only key and reason a tombstone.

    A tombstone's `_extracted_at` is the start of the sweep, so that it reaches only rows last read before.
    """
    dated_by = notion.date_property(manifest.schema, date_property) if entity.is_dated else None
    for page in pages:
        for record in page.records:
            yield _notion_row(record, page.requested_at, dated_by)
        for tombstone in page.tombstones:
            yield {
                "id": tombstone.id,
                "_extracted_at": manifest.started_at.isoformat(),
                "_deleted_at": manifest.started_at.isoformat(),
                "_deleted_reason": tombstone.reason,
                "_merged_into_id": tombstone.merged_into_id,
            }


def _notion_row(record: Record, requested_at: datetime, dated_by: str | None) -> Row:
    page = record.payload
    properties = notion.properties_of(record)
    title = next((each["value"] for each in properties if each["type"] == "title"), None) or []
    row: Row = {
        "id": page["id"],
        "database_id": page["parent"].get("database_id"),
        "data_source_id": page["parent"].get("data_source_id"),
        "url": page.get("url"),
        "public_url": page.get("public_url"),
        "name": "".join(part.get("plain_text", "") for part in title),
        "created_time": page["created_time"],
        "last_edited_time": page["last_edited_time"],
        "created_by": (page.get("created_by") or {}).get("id"),
        "last_edited_by": (page.get("last_edited_by") or {}).get("id"),
        "_properties": [{**each, "value": json.dumps(each["value"])} for each in properties],
        "_payload": json.dumps(page),
        "_source_updated_at": page["last_edited_time"],
        "_content_hash": notion.content_hash(record),
        "_extracted_at": requested_at.isoformat(),
    }
    if dated_by is not None:
        dates = [each["value"] for each in properties if each["id"] == dated_by]
        date = (dates[0] if dates else None) or {}
        row |= {
            "date_start": date.get("start"),
            "date_end": date.get("end"),
            "date_time_zone": date.get("time_zone"),
        }
    return row
