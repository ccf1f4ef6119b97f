"""What the raw tables of Google Contacts hold, and how a person or a group becomes a row of them.

What can be there several times is an array of structs with Google's own fields, in Google's order. Beside an e-mail
address stands its normalised form, and beside a telephone number its E.164 form. A date is three numbers, each of which
can be missing.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy_bigquery import STRUCT

from reporting.entities import Entity
from reporting.landing import Manifest
from reporting.settings import Settings
from reporting.sources.base import Record
from reporting.sources.google_contacts.lists import contact_source, content_hash
from reporting.warehouse.columns import column, text
from reporting.warehouse.phones import e164

# Google's fields by array that are taken as they are; a column is called as its field, in snake case.
TEXTS: dict[str, tuple[str, ...]] = {
    "names": (
        *("displayName", "displayNameLastFirst", "unstructuredName", "givenName", "middleName", "familyName"),
        *("honorificPrefix", "honorificSuffix", "phoneticFullName", "phoneticGivenName"),
        *("phoneticMiddleName", "phoneticFamilyName", "phoneticHonorificPrefix", "phoneticHonorificSuffix"),
    ),
    "emailAddresses": ("value", "displayName", "type", "formattedType"),
    "phoneNumbers": ("value", "canonicalForm", "type", "formattedType"),
    "organizations": (
        *("name", "department", "title", "jobDescription", "symbol", "domain", "location", "costCenter"),
        *("phoneticName", "type", "formattedType"),
    ),
    "addresses": (
        *("formattedValue", "poBox", "streetAddress", "extendedAddress", "city", "region", "postalCode"),
        *("country", "countryCode", "type", "formattedType"),
    ),
    "birthdays": ("text",),
    "events": ("type", "formattedType"),
    "memberships": (),
}
DATE = ("year", "month", "day")
# What is added to them, after them.
ADDED: dict[str, dict[str, sa.types.TypeEngine[Any]]] = {
    "emailAddresses": {"normalised_value": sa.String()},
    "phoneNumbers": {"e164": sa.String()},
    "organizations": {
        "is_current": sa.Boolean(),
        **{f"{end}_{part}": sa.Integer() for end in ("start", "end") for part in DATE},
    },
    "birthdays": {part: sa.Integer() for part in DATE},
    "events": {part: sa.Integer() for part in DATE},
    "memberships": {
        "contact_group_id": sa.String(),
        "contact_group_resource_name": sa.String(),
        "is_in_viewer_domain": sa.Boolean(),
    },
}
DESCRIPTIONS = {
    "names": "Names, the contact's own and those of linked profiles.",
    "emailAddresses": "E-mail addresses as typed; normalised_value is trimmed and in lower case.",
    "phoneNumbers": "Telephone numbers as typed; e164 is null where the country cannot be told.",
    "organizations": "Where the person works or worked.",
    "addresses": "Postal addresses.",
    "birthdays": "Dates of birth; a part that is not known is null, and text is as typed.",
    "events": "Anniversaries and other dates; a part that is not known is null.",
    "memberships": "Groups that the person is in.",
}


def columns(entity: Entity) -> list[sa.Column[Any]]:
    """The columns of `entity` before the loader's."""
    if entity.name == "contact_groups":
        return [
            text("id", "Resource name of the group: the key.", required=True),
            text("resource_name", "Resource name of the group."),
            text("etag", "Entity tag when the content was last changed; system groups have none."),
            column("updated_at", sa.TIMESTAMP(), "When the group was last changed; null for system groups."),
            text("group_type", "USER_CONTACT_GROUP or SYSTEM_CONTACT_GROUP."),
            text("name", "Name of the group."),
            text("formatted_name", "Name of the group in the language of the account."),
            column("member_count", sa.Integer(), "Number of its members at the last sweep or change."),
        ]
    return [
        text(
            "id",
            "Resource name of the person: the key. It can change, and the old one then leads here.",
            True,
        ),
        text("resource_name", "Resource name of the person."),
        text(
            "contact_id", "Id of the contact behind the person, which outlives a change of the resource name."
        ),
        text("etag", "Entity tag when the content was last changed."),
        column("updated_at", sa.TIMESTAMP(), "When the contact was last changed."),
        column(
            "previous_resource_names",
            sa.ARRAY(sa.String()),
            "Former resource names, where the last change was read by a sync; a sweep has none.",
        ),
        *(column(_snake(name), _array(name), said) for name, said in DESCRIPTIONS.items()),
    ]


def row(entity: Entity, record: Record, manifest: Manifest, settings: Settings) -> dict[str, Any]:
    """The columns of `entity` from a record, without the loader's."""
    payload = record.payload
    metadata = payload.get("metadata") or {}
    made = {
        "id": record.id,
        "resource_name": record.id,
        "etag": payload.get("etag"),
        "updated_at": _updated_at(payload),
    }
    if entity.name == "contact_groups":
        return made | {
            "group_type": payload.get("groupType"),
            "name": payload.get("name"),
            "formatted_name": payload.get("formattedName"),
            # A zero is left out of JSON.
            "member_count": payload.get("memberCount", 0),
        }
    return made | {
        "contact_id": (contact_source(payload) or {}).get("id"),
        "previous_resource_names": metadata.get("previousResourceNames") or [],
        **{
            _snake(name): [_struct(name, each, settings.default_region) for each in payload.get(name) or []]
            for name in DESCRIPTIONS
        },
    }


def stamps(record: Record, settings: Settings) -> dict[str, Any]:
    """What the loader keeps of a record's content and times."""
    return {
        "_source_updated_at": _updated_at(record.payload),
        "_content_hash": content_hash(record, settings.default_region),
    }


def _array(name: str) -> sa.types.TypeEngine[Any]:
    fields = [("is_primary", sa.Boolean()), ("source_type", sa.String())]
    fields += [(_snake(each), sa.String()) for each in TEXTS[name]]
    return sa.ARRAY(STRUCT(*fields, *ADDED.get(name, {}).items()))


def _struct(name: str, item: Mapping[str, Any], default_region: str | None) -> dict[str, Any]:
    metadata = item.get("metadata") or {}
    return {
        "is_primary": bool(metadata.get("primary")),
        "source_type": (metadata.get("source") or {}).get("type"),
        **{_snake(each): item.get(each) for each in TEXTS[name]},
        **_added(name, item, default_region),
    }


def _added(name: str, item: Mapping[str, Any], default_region: str | None) -> dict[str, Any]:
    if name == "emailAddresses":
        return {"normalised_value": (item.get("value") or "").strip().lower() or None}
    if name == "phoneNumbers":
        return {"e164": e164(item.get("value"), item.get("canonicalForm"), default_region)}
    if name == "organizations":
        parts = {
            f"{end}_{part}": value for end in ("start", "end") for part, value in _date(item, f"{end}Date")
        }
        return {"is_current": item.get("current"), **parts}
    if name in ("birthdays", "events"):
        return dict(_date(item, "date"))
    if name == "memberships":
        group = item.get("contactGroupMembership") or {}
        return {
            "contact_group_id": group.get("contactGroupId"),
            "contact_group_resource_name": group.get("contactGroupResourceName"),
            "is_in_viewer_domain": (item.get("domainMembership") or {}).get("inViewerDomain"),
        }
    return {}


def _date(item: Mapping[str, Any], name: str) -> list[tuple[str, int | None]]:
    """The parts of a date; one that is not known is left out, or 0."""
    date = item.get(name) or {}
    return [(part, date.get(part) or None) for part in DATE]


def _updated_at(payload: Mapping[str, Any]) -> str | None:
    """The latest change of what a record is made from: a person's is in its sources alone.

    Google gives up to nine digits of a second, and a TIMESTAMP takes six.
    """
    metadata = payload.get("metadata") or {}
    given = [each.get("updateTime") for each in (metadata, *(metadata.get("sources") or []))]
    times = [datetime.fromisoformat(each) for each in given if each]
    return max(times).isoformat() if times else None


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
