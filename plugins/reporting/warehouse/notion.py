"""What the raw tables of Notion hold, and how a page becomes a row of them."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy_bigquery import STRUCT

from reporting.entities import Entity, NotionDatabase
from reporting.landing import Manifest
from reporting.settings import Settings
from reporting.sources import notion
from reporting.sources.base import Record
from reporting.warehouse.columns import JSON, column

PROPERTIES = sa.ARRAY(
    STRUCT(("id", sa.String()), ("name", sa.String()), ("type", sa.String()), ("value", JSON()))
)


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """What every Notion page has, whatever properties its owner made up."""
    dates = [
        column(
            "date_start",
            sa.String(),
            "Start of the row's date as Notion gives it: a date, or a time with offset.",
        ),
        column("date_end", sa.String(), "End of the row's date as Notion gives it, null for a single date."),
        column("date_time_zone", sa.String(), "Time zone of the row's date, null unless the owner set one."),
    ]
    return [
        column("id", sa.String(), "Id of the Notion page: the key.", required=True),
        column("database_id", sa.String(), "Id of the Notion database that holds the row."),
        column("data_source_id", sa.String(), "Id of the data source that the row was read from."),
        column("url", sa.String(), "Address of the page in Notion."),
        column("public_url", sa.String(), "Address of the page if it is published, else null."),
        column("name", sa.String(), "Title of the page as plain text."),
        *(dates if _is_dated(entity) else []),
        column("created_time", sa.TIMESTAMP(), "When the page was created, floored to the minute by Notion."),
        column(
            "last_edited_time",
            sa.TIMESTAMP(),
            "When the page was last edited, floored to the minute by Notion.",
        ),
        column("created_by", sa.String(), "Id of the user who created the page."),
        column("last_edited_by", sa.String(), "Id of the user who last edited the page."),
        column(
            "_properties", PROPERTIES, "The owner's own properties with their whole values, by property id."
        ),
    ]


def row(entity: Entity, record: Record, manifest: Manifest, settings: Settings) -> dict[str, Any]:
    """The columns of `entity` from a page, without the loader's. Raises `NotFoundError` for a date it lacks."""
    page = record.payload
    properties = notion.properties_of(record)
    title = next((each["value"] for each in properties if each["type"] == "title"), None) or []
    made = {
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
    }
    if _is_dated(entity):
        dated_by = notion.date_property(manifest.schema, settings.date_properties.get(entity.table))
        dates = [each["value"] for each in properties if each["id"] == dated_by]
        date = (dates[0] if dates else None) or {}
        made |= {
            "date_start": date.get("start"),
            "date_end": date.get("end"),
            "date_time_zone": date.get("time_zone"),
        }
    return made


def stamps(record: Record, settings: Settings) -> dict[str, Any]:
    """What the loader keeps of a page's content and times."""
    return {
        "_source_updated_at": record.payload["last_edited_time"],
        "_content_hash": notion.content_hash(record),
    }


def _is_dated(entity: Entity) -> bool:
    return isinstance(entity, NotionDatabase) and entity.is_dated
