"""Invented records of three services, as wide as large accounts have them; the same number gives the same record.

Each kind has some templates, in which only the number is filled in: a record costs the server next to nothing.
"""

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

HUBSPOT_PROPERTIES = 37
NOTION_PROPERTIES = 32
DATABASE = str(uuid.UUID(int=1))
TEMPLATES = 64
# Stands in a template for the number of a record, in eight digits, for its key, and for its time of creation.
NUMBER, KEY, CREATED = "10101010", "@key@", "@created@"
FIRST = datetime(2016, 1, 1, tzinfo=UTC)
WORDS = (
    "Ärzte",
    "Bühne",
    "Hafen",
    "Licht",
    "Markt",
    "Nordsee",
    "Wald",
    "Zürich",
    "quiet",
    "river",
    "stone",
    "tea",
)
KINDS = ("checkbox", "number", "select", "date", "rich_text", "url", "email", "multi_select")


def created_at(number: int) -> datetime:
    """When a record was made: a minute after the one before."""
    return FIRST + timedelta(minutes=number)


def number_at(created: datetime) -> int:
    """The first record that was made at that time or later."""
    return max(-((FIRST - created) // timedelta(minutes=1)), 0)


class Records:
    """The records of one kind: `contacts` and `companies` of HubSpot, `pages` of Notion, `people` of Google."""

    def __init__(self, kind: str) -> None:
        make = {"contacts": _contact, "companies": _company, "pages": _page, "people": _person}[kind]
        self._is_page = kind == "pages"
        self._templates = [
            json.dumps(make(random.Random(f"{kind}:{number}")), ensure_ascii=False, separators=(",", ":"))
            for number in range(TEMPLATES)
        ]

    def slice(self, start: int, stop: int) -> str:
        """These records as the elements of a list in JSON."""
        return ",".join(map(self._record, range(start, stop)))

    def _record(self, number: int) -> str:
        text = self._templates[number % TEMPLATES].replace(NUMBER, f"{number + 1_000_000:08}")
        if self._is_page:
            text = text.replace(KEY, str(uuid.UUID(int=number + (1 << 96))))
        return text.replace(CREATED, f"{created_at(number):%Y-%m-%dT%H:%M:00.000Z}")


def hubspot_properties(kind: str) -> list[Json]:
    """The description of every property."""
    names = json.loads(Records(kind).slice(0, 1))["properties"]
    return [{"name": name, "type": "string"} for name in names]


def data_source() -> Json:
    """The description of Notion's database."""
    page = json.loads(Records("pages").slice(0, 1))
    described = {
        name: {"id": value["id"], "name": name, "type": value["type"], value["type"]: {}}
        for name, value in page["properties"].items()
    }
    title = [{"type": "text", "plain_text": "Daily Disciplines"}]
    parent = {"type": "database_id", "database_id": DATABASE}
    return {
        "object": "data_source",
        "id": DATABASE,
        "title": title,
        "parent": parent,
        "properties": described,
    }


def _contact(dice: random.Random) -> Json:
    return _object(
        {
            "email": f"person{NUMBER}@example.com",
            "firstname": dice.choice(WORDS),
            "lastname": f"{dice.choice(WORDS)} {NUMBER}",
            "phone": f"+4930{NUMBER}",
            "company": dice.choice(WORDS),
            "city": dice.choice(WORDS),
            "lifecyclestage": dice.choice(("lead", "customer")),
            "hubspot_owner_id": None,
            "hs_merged_object_ids": None,
        },
        dice,
    )


def _company(dice: random.Random) -> Json:
    return _object(
        {
            "name": f"{dice.choice(WORDS)} {NUMBER}",
            "domain": f"company{NUMBER}.example.com",
            "industry": dice.choice(("RETAIL", "BANKING")),
            "city": dice.choice(WORDS),
            "numberofemployees": str(dice.randrange(1, 5000)),
            "hubspot_owner_id": None,
            "hs_merged_object_ids": None,
        },
        dice,
    )


def _object(properties: Json, dice: random.Random) -> Json:
    for number in range(HUBSPOT_PROPERTIES - len(properties)):
        value = _sentence(dice) if number % 3 else f"{dice.randrange(10**6)}"
        properties[f"custom_property_{number}"] = None if number % 5 == 4 else value
    times = {"createdAt": CREATED, "updatedAt": CREATED}
    return {"id": NUMBER, "properties": properties, **times, "archived": False}


def _page(dice: random.Random) -> Json:
    user = {"object": "user", "id": str(uuid.UUID(int=2))}
    day = {"start": f"20{dice.randrange(10, 30)}-0{dice.randrange(1, 10)}-11", "end": None, "time_zone": None}
    properties: Json = {
        "Name": _value("title", "title", [_text(f"Day {NUMBER}")]),
        "Date": _value("date", "dd%3A1", day),
    }
    for number in range(NOTION_PROPERTIES - len(properties)):
        kind = KINDS[number % len(KINDS)]
        # Only one date tells the day of a row.
        kind = "last_edited_time" if kind == "date" else kind
        properties[f"Property {number}"] = _value(kind, f"p%3B{number:02}", _content(kind, dice))
    return {
        "object": "page",
        "id": KEY,
        "created_time": CREATED,
        "last_edited_time": CREATED,
        "created_by": user,
        "last_edited_by": user,
        "cover": None,
        "icon": None,
        "parent": {"type": "data_source_id", "data_source_id": DATABASE, "database_id": DATABASE},
        "archived": False,
        "in_trash": False,
        "properties": properties,
        "url": f"https://www.notion.so/{NUMBER}",
        "public_url": None,
    }


def _value(kind: str, key: str, content: Any) -> Json:
    return {"id": key, "type": kind, kind: content}


def _content(kind: str, dice: random.Random) -> Any:
    option = {"id": f"{dice.randrange(10**8):08x}", "name": dice.choice(WORDS), "color": "green"}
    return {
        "checkbox": dice.random() < 0.5,
        "number": dice.choice((dice.randrange(20_000), round(dice.random() * 100, 2))),
        "select": option,
        "last_edited_time": CREATED,
        "rich_text": [_text(_sentence(dice))],
        "url": f"https://example.com/{NUMBER}",
        "email": f"person{NUMBER}@example.com",
        "multi_select": [option],
    }[kind]


def _text(content: str) -> Json:
    plain = dict.fromkeys(("bold", "italic", "strikethrough", "underline", "code"), False)
    return {
        "type": "text",
        "text": {"content": content, "link": None},
        "annotations": {**plain, "color": "default"},
        "plain_text": content,
        "href": None,
    }


def _person(dice: random.Random) -> Json:
    source = {"type": "CONTACT", "id": NUMBER}
    about = {"primary": True, "source": source}
    return {
        "resourceName": f"people/c{NUMBER}",
        "etag": f"%E{NUMBER}",
        "metadata": {
            "sources": [{**source, "etag": f"#{NUMBER}", "updateTime": CREATED}],
            "objectType": "PERSON",
        },
        "names": [
            {
                "metadata": about,
                "displayName": f"{dice.choice(WORDS)} {NUMBER}",
                "givenName": dice.choice(WORDS),
                "familyName": NUMBER,
            }
        ],
        "emailAddresses": [
            {"metadata": {"source": source}, "value": f"{where}{NUMBER}@example.com", "type": where}
            for where in ("home", "work")
        ],
        "phoneNumbers": [{"metadata": about, "value": f"+4930{NUMBER}", "canonicalForm": f"+4930{NUMBER}"}],
        "organizations": [{"metadata": about, "name": dice.choice(WORDS), "title": _sentence(dice)}],
        "biographies": [{"metadata": about, "value": _sentence(dice), "contentType": "TEXT_PLAIN"}],
        "memberships": [
            {
                "metadata": about,
                "contactGroupMembership": {
                    "contactGroupId": "myContacts",
                    "contactGroupResourceName": "contactGroups/myContacts",
                },
            }
        ],
    }


def _sentence(dice: random.Random) -> str:
    return " ".join(dice.choices(WORDS, k=dice.randrange(1, 9)))
