"""The fake API answers as Notion's reference says: lists, filters, sorts, cursors, cut values, versions."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notion_client.errors import HTTPResponseError

from reporting.sources.http import Policy
from reporting.sources.notion.properties import content_hash
from reporting.sources.notion.reader import NotionSource
from tests.sandbox.notion.conftest import TODAY, StandIn

ALL_TYPES = {
    *(
        "title",
        "rich_text",
        "number",
        "select",
        "multi_select",
        "status",
        "date",
        "people",
        "files",
        "checkbox",
    ),
    *("url", "email", "phone_number", "formula", "relation", "rollup", "created_time", "last_edited_time"),
    *("created_by", "last_edited_by", "button", "unique_id", "verification", "place"),
}
PATIENT = Policy(requests_per_second=10_000, clock_tolerance=None)


def test_search_finds_the_databases(notion: StandIn) -> None:
    answer = notion.client.search(filter={"property": "object", "value": "data_source"})
    names = [each["title"][0]["plain_text"] for each in answer["results"]]
    assert names == [
        *("Daily Disciplines", "Weekly Disciplines", "Monthly Disciplines", "Habit Targets", "Everything"),
    ]
    assert notion.client.search(query="weekly")["results"][0]["id"] == notion.source_id("Weekly Disciplines")


def test_a_search_without_a_filter_finds_pages_as_well(notion: StandIn) -> None:
    found, cursor = [], None
    while True:
        more = {"start_cursor": cursor} if cursor else {}
        answer = notion.client.search(query="2025-06", **more)
        found += answer["results"]
        if not answer["has_more"]:
            break
        cursor = answer["next_cursor"]
    daily = notion.source_id("Daily Disciplines")
    pages = [each for each in found if each["object"] == "page"]
    assert [each["id"] for each in pages if each["parent"]["data_source_id"] == daily] == [
        row["id"]
        for row in notion.truth("Daily Disciplines")
        if row["properties"]["Date"]["date"]["start"].startswith("2025-06")
    ]
    # Weeks are named after their first day.
    assert {each["parent"]["data_source_id"] for each in pages} == {
        daily,
        notion.source_id("Weekly Disciplines"),
    }
    first = notion.client.search()["results"]
    assert {each["object"] for each in first} == {"data_source", "page"}
    databases = notion.client.search(filter={"property": "object", "value": "database"})["results"]
    assert {each["object"] for each in databases} == {"database"}
    assert len(databases) == 5


def test_a_database_lists_its_data_source(notion: StandIn) -> None:
    source = notion.client.data_sources.retrieve(notion.source_id("Everything"))
    database = notion.client.databases.retrieve(source["parent"]["database_id"])
    assert database["data_sources"] == [{"id": source["id"], "name": "Everything"}]
    assert {each["type"] for each in source["properties"].values()} == ALL_TYPES


def test_a_year_of_days_with_gaps(notion: StandIn) -> None:
    rows = notion.rows("Daily Disciplines")
    days = {row["properties"]["Date"]["date"]["start"] for row in rows}
    assert len(days) == len(rows)
    assert max(days) == TODAY
    assert 300 < len(rows) < 365


def test_times_are_floored_to_the_minute(notion: StandIn) -> None:
    for row in notion.rows("Daily Disciplines"):
        for name in ("created_time", "last_edited_time"):
            assert row[name].endswith(":00.000Z")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    operator=st.sampled_from(["on_or_after", "after", "before", "on_or_before", "equals"]),
    field=st.sampled_from(["created_time", "last_edited_time"]),
    position=st.integers(0, 300),
    seconds=st.sampled_from([0, 30, -30]),
    size=st.integers(40, 100),
)
def test_time_filters_are_what_they_say(
    notion: StandIn, operator: str, field: str, position: int, seconds: int, size: int
) -> None:
    every = notion.truth("Daily Disciplines")
    bound = datetime.fromisoformat(every[position][field]) + timedelta(seconds=seconds)
    compared = {
        "on_or_after": lambda at: at >= bound,
        "after": lambda at: at > bound,
        "before": lambda at: at < bound,
        "on_or_before": lambda at: at <= bound,
        "equals": lambda at: at == bound,
    }[operator]
    expected = [row["id"] for row in every if compared(datetime.fromisoformat(row[field]))]
    found = notion.rows(
        "Daily Disciplines",
        filter={"timestamp": field, field: {operator: bound.isoformat()}},
        sorts=[{"timestamp": "created_time", "direction": "ascending"}],
        page_size=size,
    )
    assert [row["id"] for row in found] == expected


def test_property_filters_and_sorts(notion: StandIn) -> None:
    condition = {
        "and": [
            {"property": "Meditate", "checkbox": {"equals": True}},
            {
                "or": [
                    {"property": "Water", "number": {"greater_than": 8}},
                    {"property": "Notes", "rich_text": {"contains": "walk"}},
                ]
            },
        ]
    }
    found = notion.rows(
        "Daily Disciplines", filter=condition, sorts=[{"property": "Water", "direction": "descending"}]
    )

    def holds(row: dict) -> bool:
        values = row["properties"]
        water, notes = values["Water"]["number"], values["Notes"]["rich_text"]
        text = "".join(part["plain_text"] for part in notes)
        return values["Meditate"]["checkbox"] and ((water or 0) > 8 or "walk" in text)

    assert {row["id"] for row in found} == {
        row["id"] for row in notion.truth("Daily Disciplines") if holds(row)
    }
    amounts = [row["properties"]["Water"]["number"] for row in found]
    present = [each for each in amounts if each is not None]
    assert present == sorted(present, reverse=True)
    assert amounts[: len(present)] == present


def test_an_unknown_key_is_dropped_without_a_word(notion: StandIn) -> None:
    path = f"/v1/data_sources/{notion.source_id('Daily Disciplines')}/query"
    nothing = {"timestamp": "created_time", "created_time": {"after": "2100-01-01"}}
    assert notion.http.post(path, json={"filters": nothing}).json()["results"]
    assert not notion.http.post(path, json={"filter": nothing}).json()["results"]


def test_only_the_properties_asked_for(notion: StandIn) -> None:
    source = notion.client.data_sources.retrieve(notion.source_id("Daily Disciplines"))
    wanted = source["properties"]["Steps"]["id"]
    path = f"/v1/data_sources/{source['id']}/query"
    answer = notion.http.post(path, params={"filter_properties": wanted}, json={}).json()
    assert {tuple(row["properties"]) for row in answer["results"]} == {("Steps",)}
    page = notion.http.get(f"/v1/pages/{answer['results'][0]['id']}", params={"filter_properties": wanted})
    assert tuple(page.json()["properties"]) == ("Steps",)


def test_a_long_value_is_cut_and_whole_elsewhere(notion: StandIn) -> None:
    row = next(
        each
        for each in notion.rows("Everything")
        if each["properties"]["Name"]["title"][0:1]
        and each["properties"]["Name"]["title"][0]["plain_text"] == "Row 0"
    )
    related = row["properties"]["Related"]
    assert (len(related["relation"]), related["has_more"]) == (25, True)
    assert len(row["properties"]["Text"]["rich_text"]) == 25
    items, cursor = [], None
    while True:
        more = {"start_cursor": cursor} if cursor else {}
        answer = notion.client.pages.properties.retrieve(row["id"], related["id"], page_size=25, **more)
        items += answer["results"]
        if not answer["has_more"]:
            break
        cursor = answer["next_cursor"]
    assert len({each["relation"]["id"] for each in items}) == len(items) == 40
    assert {each["type"] for each in items} == {"relation"}


def whole_value(notion: StandIn, page_id: str, property_id: str) -> list[dict]:
    items, cursor = [], None
    while True:
        more = {"start_cursor": cursor} if cursor else {}
        path = f"/v1/pages/{page_id}/properties/{property_id}"
        answer = notion.http.get(path, params={"page_size": 30, **more}).json()
        items += [each[each["type"]] for each in answer["results"]]
        if not answer["has_more"]:
            return items
        cursor = answer["next_cursor"]


@pytest.mark.parametrize("name", ["Name", "Text", "People", "Related"])
def test_each_kind_of_reference_is_cut_at_25_and_whole_elsewhere(notion: StandIn, name: str) -> None:
    whole = {row["id"]: row["properties"][name] for row in notion.truth("Everything")}
    lengths = set()
    for row in notion.rows("Everything"):
        shown, held = row["properties"][name], whole[row["id"]]
        kind = held["type"]
        lengths.add(len(held[kind]))
        assert shown[kind] == held[kind][:25]
        if kind == "relation":
            assert shown["has_more"] == (len(held[kind]) > 25)
        if len(held[kind]) > 25:
            assert whole_value(notion, row["id"], held["id"]) == held[kind]
            twice = f"/v1/pages/{row['id']}/properties/{quote(held['id'])}"
            assert notion.http.get(twice).status_code == (200 if quote(held["id"]) == held["id"] else 404)
    assert {0, 40} <= lengths


def test_property_items_of_every_type(notion: StandIn) -> None:
    lists = set()
    every = notion.truth("Everything")
    # A long row, one with an array in its rollup, and an empty one.
    for row in (every[0], every[2], every[3]):
        for value in row["properties"].values():
            path = f"/v1/pages/{row['id']}/properties/{value['id']}"
            answer = notion.http.get(path).json()
            kind = value["type"]
            if answer["object"] == "list":
                lists.add(kind)
                assert (answer["type"], answer["property_item"]["type"]) == ("property_item", kind)
                held = value[kind]["array"] if kind == "rollup" else value[kind]
                assert len(answer["results"]) == len(held)
            elif kind != "files":
                assert {"object": "property_item", **value} == {
                    key: each for key, each in answer.items() if key != "request_id"
                }
    assert lists == {"title", "rich_text", "people", "relation", "rollup"}


def test_a_hosted_file_is_signed_for_an_hour_in_each_answer(notion: StandIn) -> None:
    def hosted() -> list[dict]:
        files = [file for row in notion.rows("Everything") for file in row["properties"]["Files"]["files"]]
        return [file["file"] for file in files if file["type"] == "file"]

    first, again = hosted(), hosted()
    assert {each["url"] for each in first}.isdisjoint(each["url"] for each in again)
    assert [each["url"].partition("?")[0] for each in first] == [
        each["url"].partition("?")[0] for each in again
    ]
    for each in first:
        left = datetime.fromisoformat(each["expiry_time"]) - datetime.now(UTC)
        assert timedelta(minutes=58) < left <= timedelta(hours=1)
    source = NotionSource("ntn_test", notion.address, PATIENT)
    found = source.find("Everything")
    hashes = [
        {record.payload["id"]: content_hash(record) for page in source.read(found) for record in page.records}
        for _ in range(2)
    ]
    source.close()
    assert hashes[0] == hashes[1]


def test_every_type_is_there_full_and_empty(notion: StandIn) -> None:
    rows = notion.rows("Everything")
    seen = {kind: set() for kind in ALL_TYPES}
    for row in rows:
        for value in row["properties"].values():
            seen[value["type"]].add(str(value[value["type"]]))
    single = {"button"}
    assert {kind for kind, found in seen.items() if len(found) < 2} == single


def test_the_newer_version_knows_no_archived(notion: StandIn) -> None:
    key = notion.rows("Everything")[0]["id"]
    assert "archived" in notion.client_of("2025-09-03").pages.retrieve(key)
    newer = notion.client_of("2026-03-11").pages.retrieve(key)
    assert "archived" not in newer
    assert newer["in_trash"] is False


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/data_sources/{daily}/query", {"page_size": 101}, 400, "validation_error"),
        ("POST", "/v1/data_sources/{daily}/query", {"start_cursor": "x"}, 400, "validation_error"),
        ("POST", "/v1/data_sources/{daily}/query", {"filter": {"property": "No"}}, 400, "validation_error"),
        ("POST", "/v1/data_sources/{daily}/query", "{", 400, "invalid_json"),
        ("GET", "/v1/pages/598b2461-797e-514f-aa01-66d1d0f4bbb6", None, 404, "object_not_found"),
        ("POST", "/v1/data_sources/{daily}/query", {"page_size": "9"}, 400, "validation_error"),
        ("POST", "/v1/data_sources/{daily}/query", {"result_type": "x"}, 400, "validation_error"),
        ("POST", "/v1/data_sources/{daily}/query", "[]", 400, "validation_error"),
        ("POST", "/v1/data_sources/{daily}/query", '{"page_size": NaN}', 400, "invalid_json"),
        ("POST", "/v1/search", {"filter": {"property": "object", "value": "x"}}, 400, "validation_error"),
        ("POST", "/v1/search", {"filter": ["page"]}, 400, "validation_error"),
        ("PATCH", "/v1/data_sources/{daily}", {"title": [{"text": None}]}, 400, "validation_error"),
        ("POST", "/v1/pages", {"parent": {"page_id": "x"}}, 400, "validation_error"),
        ("POST", "/v1/pages", {"parent": {"data_source_id": "x"}}, 404, "object_not_found"),
        ("GET", "/v1/nothing", None, 400, "invalid_request_url"),
        ("DELETE", "/v1/users/me", None, 400, "invalid_request_url"),
        ("GET", "/v1/databases/598b2461-797e-514f-aa01-66d1d0f4bbb6", None, 404, "object_not_found"),
    ],
)
def test_refusals(notion: StandIn, method: str, path: str, body: object, status: int, code: str) -> None:
    path = path.format(daily=notion.source_id("Daily Disciplines"))
    content = {"content": body} if isinstance(body, str) else {"json": body}
    answer = notion.http.request(method, path, **content)
    assert answer.status_code == status
    error = answer.json()
    assert (error["object"], error["status"], error["code"]) == ("error", status, code)
    assert error["request_id"] != notion.http.get("/v1/users/me").json()["request_id"]


def test_token_and_version_are_minded(notion: StandIn) -> None:
    bare = httpx.get(f"{notion.address}/v1/users/me", headers={"Notion-Version": "2025-09-03"})
    assert (bare.status_code, bare.json()["code"]) == (401, "unauthorized")
    old = httpx.get(f"{notion.address}/v1/users/me", headers={**notion.headers("2019-01-01")})
    assert (old.status_code, old.json()["code"]) == (400, "validation_error")
    without = httpx.get(f"{notion.address}/v1/users/me", headers={"Authorization": "Bearer ntn_test"})
    assert (without.status_code, without.json()["code"]) == (400, "missing_version")
    with pytest.raises(HTTPResponseError):
        notion.client_of("2019-01-01").users.me()


def test_the_projects_reader_reads_all_of_it(notion: StandIn) -> None:
    source = NotionSource("ntn_test", notion.address, PATIENT)
    for name in ("Daily Disciplines", "Everything"):
        found = source.find(name)
        records = [record for page in source.read(found) for record in page.records]
        assert {record.payload["id"] for record in records} == {row["id"] for row in notion.truth(name)}
    related = found["properties"]["Related"]["id"]
    assert max(len(record.values.get(related, [])) for record in records) == 40
    assert source.server_started_at is not None
    assert abs(source.server_started_at - datetime.now(UTC)) < timedelta(minutes=1)
    source.close()
