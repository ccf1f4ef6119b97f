"""The columns of the raw tables of Google Calendar, and the conversion of calendars and events to rows.

An event either has times or, if it takes whole days, dates: `end_date` is the day after the last one. A time without an offset is
in the time zone that stands beside it, or else in UTC.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy_bigquery import STRUCT

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Record
from reporting.sources.columns import column, text
from reporting.sources.google_calendar.records import content_hash
from reporting.sources.shapes import as_text, as_time, mapping, mappings

ATTENDEE = STRUCT(
    *((name, sa.String()) for name in ("email", "normalised_email", "display_name", "response_status")),
    *((name, sa.Boolean()) for name in ("is_self", "is_organizer", "is_resource", "is_optional")),
)


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns of `entity` without the loader's."""
    if entity.name == "calendars":
        return [
            text(
                "id",
                "Id of the calendar: the key. That of a person's own calendar is an e-mail address.",
                True,
            ),
            text("summary", "Name of the calendar."),
            text("summary_override", "Name that the owner gave to it; null if it is called by its own."),
            text("description", "Description of the calendar."),
            text("time_zone", "Time zone of the calendar."),
            text("access_role", "freeBusyReader, reader, writer or owner."),
            column("is_primary", sa.Boolean(), "Whether it is the owner's own calendar."),
            column("is_selected", sa.Boolean(), "Whether its events are shown."),
        ]
    return [
        text("id", "Id of the calendar, a slash, and id of the event: the key.", True),
        text("calendar_id", "Id of the calendar."),
        text("event_id", "Id of the event in its calendar."),
        text(
            "ical_uid", "Id by which all calendars know the event; instances of a recurring event share it."
        ),
        text("recurring_event_id", "Id of the recurring event of an instance; null for other events."),
        column("original_start_at", sa.TIMESTAMP(), "Time for which an instance was planned first."),
        column("original_start_date", sa.DATE(), "The same of an instance that takes whole days."),
        text("status", "confirmed or tentative."),
        text("event_type", "default, birthday, focusTime, fromGmail, outOfOffice or workingLocation."),
        text("summary", "Title of the event."),
        text("location", "Where it takes place, as typed."),
        column("start_at", sa.TIMESTAMP(), "When it begins; null if it takes whole days."),
        column("end_at", sa.TIMESTAMP(), "When it ends; null if it takes whole days."),
        column("start_date", sa.DATE(), "First day of an event that takes whole days."),
        column("end_date", sa.DATE(), "Day after the last one of an event that takes whole days."),
        text("start_time_zone", "Time zone in which the beginning was typed."),
        text("transparency", "transparent if the owner is free during the event; null or opaque otherwise."),
        text("visibility", "public, private or confidential; null for the calendar's default."),
        column("created_at", sa.TIMESTAMP(), "When it was made."),
        column("updated_at", sa.TIMESTAMP(), "When it was last changed."),
        text("organizer_email", "E-mail address of the organizer."),
        column("is_organizer_self", sa.Boolean(), "Whether the calendar's owner is the organizer."),
        column("attendees", sa.ARRAY(ATTENDEE), "Who is invited, in Google's order."),
        column("is_attendees_omitted", sa.Boolean(), "Whether Google left attendees out."),
    ]


def row(entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The values of these columns for a record."""
    if entity.name == "calendars":
        calendar = record.payload
        return {
            "id": record.id,
            "summary": as_text(calendar.get("summary")),
            "summary_override": as_text(calendar.get("summaryOverride")),
            "description": as_text(calendar.get("description")),
            "time_zone": as_text(calendar.get("timeZone")),
            "access_role": as_text(calendar.get("accessRole")),
            # Google leaves these out where they are false.
            "is_primary": bool(calendar.get("primary")),
            "is_selected": bool(calendar.get("selected")),
        }
    event = mapping(record.payload.get("event"))
    start, end, original = (mapping(event.get(name)) for name in ("start", "end", "originalStartTime"))
    organizer = mapping(event.get("organizer"))
    return {
        "id": record.id,
        "calendar_id": as_text(record.payload.get("calendarId")),
        "event_id": as_text(event.get("id")),
        "ical_uid": as_text(event.get("iCalUID")),
        "recurring_event_id": as_text(event.get("recurringEventId")),
        "original_start_at": _instant(original),
        "original_start_date": original.get("date"),
        "status": as_text(event.get("status")),
        "event_type": as_text(event.get("eventType")),
        "summary": as_text(event.get("summary")),
        "location": as_text(event.get("location")),
        "start_at": _instant(start),
        "end_at": _instant(end),
        "start_date": start.get("date"),
        "end_date": end.get("date"),
        "start_time_zone": as_text(start.get("timeZone")),
        "transparency": as_text(event.get("transparency")),
        "visibility": as_text(event.get("visibility")),
        "created_at": event.get("created"),
        "updated_at": event.get("updated"),
        "organizer_email": as_text(organizer.get("email")),
        "is_organizer_self": bool(organizer.get("self")),
        "attendees": [_attendee(each) for each in mappings(event.get("attendees"))],
        "is_attendees_omitted": bool(event.get("attendeesOmitted")),
    }


def stamps(entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
    """Values for the loader's columns: the content hash, and when an event was changed. Of a calendar Google does not say it."""
    updated_at = as_time(mapping(record.payload.get("event")).get("updated"))
    return {
        "_source_updated_at": updated_at.isoformat() if updated_at else None,
        "_content_hash": content_hash(record),
    }


def _instant(moment: Mapping[str, Any]) -> Any:
    """A time with its offset. What is no time is returned as it is, so that it is counted when it does not fit its column.

    https://developers.google.com/workspace/calendar/api/v3/reference/events#start
    """
    value = moment.get("dateTime")
    if not isinstance(value, str):
        return value
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return value
    if at.tzinfo is None:
        at = at.replace(tzinfo=_time_zone(moment.get("timeZone")))
    return at.isoformat()


def _time_zone(name: Any) -> ZoneInfo | Any:
    try:
        return ZoneInfo(name)
    # What ZoneInfo raises depends on the name: it is the path of a file.
    except (TypeError, ValueError, OSError, LookupError):
        return UTC


def _attendee(attendee: Mapping[str, Any]) -> dict[str, Any]:
    email = as_text(attendee.get("email"))
    return {
        "email": email,
        "normalised_email": (email or "").strip().lower() or None,
        "display_name": as_text(attendee.get("displayName")),
        "response_status": as_text(attendee.get("responseStatus")),
        "is_self": bool(attendee.get("self")),
        "is_organizer": bool(attendee.get("organizer")),
        "is_resource": bool(attendee.get("resource")),
        "is_optional": bool(attendee.get("optional")),
    }
