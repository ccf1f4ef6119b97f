"""The columns of the raw tables of HubSpot, and the conversion of records to rows.

The columns of all properties are text, because HubSpot returns every value as text or null, and because the owner may change a
property's type or enter anything. Staging casts them, and counts values that it cannot cast.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy_bigquery import STRUCT

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Record
from reporting.sources.columns import column, text
from reporting.sources.hubspot.api import PHONES, content_hash, is_archived
from reporting.sources.hubspot.associations import FIELDS
from reporting.sources.hubspot.entities import HubSpotObject
from reporting.sources.hubspot.history import HISTORY_FIELDS
from reporting.sources.hubspot.lists import MEMBERSHIP_FIELDS
from reporting.sources.phones import e164
from reporting.sources.shapes import as_text, as_time, mapping, mappings

STAGES = sa.ARRAY(
    STRUCT(
        ("id", sa.String()),
        ("label", sa.String()),
        ("display_order", sa.String()),
        ("is_closed", sa.String()),
        ("probability", sa.String()),
        ("archived", sa.String()),
    )
)

E164 = "The number in its E.164 form; null where its country cannot be told."


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns of `entity` without the loader's."""
    if isinstance(entity, HubSpotObject):
        return [
            text("id", "Id of the object in HubSpot: the key.", required=True),
            column("created_at", sa.TIMESTAMP(), "When the object was created."),
            column("updated_at", sa.TIMESTAMP(), "When the object was last modified."),
            column("archived", sa.Boolean(), "Whether the object was in the recycling bin when it was read."),
            column("archived_at", sa.TIMESTAMP(), "When the object was put into the recycling bin."),
            *(text(name, each.description) for name, each in entity.properties.items()),
            *(text(f"{name}_e164", E164) for name in _phones(entity)),
        ]
    return _OTHERS[entity.name]()


def row(entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The values of these columns for a record."""
    payload = record.payload
    if isinstance(entity, HubSpotObject):
        given = mapping(payload.get("properties"))
        return {
            "id": record.id,
            **_times(payload),
            "archived_at": payload.get("archivedAt"),
            **{name: as_text(given.get(name)) for name in entity.properties},
            **{
                f"{name}_e164": e164(as_text(given.get(name)), default_region=settings.default_region)
                for name in _phones(entity)
            },
        }
    if entity.name == "owners":
        return {
            "id": record.id,
            **_times(payload),
            "email": as_text(payload.get("email")),
            "first_name": as_text(payload.get("firstName")),
            "last_name": as_text(payload.get("lastName")),
            "type": as_text(payload.get("type")),
            "user_id": as_text(payload.get("userId")),
        }
    if entity.name == "pipelines":
        return {
            "id": record.id,
            **_times(payload),
            "label": as_text(payload.get("label")),
            "display_order": as_text(payload.get("displayOrder")),
            "stages": [_stage(stage) for stage in mappings(payload.get("stages"))],
            "object_type": as_text(payload.get("object_type")),
        }
    if entity.name == "lists":
        return {
            "id": record.id,
            "created_at": payload.get("createdAt"),
            "updated_at": payload.get("updatedAt"),
            "name": as_text(payload.get("name")),
            "object_type_id": as_text(payload.get("objectTypeId")),
            "processing_type": as_text(payload.get("processingType")),
            "size": as_text(mapping(payload.get("additionalProperties")).get("hs_list_size")),
        }
    if entity.name == "list_memberships":
        return {name: as_text(payload.get(name)) for name in MEMBERSHIP_FIELDS}
    if entity.name == "property_history":
        return {name: as_text(payload.get(name)) for name in HISTORY_FIELDS}
    return {name: as_text(payload.get(name)) for name in FIELDS}


def _phones(entity: HubSpotObject) -> tuple[str, ...]:
    """The properties with telephone numbers to convert. Only contacts need this, since only people are matched by number."""
    return PHONES if entity.name == "contacts" else ()


def _times(payload: Any) -> dict[str, Any]:
    return {
        "created_at": payload.get("createdAt"),
        "updated_at": payload.get("updatedAt"),
        "archived": is_archived(payload),
    }


def _stage(stage: Any) -> dict[str, str | None]:
    metadata = mapping(stage.get("metadata"))
    values = {
        "id": stage.get("id"),
        "label": stage.get("label"),
        "display_order": stage.get("displayOrder"),
        "is_closed": metadata.get("isClosed"),
        "probability": metadata.get("probability"),
        "archived": stage.get("archived"),
    }
    return {name: as_text(value) for name, value in values.items()}


def stamps(entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
    """Values for the loader's columns: content hash and times. A record in the recycling bin counts as deleted."""
    made = {
        "_source_updated_at": record.payload.get(
            "changed_at" if entity.name == "property_history" else "updatedAt"
        ),
        "_content_hash": content_hash(record, settings.default_region),
    }
    if is_archived(record.payload) and "properties" in record.payload:
        at = record.payload.get("archivedAt")
        made |= {"_deleted_at": at if as_time(at) else None, "_deleted_reason": "archived"}
    return made


def _lifetimes() -> list[sa.Column[Any]]:
    return [
        column("created_at", sa.TIMESTAMP(), "When it was created."),
        column("updated_at", sa.TIMESTAMP(), "When it was last modified."),
        column("archived", sa.Boolean(), "Whether it was archived when it was read."),
    ]


def _owners() -> list[sa.Column[Any]]:
    return [
        text("id", "Id of the owner: the key.", required=True),
        *_lifetimes(),
        text("email", "E-mail address of the owner."),
        text("first_name", "First name."),
        text("last_name", "Last name."),
        text("type", "PERSON or QUEUE."),
        text("user_id", "Id of the user; an owner who left has none."),
    ]


def _pipelines() -> list[sa.Column[Any]]:
    return [
        text(
            "id",
            "Id of the pipeline, for other types than deals with the type before it: the key.",
            required=True,
        ),
        *_lifetimes(),
        text("label", "Name of the pipeline."),
        text("display_order", "Place among the pipelines, as HubSpot gives it."),
        column("stages", STAGES, "Stages of the pipeline, their values as HubSpot gives them."),
        text("object_type", "Type of the objects in it, in the plural; null is deals."),
    ]


def _associations() -> list[sa.Column[Any]]:
    return [
        text("id", "Types and ids of both sides, category and type of the label: the key.", required=True),
        text("from_type", "Type of the first object, in the plural (contacts, calls)."),
        text("from_id", "Id of the first object."),
        text("to_type", "Type of the second object."),
        text("to_id", "Id of the second object."),
        text("category", "HUBSPOT_DEFINED, USER_DEFINED or INTEGRATOR_DEFINED."),
        text("type_id", "Id of the association's type within its category."),
        text("label", "Label of the association; null for the plain one."),
    ]


def _property_history() -> list[sa.Column[Any]]:
    return [
        text("id", "Type and id of the object, property and time of the change: the key.", required=True),
        text("object_type", "Type of the object, in the plural (contacts, deals)."),
        text("object_id", "Id of the object."),
        text("property", "Internal name of the property."),
        text("value", "Value from then on, as HubSpot gives it; empty where it was cleared."),
        column("changed_at", sa.TIMESTAMP(), "When the property got this value."),
        text("source_type", "What changed it, such as CRM_UI, IMPORT or AUTOMATION_PLATFORM."),
        text("source_id", "Who or what that was, as HubSpot gives it."),
        text("user_id", "Id of the user who changed it; null where nobody did."),
    ]


def _lists() -> list[sa.Column[Any]]:
    return [
        text("id", "Id of the list: the key.", required=True),
        column("created_at", sa.TIMESTAMP(), "When the list was created."),
        column("updated_at", sa.TIMESTAMP(), "When the list was last modified."),
        text("name", "Name of the list."),
        text("object_type_id", "Type of the objects in it, as HubSpot numbers types: 0-1 is contacts."),
        text("processing_type", "MANUAL, DYNAMIC or SNAPSHOT."),
        text("size", "How many objects are in it, as HubSpot gives it."),
    ]


def _list_memberships() -> list[sa.Column[Any]]:
    return [
        text("id", "Ids of list and object: the key.", required=True),
        text("list_id", "Id of the list."),
        text(
            "object_type",
            "Type of the object, in the plural; HubSpot's number of the type if it is not read.",
        ),
        text("object_id", "Id of the object."),
        column("member_since", sa.TIMESTAMP(), "When the object came into the list."),
    ]


_OTHERS = {
    "lists": _lists,
    "list_memberships": _list_memberships,
    "owners": _owners,
    "pipelines": _pipelines,
    "associations": _associations,
    "property_history": _property_history,
}
