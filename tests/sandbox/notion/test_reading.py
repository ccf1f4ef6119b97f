"""The stand-in answers as Notion's reference says: lists, filters, sorts, cursors, cut values, versions."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notion_client.errors import HTTPResponseError

from reporting.sources.http import Policy
from reporting.sources.notion import NotionSource
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
PATIENT = Policy(requests_per_second=10_000)


def test_search_finds_the_databases(notion: StandIn) -> None:
    answer = notion.client.search(filter={"property": "object", "value": "data_source"})
    names = [each["title"][0]["plain_text"] for each in answer["results"]]
    assert names == [
        *("Daily Disciplines", "Weekly Disciplines", "Monthly Disciplines", "Habit Targets", "Everything"),
    ]
    assert notion.client.search(query="weekly")["results"][0]["id"] == notion.source_id("Weekly Disciplines")


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
    size=st.integers(7, 100),
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
    assert len(items) == 60
    assert {each["type"] for each in items} == {"relation"}


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
        ("GET", "/v1/databases/598b2461-797e-514f-aa01-66d1d0f4bbb6", None, 404, "object_not_found"),
    ],
)
def test_refusals(notion: StandIn, method: str, path: str, body: object, status: int, code: str) -> None:
    path = path.format(daily=notion.source_id("Daily Disciplines"))
    content = {"content": body} if isinstance(body, str) else {"json": body}
    answer = notion.http.request(method, path, **content)
    assert answer.status_code == status
    assert (answer.json()["object"], answer.json()["code"]) == ("error", code)


def test_token_and_version_are_minded(notion: StandIn) -> None:
    bare = httpx.get(f"{notion.address}/v1/users/me", headers={"Notion-Version": "2025-09-03"})
    assert (bare.status_code, bare.json()["code"]) == (401, "unauthorized")
    old = httpx.get(f"{notion.address}/v1/users/me", headers={**notion.headers("2019-01-01")})
    assert (old.status_code, old.json()["code"]) == (400, "missing_version")
    with pytest.raises(HTTPResponseError):
        notion.client_of("2019-01-01").users.me()


def test_the_projects_reader_reads_all_of_it(notion: StandIn) -> None:
    source = NotionSource("ntn_test", notion.address, PATIENT)
    for name in ("Daily Disciplines", "Everything"):
        found = source.find(name)
        records = [record for page in source.read(found) for record in page.records]
        assert {record.payload["id"] for record in records} == {row["id"] for row in notion.truth(name)}
    related = found["properties"]["Related"]["id"]
    assert max(len(record.values.get(related, [])) for record in records) == 60
    assert source.server_started_at is not None
    assert abs(source.server_started_at - datetime.now(UTC)) < timedelta(minutes=1)
    source.close()
