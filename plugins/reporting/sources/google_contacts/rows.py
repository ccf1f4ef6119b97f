"""The columns of the raw tables of Google Contacts, and the conversion of people and groups to rows.

Fields that can occur several times are arrays of structs with Google's own fields, in Google's order. E-mail addresses also have
a normalised form, and telephone numbers an E.164 form. A date is three numbers, each of which may be missing.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy_bigquery import STRUCT

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Record
from reporting.sources.columns import column, text
from reporting.sources.google_contacts.lists import contact_source, content_hash
from reporting.sources.phones import e164
from reporting.sources.shapes import as_text, as_time, mapping, mappings

# For each array, the fields of Google that are copied. A column has the name of its field in snake case.
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
# The parts of a date, and how great each may be.
DATE = {"year": 9999, "month": 12, "day": 31}
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
    """The columns of `entity` without the loader's."""
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


def row(entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The values of these columns for a record."""
    payload = record.payload
    names = mapping(payload.get("metadata")).get("previousResourceNames")
    made = {
        "id": record.id,
        "resource_name": record.id,
        "etag": as_text(payload.get("etag")),
        "updated_at": _updated_at(payload),
    }
    if entity.name == "contact_groups":
        return made | {
            "group_type": as_text(payload.get("groupType")),
            "name": as_text(payload.get("name")),
            "formatted_name": as_text(payload.get("formattedName")),
            # Google leaves a zero out of the JSON.
            "member_count": _whole(payload.get("memberCount", 0)),
        }
    return made | {
        "contact_id": as_text((contact_source(payload) or {}).get("id")),
        "previous_resource_names": [each for each in names if isinstance(each, str)]
        if isinstance(names, list)
        else [],
        **{
            _snake(name): [
                _struct(name, each, settings.default_region) for each in mappings(payload.get(name))
            ]
            for name in DESCRIPTIONS
        },
    }


def stamps(entity: Entity, record: Record, settings: Settings) -> dict[str, Any]:
    """Values for the loader's columns: the content hash and times of a record."""
    return {
        "_source_updated_at": _updated_at(record.payload),
        "_content_hash": content_hash(record, settings.default_region),
    }


def _array(name: str) -> sa.types.TypeEngine[Any]:
    fields = [("is_primary", sa.Boolean()), ("source_type", sa.String())]
    fields += [(_snake(each), sa.String()) for each in TEXTS[name]]
    return sa.ARRAY(STRUCT(*fields, *ADDED.get(name, {}).items()))


def _struct(name: str, item: Mapping[str, Any], default_region: str | None) -> dict[str, Any]:
    metadata = mapping(item.get("metadata"))
    return {
        "is_primary": bool(metadata.get("primary")),
        "source_type": as_text(mapping(metadata.get("source")).get("type")),
        **{_snake(each): as_text(item.get(each)) for each in TEXTS[name]},
        **_added(name, item, default_region),
    }


def _added(name: str, item: Mapping[str, Any], default_region: str | None) -> dict[str, Any]:
    if name == "emailAddresses":
        return {"normalised_value": (as_text(item.get("value")) or "").strip().lower() or None}
    if name == "phoneNumbers":
        number, canonical = as_text(item.get("value")), as_text(item.get("canonicalForm"))
        return {"e164": e164(number, canonical, default_region)}
    if name == "organizations":
        parts = {
            f"{end}_{part}": value for end in ("start", "end") for part, value in _date(item, f"{end}Date")
        }
        current = item.get("current")
        return {"is_current": current if isinstance(current, bool) else None, **parts}
    if name in ("birthdays", "events"):
        return dict(_date(item, "date"))
    if name == "memberships":
        group = mapping(item.get("contactGroupMembership"))
        is_in_domain = mapping(item.get("domainMembership")).get("inViewerDomain")
        return {
            "contact_group_id": as_text(group.get("contactGroupId")),
            "contact_group_resource_name": as_text(group.get("contactGroupResourceName")),
            "is_in_viewer_domain": is_in_domain if isinstance(is_in_domain, bool) else None,
        }
    return {}


def _date(item: Mapping[str, Any], name: str) -> list[tuple[str, int | None]]:
    """The parts of a date; one that is not known is left out, or 0, and one of no calendar is not known."""
    date = mapping(item.get(name))
    found = {part: _whole(date.get(part)) for part in DATE}
    return [(part, value if value and 1 <= value <= DATE[part] else None) for part, value in found.items()]


def _whole(value: Any) -> int | None:
    """A whole number of at most 64 bits, which JSON may have as text; None for anything else."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -(2**63) <= number < 2**63 else None


def _updated_at(payload: Mapping[str, Any]) -> str | None:
    """When a record last changed. For a person, only the sources in the metadata have this time.

    Google uses up to nine digits for fractions of a second, but a TIMESTAMP only has six.
    """
    metadata = mapping(payload.get("metadata"))
    times = [as_time(each.get("updateTime")) for each in (metadata, *mappings(metadata.get("sources")))]
    latest = max((at for at in times if at), default=None)
    return latest.isoformat() if latest else None


@cache
def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
