"""What the raw tables of HubSpot hold, and how a record becomes a row of them.

A property's column is text whatever the property's type, because HubSpot gives every value as text or null, and an
owner may change the type or type nonsense: staging casts, and counts what it cannot cast.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy_bigquery import STRUCT

from reporting.entities import Entity, HubSpotObject
from reporting.landing import Manifest
from reporting.settings import Settings
from reporting.sources.base import Record
from reporting.sources.hubspot.api import PHONES, as_text, content_hash
from reporting.sources.hubspot.associations import FIELDS
from reporting.warehouse.columns import column, text
from reporting.warehouse.phones import e164

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
    """The columns of `entity` before the loader's."""
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


def row(entity: Entity, record: Record, manifest: Manifest, settings: Settings) -> dict[str, Any]:
    """The columns of `entity` from a record, without the loader's."""
    payload = record.payload
    if isinstance(entity, HubSpotObject):
        return {
            "id": payload["id"],
            **_times(payload),
            "archived_at": payload.get("archivedAt"),
            **{name: payload["properties"].get(name) for name in entity.properties},
            **{
                f"{name}_e164": e164(payload["properties"].get(name), default_region=settings.default_region)
                for name in _phones(entity)
            },
        }
    if entity.name == "owners":
        return {
            "id": payload["id"],
            **_times(payload),
            "email": payload.get("email"),
            "first_name": payload.get("firstName"),
            "last_name": payload.get("lastName"),
            "type": payload.get("type"),
            "user_id": as_text(payload.get("userId")),
        }
    if entity.name == "pipelines":
        return {
            "id": payload["id"],
            **_times(payload),
            "label": payload.get("label"),
            "display_order": as_text(payload.get("displayOrder")),
            "stages": [_stage(stage) for stage in payload.get("stages") or []],
        }
    return {name: payload.get(name) for name in FIELDS}


def _phones(entity: HubSpotObject) -> tuple[str, ...]:
    """Only people are told apart by their numbers."""
    return PHONES if entity.name == "contacts" else ()


def _times(payload: Any) -> dict[str, Any]:
    return {
        "created_at": payload.get("createdAt"),
        "updated_at": payload.get("updatedAt"),
        "archived": payload.get("archived", False),
    }


def _stage(stage: Any) -> dict[str, str | None]:
    metadata = stage.get("metadata") or {}
    values = {
        "id": stage.get("id"),
        "label": stage.get("label"),
        "display_order": stage.get("displayOrder"),
        "is_closed": metadata.get("isClosed"),
        "probability": metadata.get("probability"),
        "archived": stage.get("archived"),
    }
    return {name: as_text(value) for name, value in values.items()}


def stamps(record: Record, settings: Settings) -> dict[str, Any]:
    """What the loader keeps of a record's content and times; one in the recycling bin is deleted."""
    made = {
        "_source_updated_at": record.payload.get("updatedAt"),
        "_content_hash": content_hash(record, settings.default_region),
    }
    if record.payload.get("archived") and "properties" in record.payload:
        made |= {"_deleted_at": record.payload.get("archivedAt"), "_deleted_reason": "archived"}
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
        text("id", "Id of the pipeline: the key.", required=True),
        *_lifetimes(),
        text("label", "Name of the pipeline."),
        text("display_order", "Place among the pipelines, as HubSpot gives it."),
        column("stages", STAGES, "Stages of the pipeline, their values as HubSpot gives them."),
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


_OTHERS = {"owners": _owners, "pipelines": _pipelines, "associations": _associations}
