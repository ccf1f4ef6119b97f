"""Records as no reference describes them: whatever is missing, null or of another type, it stops no other record."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import httpx
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from reporting.entity import Entity
from reporting.ingest.landing import Manifest
from reporting.ingest.rows import rows_of
from reporting.settings import read_settings
from reporting.sources.base import Page, Record
from reporting.sources.google_contacts import lists as google_contacts
from reporting.sources.google_contacts.entities import GOOGLE
from reporting.sources.http import Policy, PoliteTransport
from reporting.sources.hubspot import objects
from reporting.sources.hubspot import reader as hubspot
from reporting.sources.hubspot.entities import HUBSPOT
from reporting.sources.notion import reader as notion
from reporting.sources.notion.entities import NOTION
from reporting.sources.shapes import as_time, record_of
from reporting.warehouse.tables import SOURCES
from tests.support.notion_server import HABITS, START, iso

KINDS = (
    "contacts",
    "deals",
    "owners",
    "pipelines",
    "associations",
    "daily_habits",
    "habit_targets",
    "contact_groups",
)
ENTITIES = [each for each in (*HUBSPOT, *NOTION, *GOOGLE) if each.name in KINDS]
ODD_TEXTS = st.sampled_from(
    [
        *("", " ", "\x00", "Ana \ud83c", "null", "true", "1001", "a;b", "http://[", "\ufeff", "\uff11"),
        *("0000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-13-01"),
        *("0001-01-01T00:00:00+14:00", "2026-02-03T04:05:06.123456789Z", "2026-02-03"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ODD_TEXTS | st.text(max_size=4)
# What the code looks for, wherever it looks for it.
NAMES = st.sampled_from(
    [
        *(
            "id",
            "type",
            "name",
            "value",
            "properties",
            "archived",
            "metadata",
            "sources",
            "date",
            "year",
            "start",
        ),
        *("title", "plain_text", "relation", "has_more", "rollup", "array", "formula", "url", "expiry_time"),
        *("updateTime", "primary", "source", "stages", "hs_merged_object_ids", "phone", "deleted"),
    ]
)
ODD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    *("createdAt", "updatedAt", "archived", "archivedAt", "properties", "stages", "email", "userId", "label"),
    *(
        "firstName",
        "displayOrder",
        "from_id",
        "to_id",
        "type_id",
        "metadata",
        "etag",
        "memberCount",
        "groupType",
    ),
    *("names", "emailAddresses", "phoneNumbers", "organizations", "birthdays", "memberships", "parent"),
    *("created_time", "last_edited_time", "created_by", "in_trash", "url", "name"),
]
PROPERTIES = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("firstname", "phone", "amount", "hs_merged_object_ids", "lastmodifieddate"), ODD),
)
VALUES = st.dictionaries(
    st.text(max_size=3),
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("id", "type", "title", "date", "number", "relation", "rollup", "has_more"), ODD
        ),
    ),
    max_size=3,
)
PAYLOADS = st.fixed_dictionaries(
    {"id": st.just("7")},
    optional={**dict.fromkeys(FIELDS, ODD), "properties": ODD | PROPERTIES | VALUES},
)
DATED = {"id": HABITS, "title": None, "properties": {"Date": {"id": "d", "type": "date"}, "Odd": None}}


def manifest_of(entity: Entity) -> Manifest:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Manifest(
        run_id="run",
        source=entity.source,
        entity=entity.name,
        refresh="full",
        started_at=at,
        extracted_at=at,
        window_since=None,
        cursor_at=at,
        record_count=1,
        tombstone_count=0,
        request_count=1,
        part_count=1,
        is_complete=True,
        schema=DATED,
    )


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.table)
@hypothesis_settings(max_examples=60, deadline=None)
@given(payload=PAYLOADS)
def test_every_record_with_a_key_has_a_row(entity: Entity, payload: dict[str, Any]) -> None:
    settings = read_settings({})
    (row,) = rows_of(
        entity, manifest_of(entity), iter([Page(datetime.now(UTC), (Record(payload),))]), settings
    )
    assert row["id"] == "7"
    assert len(row["_content_hash"]) == 64
    assert row.keys() <= {"_payload", "_extracted_at", "_deleted_at", "_deleted_reason"} | {
        column.name for column in SOURCES[entity.source].rows.columns(entity)
    } | {"_source_updated_at", "_content_hash"}
    if row.get("_deleted_reason"):
        assert as_time(row["_deleted_at"])
    for each in row.get("_properties", ()):
        # JSON as the standard has it: no NaN, and no half a character.
        text = json.dumps(json.loads(each["value"], parse_constant=pytest.fail), ensure_ascii=False)
        assert text.encode()


ROWS = st.lists(ODD | PAYLOADS, max_size=6)


def told(pages: Any) -> tuple[set[str], int]:
    """The ids of a read, and how many records have none."""
    records = [record for page in pages for record in page.records]
    for record in records:
        # What the landing and the digest of a full refresh make of it.
        json.dumps(record.payload)
        assert record.id is None or record.id.encode()
    return {each.id for each in records if each.id}, sum(each.id is None for each in records)


def over(answer: Callable[[httpx.Request], Any]) -> PoliteTransport:
    def served(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=json.dumps(answer(request)).encode())

    return PoliteTransport(Policy(1e9), httpx.MockTransport(served), sleep=lambda _: None)


def keys(rows: list[Any]) -> set[str]:
    return {found for each in rows if (found := record_of(each).id)}


@pytest.mark.parametrize(
    ("kind", "since", "fits"),
    [
        *(("contacts", None, True), ("contacts", None, False), ("contacts", START, True)),
        *(("owners", None, True), ("pipelines", None, True)),
    ],
)
@hypothesis_settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_an_odd_record_of_hubspot_stops_no_other(
    kind: str, since: datetime | None, fits: bool, rows: list[Any]
) -> None:
    rows = [{"id": "1", "properties": {}}, *rows, {"id": "2", "properties": {"firstname": "Ana"}}]

    def answer(request: httpx.Request) -> Any:
        if "properties" in request.url.path:
            return {"results": [{"name": "firstname", "type": "string"}, None, {"name": []}]}
        if request.url.path.endswith("batch/read"):
            asked = [each["id"] for each in json.loads(request.content)["inputs"]]
            return {"results": [{"id": each} for each in asked]}
        return {"results": rows, "paging": None}

    portal = hubspot.HubSpot("pat-hidden", transport=over(answer))
    entity = next(each for each in HUBSPOT if each.name == kind)
    reader = hubspot.reader_of(portal, entity)
    with mock.patch.object(objects, "LONGEST_SELECTION", 6000 if fits else 1):
        reader.describe()
        pages = list(reader.read(since))
    found, rejected = told(pages)
    # The pipelines of tickets, too, whose keys have their type before them.
    further = {f"tickets:{key}" for key in keys(rows)} if kind == "pipelines" else set()
    assert found == keys(rows) | further >= {"1", "2"}
    # Owners and objects are listed twice: those in the recycling bin apart.
    lists = 1 if since else 2
    assert rejected == lists * sum(record_of(each).id is None for each in rows)
    for page in pages:
        for record in page.records:
            assert reader.content_hash(record)


@hypothesis_settings(max_examples=60, deadline=None)
@given(links=st.lists(ODD | st.fixed_dictionaries({"toObjectId": ODD, "associationTypes": ODD}), max_size=4))
def test_an_odd_association_stops_no_other(links: list[Any]) -> None:
    good = {
        "toObjectId": 2,
        "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 1, "label": None}],
    }

    def answer(request: httpx.Request) -> Any:
        if request.method == "GET":
            return {"results": [{"id": "1"}, {"id": "1"}, None, {"id": "x"}]}
        asked = [each["id"] for each in json.loads(request.content)["inputs"]]
        # Whoever is listed twice is asked about once.
        assert len(asked) == len(set(asked))
        odd = [None, {"from": None, "to": []}, {"from": {"id": "9"}, "to": None}]
        return {"results": [*odd, *({"from": {"id": each}, "to": [*links, good]} for each in asked)]}

    reader = hubspot.reader_of(
        hubspot.HubSpot("pat-hidden", transport=over(answer)),
        next(each for each in HUBSPOT if each.name == "associations"),
    )
    found, rejected = told(reader.read(None))
    assert {"contacts:1>companies:2#HUBSPOT_DEFINED:1", "calls:x>deals:2#HUBSPOT_DEFINED:1"} <= found
    assert rejected


@hypothesis_settings(max_examples=100, deadline=None)
@given(rows=ROWS)
@example(rows=[{"id": "1", "properties": {"a": {"id": "a", "type": [], "has_more": True}}}])
@example(rows=[{"id": "1", "properties": {"a": {"id": "a", "type": {"b": 1}}}}])
def test_an_odd_page_of_notion_stops_no_other(rows: list[Any]) -> None:
    """Nor does its time of creation lead past others, where a query ends at its cap."""
    asked: list[Any] = []

    def answer(request: httpx.Request) -> Any:
        if request.method == "GET":
            return {"results": [None, {"type": "relation", "relation": {"id": "r"}}], "has_more": False}
        body = json.loads(request.content)
        asked.append(body.get("filter"))
        good = {"id": f"good-{len(asked)}", "created_time": iso(START), "properties": {}}
        ended = {"request_status": {"type": "incomplete"}} if len(asked) == 1 else {}
        return {"results": [*rows, good], "has_more": False, **ended}

    source = notion.NotionSource("ntn_hidden", transport=over(answer))
    pages = list(source.read(DATED))
    living = [
        each
        for each in rows
        if not (isinstance(each, dict) and (each.get("in_trash") or each.get("archived")))
    ]
    found, _ = told(pages)
    assert found == keys(living) | {"good-1", "good-2"}
    first = as_time(asked[1]["created_time"]["on_or_after"])
    assert first
    assert START <= first <= datetime.now(UTC).replace(year=datetime.now(UTC).year + 1)
    for page in pages:
        for record in page.records:
            assert notion.content_hash(record)


@hypothesis_settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_an_odd_contact_of_google_stops_no_other(rows: list[Any]) -> None:
    page = google_contacts._page(datetime.now(UTC), [*rows, {"resourceName": "people/c1"}])
    found, _ = told([page])
    assert "people/c1" in found
    assert found | {each.id for each in page.tombstones} >= keys(rows)
    for record in page.records:
        assert google_contacts.content_hash(record, "DE")
