"""The columns of the raw tables of Notion, and the conversion of pages to rows."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy_bigquery import STRUCT

from reporting.entity import Entity, NotionDatabase
from reporting.settings import Settings
from reporting.sources.base import Record
from reporting.sources.columns import JSON, column
from reporting.sources.notion import properties as notion
from reporting.sources.shapes import as_json, as_text, mapping

PROPERTIES = sa.ARRAY(
    STRUCT(("id", sa.String()), ("name", sa.String()), ("type", sa.String()), ("value", JSON()))
)


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns that every Notion page has, independent of the owner's own properties."""
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


def row(entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The values of these columns for a page. Raises `NotFoundError` if the page lacks the date property."""
    page = record.payload
    properties = notion.properties_of(record)
    title = next((each["value"] for each in properties if each["type"] == "title"), None)
    parent = mapping(page.get("parent"))
    made = {
        "id": record.id,
        "database_id": as_text(parent.get("database_id")),
        "data_source_id": as_text(parent.get("data_source_id")),
        "url": as_text(page.get("url")),
        "public_url": as_text(page.get("public_url")),
        "name": notion.plain_text(title),
        "created_time": page.get("created_time"),
        "last_edited_time": page.get("last_edited_time"),
        "created_by": as_text(mapping(page.get("created_by")).get("id")),
        "last_edited_by": as_text(mapping(page.get("last_edited_by")).get("id")),
        "_properties": [{**each, "value": as_json(each["value"])} for each in properties],
    }
    if _is_dated(entity):
        dated_by = notion.date_property(schema, settings.date_properties.get(entity.table))
        dates = [each["value"] for each in properties if each["id"] == dated_by]
        date = mapping(dates[0] if dates else None)
        made |= {
            "date_start": as_text(date.get("start")),
            "date_end": as_text(date.get("end")),
            "date_time_zone": as_text(date.get("time_zone")),
        }
    return made


def stamps(entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
    """Values for the loader's columns: the content hash and times of a page."""
    return {
        "_source_updated_at": record.payload.get("last_edited_time"),
        "_content_hash": notion.content_hash(record),
    }


def _is_dated(entity: Entity) -> bool:
    return isinstance(entity, NotionDatabase) and entity.is_dated
