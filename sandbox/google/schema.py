"""People and contact groups as the People API defines them, and how what is kept is shown.

https://developers.google.com/people/api/rest/v1/people and .../v1/contactGroups

A kept record is `{"id", "name", "updated", "deleted", "fields"}`: the id of the contact (which never changes), the
resource name (which can), the last change in microseconds, and the fields without their metadata. A person also has
`previous` resource names, the `profile` that it is linked with (or null), and the `origin` of the sample.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

PEOPLE, GROUPS = "people", "contactGroups"
PERSON_FIELDS = (
    *("addresses", "ageRanges", "biographies", "birthdays", "calendarUrls", "clientData", "coverPhotos"),
    *("emailAddresses", "events", "externalIds", "genders", "imClients", "interests", "locales", "locations"),
    *("memberships", "metadata", "miscKeywords", "names", "nicknames", "occupations", "organizations"),
    *("phoneNumbers", "photos", "relations", "sipAddresses", "skills", "urls", "userDefined"),
)
GROUP_FIELDS = ("clientData", "groupType", "memberCount", "metadata", "name")
DEFAULT_GROUP_FIELDS = ("metadata", "groupType", "memberCount", "name")
SORT_ORDERS = (
    "LAST_MODIFIED_ASCENDING",
    "LAST_MODIFIED_DESCENDING",
    "FIRST_NAME_ASCENDING",
    "LAST_NAME_ASCENDING",
)
# Which sources a mask asks for: https://developers.google.com/people/api/rest/v1/ReadSourceType
SOURCES = {"READ_SOURCE_TYPE_CONTACT": "CONTACT", "READ_SOURCE_TYPE_PROFILE": "PROFILE"}
SYSTEM_GROUPS = {
    "myContacts": "My Contacts",
    "starred": "Starred",
    "chatBuddies": "Chat contacts",
    "all": "All Contacts",
    "blocked": "Blocked",
    "friends": "Friends",
    "family": "Family",
    "coworkers": "Coworkers",
}
PREDEFINED_TYPES = frozenset(
    (
        *("home", "work", "other", "mobile", "homeFax", "workFax", "otherFax", "pager", "workMobile"),
        *("workPager", "main", "anniversary", "spouse", "child", "mother", "father", "parent", "brother"),
        *("sister", "friend", "relative", "domesticPartner", "manager", "assistant", "referredBy", "partner"),
        *("school", "blog", "profile", "homePage", "ftp"),
    )
)
COUNTRY_CODES = {"Austria": "AT", "Germany": "DE", "Norway": "NO", "Portugal": "PT"}
DEFAULT_PHOTO = "https://photos.example.com/cm/default=s100"


def iso(microseconds: int) -> str:
    """An instant as Google writes it."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def membership(group: str) -> Json:
    """A membership in the group of this resource name."""
    return {
        "contactGroupMembership": {
            "contactGroupId": group.removeprefix(f"{GROUPS}/"),
            "contactGroupResourceName": group,
        }
    }


def completed(fields: Json) -> Json:
    """A person's fields with what the server adds: displayed names, formatted types, canonical numbers.

    Raises `ValueError` for a field that a person does not have.
    """
    if unknown := sorted(set(fields) - set(PERSON_FIELDS) | set(fields) & {"metadata"}):
        raise ValueError(f"a person has no {', '.join(unknown)}")
    made = {name: [_with_type(each) for each in items] for name, items in fields.items() if items}
    if "names" in made:
        made["names"] = [_displayed(each) for each in made["names"]]
    for phone in made.get("phoneNumbers", ()):
        if phone["value"].startswith("+"):
            phone["canonicalForm"] = "+" + re.sub(r"\D", "", phone["value"])
    for birthday in made.get("birthdays", ()):
        date = birthday.get("date", {})
        if {"month", "day"} <= set(date):
            birthday.setdefault(
                "text", "/".join(str(date[part]) for part in ("month", "day", "year") if part in date)
            )
    for address in made.get("addresses", ()):
        if code := COUNTRY_CODES.get(address.get("country", "")):
            address["countryCode"] = code
        town = f"{address.get('postalCode', '')} {address.get('city', '')}".strip()
        lines = (address.get("streetAddress"), town, address.get("country"))
        address.setdefault("formattedValue", "\n".join(line for line in lines if line))
    made.setdefault("photos", [{"url": DEFAULT_PHOTO, "default": True}])
    return made


def etag(record: Json, version: int) -> str:
    """The entity tag of a version of a record."""
    return "%" + _digest(f"{record['name']}/{version}")


def shown_person(
    record: Json,
    version: int,
    mask: Collection[str],
    sources: Collection[str] = ("CONTACT", "PROFILE"),
    is_incremental: bool = False,
) -> Json:
    """A Person with the fields of the mask.

    `updateTime` is only in metadata.sources, and former resource names are only in answers to a sync token:
    https://developers.google.com/people/api/rest/v1/people#personmetadata
    """
    shown: Json = {"resourceName": record["name"], "etag": etag(record, version)}
    contact = {"type": "CONTACT", "id": f"{record['id']:x}"}
    described = {
        **contact,
        "etag": "#" + _digest(f"{record['id']}/{version}/contact"),
        "updateTime": iso(record["updated"]),
    }
    if record["deleted"]:
        return shown | {"metadata": {"sources": [described], "deleted": True, "objectType": "PERSON"}}
    parts: list[tuple[Json, Json]] = []
    metadata: Json = {"sources": []}
    if "CONTACT" in sources:
        parts.append((contact, record["fields"]))
        metadata["sources"].append(described)
    if record["profile"] and "PROFILE" in sources:
        profile = {"type": "PROFILE", "id": record["profile"]["id"]}
        parts.append((profile, record["profile"]["fields"]))
        kind = {"objectType": "PERSON", "userTypes": ["GOOGLE_USER"]}
        tag = "#" + _digest(f"{record['id']}/{version}/profile")
        metadata["sources"].append({**profile, "etag": tag, "profileMetadata": kind})
    if is_incremental and record["previous"]:
        metadata["previousResourceNames"] = record["previous"]
    metadata["objectType"] = "PERSON"
    for name in PERSON_FIELDS:
        if name not in mask:
            continue
        items = [
            (source, number, item)
            for source, fields in parts
            for number, item in enumerate(fields.get(name, ()))
        ]
        if name == "metadata":
            shown["metadata"] = metadata
        elif items:
            shown[name] = [
                {
                    "metadata": _field_metadata(name, place == 0, number == 0, source),
                    **item,
                }
                for place, (source, number, item) in enumerate(items)
            ]
    return shown


def shown_group(record: Json, version: int, mask: Collection[str], members: int) -> Json:
    """A ContactGroup with the fields of the mask; a list never has its members.

    Only groups of the user have metadata: https://developers.google.com/people/api/rest/v1/contactGroups
    """
    fields = record["fields"]
    shown: Json = {"resourceName": record["name"]}
    is_own = fields["groupType"] == "USER_CONTACT_GROUP"
    if is_own:
        shown["etag"] = etag(record, version)
        if "metadata" in mask or record["deleted"]:
            shown["metadata"] = {"updateTime": iso(record["updated"])}
    if record["deleted"]:
        shown["metadata"]["deleted"] = True
        return shown
    if "groupType" in mask:
        shown["groupType"] = fields["groupType"]
    if "name" in mask:
        shown |= {"name": fields["name"], "formattedName": fields["formattedName"]}
    if "memberCount" in mask and members:
        # Proto3 JSON leaves a zero out: https://protobuf.dev/programming-guides/json/
        shown["memberCount"] = members
    if "clientData" in mask and fields.get("clientData"):
        shown["clientData"] = fields["clientData"]
    return shown


def system_group(number: int, name: str) -> Json:
    """One of the groups that every account has."""
    fields = {"groupType": "SYSTEM_CONTACT_GROUP", "name": name, "formattedName": SYSTEM_GROUPS[name]}
    return {"id": number, "name": f"{GROUPS}/{name}", "updated": 0, "deleted": False, "fields": fields}


def user_group(key: int, name: str, updated: int) -> Json:
    """A group that the user made."""
    fields = {"groupType": "USER_CONTACT_GROUP", "name": name, "formattedName": name}
    return {"id": key, "name": f"{GROUPS}/{key:x}", "updated": updated, "deleted": False, "fields": fields}


def _field_metadata(name: str, is_primary: bool, is_source_primary: bool, source: Json) -> Json:
    if name == "memberships":
        return {"source": source}
    found: Json = {"primary": True} if is_primary else {}
    return found | ({"sourcePrimary": True} if is_source_primary else {}) | {"source": source}


def _with_type(item: Json) -> Json:
    # What the server gave out may come back with the metadata that it adds itself.
    item = {name: value for name, value in item.items() if name != "metadata"}
    kind = item.get("type")
    if not kind:
        return item
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind)
    return {**item, "formattedType": spaced[0].upper() + spaced[1:] if kind in PREDEFINED_TYPES else kind}


def _displayed(name: Json) -> Json:
    parts = ("honorificPrefix", "givenName", "middleName", "familyName", "honorificSuffix")
    display = " ".join(name[part] for part in parts if name.get(part)) or name.get("unstructuredName", "")
    given = " ".join(name[part] for part in ("givenName", "middleName") if name.get(part))
    last_first = ", ".join(filter(None, (name.get("familyName"), given))) or display
    made = {"displayName": display, "displayNameLastFirst": last_first, "unstructuredName": display}
    return {**name, **made}


def _digest(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()[:15]).decode() + "="
