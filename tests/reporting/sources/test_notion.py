"""The Notion reader against a server in the test's own process, which answers as Notion's reference says."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.sources.base import AccessDeniedError, IncompleteReadError, NotFoundError, Record, SourceError
from reporting.sources.notion import content_hash, date_property, properties_of
from tests.notion_server import HABITS, HOLDER, START, Notion, source_over, title


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
