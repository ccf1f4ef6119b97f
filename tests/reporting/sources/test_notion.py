"""The Notion reader against a server in the test's own process, which answers as Notion's reference says."""

import itertools
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from reporting.sources.base import AccessDeniedError, IncompleteReadError, NotFoundError, Record, SourceError
from reporting.sources.http import Policy, PoliteTransport
from reporting.sources.notion.properties import content_hash, date_property, properties_of
from reporting.sources.notion.reader import NotionSource
from sandbox.notion.app import app_of
from sandbox.notion.sample import Sample
from sandbox.notion.store import Store
from tests.support.notion_server import HABITS, HOLDER, START, Notion, iso, source_over, title


def read_ids(server: Notion, since: datetime | None = None) -> list[str]:
    source = source_over(server)
    pages = source.read(source.find(HABITS), since)
    return [record.payload["id"] for page in pages for record in page.records]


def minutes(*offsets: float) -> list[datetime]:
    return [START + timedelta(minutes=offset) for offset in offsets]


@given(st.lists(st.integers(0, 400), max_size=400), st.integers(100, 250))
def test_every_row_is_read_past_the_cap(offsets: list[int], cap: int) -> None:
    server = Notion(minutes(*offsets), cap)
    busiest = max([offsets.count(each) for each in offsets], default=0)
    if busiest >= cap:
        return
    assert set(read_ids(server)) == set(server.pages)


def test_a_minute_fuller_than_the_cap_fails_loudly() -> None:
    server = Notion(minutes(*[5.0] * 150), cap=100)
    with pytest.raises(IncompleteReadError, match=r"in the minute 2026-01-01T00:05"):
        read_ids(server)


def test_a_page_says_that_it_met_the_cap() -> None:
    server = Notion(minutes(*range(400)), cap=150)
    source = source_over(server)
    # 150 rows, then 149 new ones, then the rest.
    assert [page.is_capped for page in source.read(source.find(HABITS))] == [
        False,
        True,
        False,
        True,
        False,
        False,
    ]


def test_an_empty_page_is_not_the_end() -> None:
    server = Notion(minutes(*range(150)))
    server.empty_pages = 2
    assert len(read_ids(server)) == 150


def test_an_expired_cursor_is_not_the_end() -> None:
    server = Notion(minutes(*range(950)))
    server.refuse_cursors = 6
    assert set(read_ids(server)) == set(server.pages)


def test_cursors_refused_for_ever_fail() -> None:
    server = Notion(minutes(*[5.0] * 150))
    server.refuse_cursors = 99
    with pytest.raises(IncompleteReadError, match="keeps refusing its own cursors"):
        read_ids(server)


def test_an_edit_in_the_cursors_minute_is_read_again() -> None:
    server = Notion(minutes(0, 10, 20))
    assert read_ids(server, START + timedelta(minutes=20, seconds=40)) == ["p00002"]


def test_a_window_holds_both_of_its_ends_past_the_cap() -> None:
    server = Notion(minutes(*range(400)), cap=150)
    since, until = START + timedelta(minutes=50), START + timedelta(minutes=350)
    source = source_over(server)
    pages = list(source.read(source.find(HABITS), since, until))
    found = {record.payload["id"] for page in pages for record in page.records}
    assert found == {f"p{minute:05d}" for minute in range(48, 351)}


def test_the_filter_is_sent_under_the_name_that_notion_knows() -> None:
    server = Notion(minutes(0))
    read_ids(server, START)
    assert set(server.queries[0]) == {"page_size", "sorts", "filter"}


def test_a_cut_value_is_read_whole() -> None:
    server = Notion(minutes(0))
    items = [{"id": f"r{number}"} for number in range(230)]
    server.items["a%3Db"] = items
    server.pages["p00000"]["properties"] = {
        "Related": {"id": "a%3Db", "type": "relation", "relation": items[:25], "has_more": True},
        "Few": {"id": "few", "type": "relation", "relation": items[:2], "has_more": False},
    }
    source = source_over(server)
    (page,) = source.read(source.find(HABITS))
    (record,) = page.records
    assert record.values == {"a%3Db": items}
    assert record.payload["properties"]["Related"]["relation"] == items[:25]
    assert [len(each["value"]) for each in properties_of(record)] == [230, 2]


@pytest.fixture
def related(tmp_path: Path) -> Iterator[tuple[NotionSource, Any, httpx.Client]]:
    """A reader of a workspace with a row that refers to forty others, and to none, and what is computed from it."""
    store = Store(tmp_path)
    store.fill({}, Sample(1, 1, 1, date(2026, 3, 1), START).data_sources(), [])
    app = TestClient(app_of(store), headers={"Authorization": "Bearer any", "Notion-Version": "2025-09-03"})

    def ask(method: str, path: str, body: Any) -> Any:
        answer = app.request(method, f"/v1/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    key = app.get("/_control/state").json()["data_sources"][0]["id"]
    known = ask("GET", f"data_sources/{key}", None)["properties"]
    (name,) = [each for each, value in known.items() if value["type"] == "title"]
    rollup = {"relation_property_name": "Others", "rollup_property_name": name}
    properties = {
        "Others": {"relation": {"data_source_id": key}},
        "Titles": {"rollup": {**rollup, "function": "show_original"}},
        "Number": {"rollup": {**rollup, "function": "count"}},
        "Length": {"formula": {"expression": 'prop("Others").length()'}},
    }
    ask("PATCH", f"data_sources/{key}", {"properties": properties})
    made = [
        ask(
            "POST",
            "pages",
            {
                "parent": {"data_source_id": key},
                "properties": {name: {"title": [{"text": {"content": f"Row {number}"}}]}},
            },
        )["id"]
        for number in range(130)
    ]
    for count, page in zip((0, 24, 25, 26, 40, 130), made, strict=False):
        others = [{"id": each} for each in made[:count]]
        ask("PATCH", f"pages/{page}", {"properties": {"Others": {"relation": others}}})

    def answer(request: httpx.Request) -> httpx.Response:
        found = app.request(
            request.method,
            request.url.raw_path.decode(),
            content=request.content,
            headers=dict(request.headers),
        )
        return httpx.Response(found.status_code, content=found.content)

    transport = PoliteTransport(Policy(10_000.0), httpx.MockTransport(answer), sleep=lambda _: None)
    yield NotionSource("ntn_hidden", transport=transport), key, app
    store.close()


def test_what_is_computed_from_many_references_is_whole(
    related: tuple[NotionSource, str, httpx.Client],
) -> None:
    source, key, api = related
    pages = source.read(source.find(key))
    records = {
        len(value["Others"]): value
        for page in pages
        for record in page.records
        for value in [{each["name"]: each["value"] for each in properties_of(record)}]
    }
    assert records.keys() == {0, 24, 25, 26, 40, 130}
    for count, value in records.items():
        titles = [each["title"][0]["plain_text"] for each in value["Titles"]["array"]]
        assert titles == [f"Row {number}" for number in range(count)]
        assert value["Number"]["number"] == value["Length"]["number"] == count
    # Four for each row with 25 references or more; two pages of three of them where there are 130.
    asked = api.get("/_control/requests").json()
    assert asked["GET /v1/pages/{id}/properties/{id}"] == 4 * 4 + 3


def test_a_value_that_cannot_be_read_whole_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    server = Notion(minutes(0, 1))
    for page in server.pages.values():
        page["properties"] = {
            "Related": {"id": "r", "type": "relation", "relation": [{"id": "x"}], "has_more": True}
        }
    refused = httpx.Response(404, json={"code": "object_not_found", "message": "m"})
    with mock.patch.object(server, "property_items", return_value=refused):
        assert read_ids(server) == ["p00000", "p00001"]
    assert "the property 'r' of page p00000 is kept as far as its row shows it" in caplog.text


def test_a_repeated_page_of_the_search_names_no_database_twice() -> None:
    server = Notion([])
    other = {"id": "33333333333333333333333333333333", "title": title("Others")}
    server.searches = [server.sources, server.sources, [other, *server.sources]]
    assert source_over(server).find("Daily Disciplines")["id"] == HABITS
    assert len(list(source_over(server).data_sources())) == 2


def test_a_page_that_is_gone_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    source = source_over(Notion([]))
    assert [page.tombstones[0].reason for page in source.ask_about({"id": HABITS}, ["gone"])] == ["missing"]
    assert not caplog.records


@pytest.mark.parametrize("cursors", [["a"], ["a", "b"], [None]])
def test_cursors_that_lead_round_are_an_error(cursors: list[str | None]) -> None:
    """Everywhere: the search, a query, and the items of a property."""
    turns = itertools.cycle(cursors)
    relation = {"id": "r", "type": "relation", "relation": [], "has_more": True}
    row = {"id": "p", "created_time": iso(START), "properties": {"Related": relation}}

    def answer(request: httpx.Request) -> httpx.Response:
        is_query = request.url.path.endswith("/query")
        found = {"results": [row] if is_query and looping == "items" else [], "has_more": True}
        return httpx.Response(200, json={**found, "next_cursor": next(turns)})

    for looping in ("search", "query", "items"):
        transport = PoliteTransport(Policy(10_000.0), httpx.MockTransport(answer), sleep=lambda _: None)
        source = NotionSource("ntn_hidden", transport=transport)
        with pytest.raises(IncompleteReadError, match="nothing was loaded"):
            list(source.data_sources() if looping == "search" else source.read({"id": HABITS}))


def test_what_is_gone_is_asked_about() -> None:
    server = Notion(minutes(0, 1, 2))
    server.pages["p00000"]["in_trash"] = True
    server.pages["p00001"]["parent"] = {"data_source_id": "another"}
    source = source_over(server)
    pages = list(source.ask_about(source.find(HABITS), ["p00000", "p00001", "p00002", "purged"]))
    tombstones = {each.id: each.reason for page in pages for each in page.tombstones}
    assert tombstones == {"p00000": "trashed", "p00001": "missing", "purged": "missing"}
    assert [record.payload["id"] for page in pages for record in page.records] == ["p00002"]


def test_trashed_rows_in_a_query_are_not_records() -> None:
    server = Notion(minutes(0, 1))
    server.pages["p00000"]["archived"] = True
    assert read_ids(server) == ["p00001"]


@pytest.mark.parametrize("name", [HABITS, HOLDER, "Daily Disciplines"])
def test_a_database_is_found_by_either_id_or_its_name(name: str) -> None:
    assert source_over(Notion([])).find(name)["id"] == HABITS


def test_a_name_that_matches_nothing_lists_what_there_is() -> None:
    with pytest.raises(NotFoundError, match=rf"'Daily Disciplines' \({HABITS}\)"):
        source_over(Notion([])).find("daily disciplines")


def test_a_name_that_matches_twice_asks_for_the_id() -> None:
    server = Notion([])
    server.sources.append({"id": "33333333333333333333333333333333", "title": title("Daily Disciplines")})
    with pytest.raises(NotFoundError, match="2 Notion databases are named"):
        source_over(server).find("Daily Disciplines")


def test_a_database_with_two_data_sources_asks_for_one() -> None:
    server = Notion([])
    server.holders[HOLDER].append({"id": "other", "name": "Other"})
    with pytest.raises(NotFoundError, match="holds 2 data sources"):
        source_over(server).find(HOLDER)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AccessDeniedError), (403, AccessDeniedError), (404, NotFoundError), (400, SourceError)],
)
def test_a_refusal_says_what_to_do_and_no_token(status: int, error: type[Exception]) -> None:
    server = Notion([])
    server.status = status
    with pytest.raises(error) as caught:
        source_over(server).find("Daily Disciplines")
    chain: list[BaseException] = [caught.value]
    while chain[-1].__cause__ or chain[-1].__context__:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)  # type: ignore[arg-type]
    assert not any("ntn_hidden" in f"{each!s} {each!r}" for each in chain)


DATES = {"Date": {"id": "%3Fd", "type": "date"}, "Done": {"id": "x", "type": "checkbox"}}


@pytest.mark.parametrize("configured", [None, "%3Fd", "?d", "Date"])
def test_the_date_property(configured: str | None) -> None:
    assert date_property({"title": [], "properties": DATES}, configured) == "%3Fd"


@pytest.mark.parametrize("properties", [{}, {**DATES, "Due": {"id": "due", "type": "date"}}])
def test_no_date_or_two_is_an_error_that_lists_them(properties: dict[str, Any]) -> None:
    with pytest.raises(NotFoundError, match=r"exactly one date property.*(none|'Due' \(due\))"):
        date_property({"title": title("Habits"), "properties": properties})


def test_the_order_of_keys_is_not_content() -> None:
    assert content_hash(Record({"a": 1, "b": [2]})) == content_hash(Record({"b": [2], "a": 1}))
    assert content_hash(Record({"a": 1})) != content_hash(Record({"a": 2}))
