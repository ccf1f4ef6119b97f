"""Filters and sorts by property, each compared with a plain evaluation of the rows as they really are."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.notion.query import InvalidQueryError, ordered
from tests.sandbox.notion.conftest import StandIn

DAILY = "Daily Disciplines"
Row = dict[str, Any]


def held(row: Row, name: str) -> Any:
    """A value as plain text, number, boolean or list; None where it is empty."""
    value = row["properties"][name]
    content = value[value["type"]]
    match value["type"]:
        case "title" | "rich_text":
            return "".join(part["plain_text"] for part in content) or None
        case "select" | "status":
            return content and content["name"]
        case "date":
            return content and content["start"]
        case "multi_select":
            return [each["name"] for each in content]
        case "people" | "relation":
            return [each["id"] for each in content]
    return content


PLAIN: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda have, want: have == want,
    "does_not_equal": lambda have, want: have != want,
    "contains": lambda have, want: want.lower() in (have or "").lower(),
    "does_not_contain": lambda have, want: want.lower() not in (have or "").lower(),
    "starts_with": lambda have, want: (have or "").lower().startswith(want.lower()),
    "ends_with": lambda have, want: (have or "").lower().endswith(want.lower()),
    "greater_than": lambda have, want: have is not None and have > want,
    "less_than": lambda have, want: have is not None and have < want,
    "greater_than_or_equal_to": lambda have, want: have is not None and have >= want,
    "less_than_or_equal_to": lambda have, want: have is not None and have <= want,
    "before": lambda have, want: have < want,
    "after": lambda have, want: have > want,
    "on_or_before": lambda have, want: have <= want,
    "on_or_after": lambda have, want: have >= want,
    "is_empty": lambda have, _: have is None,
    "is_not_empty": lambda have, _: have is not None,
}
NUMERIC = ("greater_than", "less_than", "greater_than_or_equal_to", "less_than_or_equal_to", "equals")
TEXTUAL = ("equals", "does_not_equal", "contains", "does_not_contain", "starts_with", "ends_with")
DATED = ("before", "after", "on_or_before", "on_or_after", "equals")
EMPTY = st.sampled_from(["is_empty", "is_not_empty"])
DAYS = st.dates(date(2025, 3, 1), date(2026, 4, 1)).map(date.isoformat)


def leaf(names: list[str], kind: str, tests: st.SearchStrategy[tuple[str, Any]]) -> st.SearchStrategy[tuple]:
    return st.tuples(st.sampled_from(names), st.just(kind), tests)


LEAVES = st.one_of(
    leaf(["Water", "Steps"], "number", st.tuples(st.sampled_from(NUMERIC), st.integers(0, 12))),
    leaf(["Water", "Steps"], "number", st.tuples(EMPTY, st.just(True))),
    leaf(["Meditate", "Read"], "checkbox", st.tuples(st.sampled_from(TEXTUAL[:2]), st.booleans())),
    leaf(["Mood"], "select", st.tuples(st.sampled_from(TEXTUAL[:2]), st.sampled_from(["calm", "none"]))),
    leaf(["Notes"], "rich_text", st.tuples(EMPTY, st.just(True))),
    leaf(
        ["Notes"],
        "rich_text",
        st.tuples(st.sampled_from(TEXTUAL), st.sampled_from(["A good day.", "WALK", "."])),
    ),
    leaf(["Name"], "title", st.tuples(st.sampled_from(TEXTUAL), st.sampled_from(["2026-01", "-15", "x"]))),
    leaf(["Date"], "date", st.tuples(st.sampled_from(DATED), DAYS)),
)
CONDITIONS = st.one_of(
    LEAVES,
    st.tuples(st.sampled_from(["and", "or"]), st.lists(LEAVES, min_size=1, max_size=3)),
    st.tuples(
        st.sampled_from(["and", "or"]),
        st.lists(
            st.tuples(st.sampled_from(["and", "or"]), st.lists(LEAVES, min_size=1, max_size=2)),
            min_size=1,
            max_size=2,
        ),
    ),
)


def as_filter(condition: tuple, name_of: Callable[[str], str]) -> dict[str, Any]:
    if condition[0] in ("and", "or"):
        return {condition[0]: [as_filter(each, name_of) for each in condition[1]]}
    name, kind, (test, wanted) = condition
    return {"property": name_of(name), kind: {test: wanted}}


def holds(condition: tuple, row: Row) -> bool:
    if condition[0] in ("and", "or"):
        return {"and": all, "or": any}[condition[0]](holds(each, row) for each in condition[1])
    name, _, (test, wanted) = condition
    return PLAIN[test](held(row, name), wanted)


@pytest.fixture(scope="module")
def days(notion: StandIn) -> tuple[dict[str, Any], list[Row]]:
    """The daily habits' schema, and their rows as they really are."""
    return notion.schema(DAILY), notion.truth(DAILY)


@pytest.fixture(scope="module")
def everything(notion: StandIn) -> list[Row]:
    """The rows with every type, as they really are."""
    return notion.truth("Everything")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    condition=CONDITIONS,
    sort=st.sampled_from(["Water", "Mood", "Notes", "Date", "Meditate", "Name"]),
    direction=st.sampled_from(["ascending", "descending"]),
    by_id=st.booleans(),
)
def test_filters_and_sorts_are_what_they_say(
    notion: StandIn,
    days: tuple[dict[str, Any], list[Row]],
    condition: tuple,
    sort: str,
    direction: str,
    by_id: bool,
) -> None:
    schema, rows = days

    def name_of(name: str) -> str:
        return schema[name]["id"] if by_id else name

    meeting = [row for row in rows if holds(condition, row)]
    present = [row for row in meeting if held(row, sort) is not None]
    present.sort(key=lambda row: held(row, sort), reverse=direction == "descending")
    expected = present + [row for row in meeting if held(row, sort) is None]
    found = notion.rows(
        DAILY,
        filter=as_filter(condition, name_of),
        sorts=[{"property": name_of(sort), "direction": direction}],
    )
    assert [row["id"] for row in found] == [row["id"] for row in expected]


# What a property is filtered by, and the same in Python.
CASES: list[tuple[dict[str, Any], Callable[[Row], bool]]] = [
    (
        {"property": "Formula", "formula": {"number": {"greater_than": 10}}},
        lambda row: (row["properties"]["Formula"]["formula"].get("number") or 0) > 10,
    ),
    (
        {"property": "Formula", "formula": {"string": {"starts_with": "text"}}},
        lambda row: (row["properties"]["Formula"]["formula"].get("string") or "").startswith("text"),
    ),
    (
        {"property": "Formula", "formula": {"checkbox": {"equals": True}}},
        lambda row: row["properties"]["Formula"]["formula"].get("boolean") is True,
    ),
    (
        {"property": "Formula", "formula": {"date": {"on_or_after": "2026-01-01"}}},
        lambda row: row["properties"]["Formula"]["formula"]["type"] == "date",
    ),
    (
        {"property": "Rollup", "rollup": {"number": {"equals": 3.5}}},
        lambda row: row["properties"]["Rollup"]["rollup"].get("number") == 3.5,
    ),
    (
        {"property": "Rollup", "rollup": {"any": {"number": {"equals": 4}}}},
        lambda row: row["properties"]["Rollup"]["rollup"]["type"] == "array",
    ),
    (
        {"property": "Rollup", "rollup": {"none": {"number": {"equals": 4}}}},
        lambda row: row["properties"]["Rollup"]["rollup"]["type"] != "array",
    ),
    (
        {"property": "Verified", "verification": {"status": "none"}},
        lambda row: row["properties"]["Verified"]["verification"]["state"] == "unverified",
    ),
    (
        {"property": "Number of row", "unique_id": {"less_than_or_equal_to": 5}},
        lambda row: row["properties"]["Number of row"]["unique_id"]["number"] <= 5,
    ),
    (
        {"property": "Tags", "multi_select": {"contains": "blue"}},
        lambda row: "blue" in held(row, "Tags"),
    ),
    (
        {"property": "Status", "status": {"does_not_equal": "Done"}},
        lambda row: held(row, "Status") != "Done",
    ),
    (
        {"property": "Link", "rich_text": {"is_not_empty": True}},
        lambda row: held(row, "Link") is not None,
    ),
    (
        {"property": "When", "date": {"after": "2026-03-01T08:30:00Z"}},
        lambda row: False,
    ),
    (
        {"property": "When", "date": {"equals": "2026-03-01"}},
        lambda row: held(row, "When") is not None,
    ),
    *(
        (
            {"property": name, kind: {"is_empty": True}},
            lambda row, name=name: not held(row, name),
        )
        for name, kind in (
            *(("Text", "rich_text"), ("Files", "files"), ("People", "people"), ("Related", "relation")),
            *(("Mail", "email"), ("Phone", "phone_number"), ("Select", "select"), ("When", "date")),
        )
    ),
]


@pytest.mark.parametrize(
    ("condition", "plain"), CASES, ids=[f"{number} {case[0]}" for number, case in enumerate(CASES)]
)
def test_a_filter_of_each_type(
    notion: StandIn, everything: list[Row], condition: dict, plain: Callable[[Row], bool]
) -> None:
    expected = [row["id"] for row in everything if plain(row)]
    assert [row["id"] for row in notion.rows("Everything", filter=condition)] == expected


@pytest.mark.parametrize("direction", ["ascending", "descending"])
def test_a_sort_by_each_type_loses_no_row(notion: StandIn, direction: str) -> None:
    every = {row["id"] for row in notion.truth("Everything")}
    for name in notion.schema("Everything"):
        found = notion.rows("Everything", sorts=[{"property": name, "direction": direction}])
        assert [len(found), {row["id"] for row in found}] == [40, every], name


def test_the_second_sort_decides_what_the_first_leaves_equal(notion: StandIn) -> None:
    sorts = [
        {"property": "Meditate", "direction": "descending"},
        {"timestamp": "created_time", "direction": "descending"},
    ]
    expected = sorted(notion.truth(DAILY), key=lambda row: (held(row, "Meditate"), row["created_time"]))[::-1]
    found = notion.rows(DAILY, sorts=sorts)
    assert [(held(row, "Meditate"), row["created_time"]) for row in found] == [
        (held(row, "Meditate"), row["created_time"]) for row in expected
    ]


def test_two_queries_by_turns_keep_their_places(notion: StandIn) -> None:
    bodies = [
        {"sorts": [{"timestamp": "created_time", "direction": direction}]}
        for direction in ("ascending", "descending")
    ]
    seen: list[list[str]] = [[], []]
    cursors: list[str | None] = [None, None]
    for _ in range(4):
        for number, body in enumerate(bodies):
            more = {"start_cursor": cursors[number]} if cursors[number] else {}
            answer = notion.query(DAILY, **body, **more).json()
            seen[number] += [row["id"] for row in answer["results"]]
            cursors[number] = answer["next_cursor"]
    assert cursors == [None, None]
    assert len(seen[0]) == len(notion.truth(DAILY))
    assert set(seen[0]) == set(seen[1])


WRONG: list[dict[str, Any]] = [
    {"filter": []},
    {"filter": {}},
    {"filter": {"and": {}}},
    {"filter": {"timestamp": "created_time"}},
    {"filter": {"timestamp": "created_time", "created_time": {"after": "soon"}}},
    {
        "filter": {
            "timestamp": "created_time",
            "created_time": {"after": "2026-01-01", "before": "2026-02-01"},
        }
    },
    {"filter": {"timestamp": "created_time", "created_time": {"greater_than": "2026-01-01"}}},
    {"filter": {"property": "Nothing", "number": {"equals": 1}}},
    {"filter": {"property": "Meditate", "number": {"equals": 1}}},
    {"filter": {"property": "Meditate", "checkbox": {"equals": True}, "number": {"equals": 1}}},
    {"filter": {"property": "Water", "number": {"greater_than": "7"}}},
    {"filter": {"property": "Water", "number": {"contains": 7}}},
    {"filter": {"and": [{"or": [{"and": [{"property": "Water", "number": {"equals": 1}}]}]}]}},
    {"sorts": {}, "page_size": 0},
    {"sorts": {"property": "Water"}},
    {"sorts": [{"direction": "ascending"}]},
    {"sorts": [{"property": "Water", "direction": "up"}]},
]


@pytest.mark.parametrize("body", WRONG, ids=str)
def test_a_wrong_query_is_refused_in_words(notion: StandIn, body: dict[str, Any]) -> None:
    answer = notion.query(DAILY, **body)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


def test_a_query_for_data_sources_finds_no_pages(notion: StandIn) -> None:
    assert notion.query(DAILY, result_type="data_source").json()["results"] == []
    assert notion.query(DAILY, result_type="page").json()["results"]


# 2026-03-15 is a Sunday, on which a week begins.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("past_week", ["2026-03-08", "2026-03-14", "2026-03-15"]),
        ("past_month", ["2026-03-07", "2026-03-08", "2026-03-14", "2026-03-15"]),
        ("this_week", ["2026-03-15", "2026-03-21"]),
        ("next_week", ["2026-03-15", "2026-03-21", "2026-03-22"]),
        ("next_month", ["2026-03-15", "2026-03-21", "2026-03-22"]),
    ],
)
def test_spans_around_today(name: str, expected: list[str]) -> None:
    days = ["2025-01-01", "2026-03-07", "2026-03-08", "2026-03-14", "2026-03-15", "2026-03-21", "2026-03-22"]
    pages = [{"id": day, "created": f"{day}T23:59:00.000Z", "edited": f"{day}T23:59:00.000Z"} for day in days]
    condition = {"timestamp": "created_time", "created_time": {name: {}}}
    assert ordered(pages, condition, [], _none, date(2026, 3, 15)) == expected


def test_a_wrong_filter_is_refused_where_there_are_no_rows() -> None:
    with pytest.raises(InvalidQueryError):
        ordered([], {"property": "x", "number": {"equals": 1}}, [], _none, date(2026, 3, 15))


def _none(name: str) -> Any:
    raise InvalidQueryError(name)
