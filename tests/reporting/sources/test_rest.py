"""Declared REST sources: every way of paging and signing, what changed, what is gone, and every answer that is none."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting.entity import Property
from reporting.settings import read_settings
from reporting.sources.base import (
    AccessDeniedError,
    NotFoundError,
    Page,
    ResumableReader,
    SourceError,
    SourceUnavailableError,
    WindowReader,
)
from reporting.sources.rest import (
    AfterLast,
    Basic,
    Bearer,
    ClientCredentials,
    DeclarationError,
    Gone,
    HeaderKey,
    LinkHeader,
    NextAddress,
    NextCursor,
    Offset,
    PageNumber,
    QueryKey,
    RefreshToken,
    Resource,
    Since,
    SinglePage,
    rest_source,
)
from reporting.sources.rest import rows as rows_module
from reporting.sources.rest.fields import column_of
from tests.support.rest_api import (
    BASE,
    COLUMNS,
    SECRET,
    Guarded,
    Lists,
    answering,
    entity_of,
    login,
    reader,
    things,
)

# By the way in which the API pages: what is declared for it. `None` has it found in the first answer.
WAYS = {
    "none": (SinglePage(), None),
    "link": (LinkHeader(), None),
    "address": (NextAddress(), None),
    "relative": (NextAddress(), None),
    "cursor": (NextCursor(), None),
    "after_last": (AfterLast(), None),
    "offset": (Offset(), Offset(total="total")),
    "page": (PageNumber(), PageNumber(pages="pages")),
}
DECLARED = [(way, paging) for way, pagings in WAYS.items() for paging in pagings]
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def ids(pages: list[Page]) -> list[str | None]:
    return [each.id for page in pages for each in page.records]


@pytest.mark.parametrize(("way", "paging"), DECLARED, ids=str)
@settings(max_examples=25)
@given(count=st.integers(0, 60), cap=st.integers(1, 19), size=st.integers(1, 30))
def test_every_record_is_met_once_whatever_the_page_size(
    way: str, paging: Any, count: int, cap: int, size: int
) -> None:
    if way == "none" and paging is None and count in {20, 25, 30, 50}:
        return
    api = Lists(things(count), way, cap)
    # With page numbers, what a page is must be the same on both sides.
    asked = {} if way in ("page", "none") else {"size": "limit", "page_size": size}
    made = reader(api, entity_of(paging=paging, **asked))
    assert ids(list(made.read(None))) == [each["id"] for each in api.lists["things"]]


@pytest.mark.parametrize(
    ("way", "paging"), [each for each in DECLARED if each[0] not in ("offset", "page")], ids=str
)
@settings(max_examples=25)
@given(count=st.integers(0, 40), cap=st.integers(1, 10), stop=st.integers(0, 12))
def test_a_read_goes_on_wherever_it_was_cut_off(
    way: str, paging: Any, count: int, cap: int, stop: int
) -> None:
    if way == "none" and paging is None and count in {20, 25, 30, 50}:
        return
    entity = entity_of(paging=paging)
    api = Lists(things(count), way, cap)
    first = reader(api, entity)
    assert isinstance(first, ResumableReader)
    pages = list(first.read(None))
    kept = pages[: stop + 1]
    position = kept[-1].position
    if position is None:
        assert len(kept) == len(pages)
        return
    # As it comes back from a file.
    rest = list(reader(api, entity).resume(json.loads(json.dumps(position))))
    assert ids(kept) + ids(rest) == [each["id"] for each in things(count)]


@pytest.mark.parametrize("paging", [None, NextCursor(more="has_more")])
def test_a_cursor_at_the_end_is_not_followed_where_nothing_is_left(paging: Any) -> None:
    bodies = [
        {"items": things(3)[:2], "next_cursor": "a", "has_more": True},
        {"items": things(3)[2:], "next_cursor": "b", "has_more": False},
    ]
    assert len(ids(list(reader(answering(*bodies), entity_of(paging=paging)).read(None)))) == 3


def test_a_list_that_moves_under_a_read_has_no_place_to_go_on() -> None:
    pages = list(reader(Lists(things(5), "offset", 2), entity_of(paging=Offset())).read(None))
    assert {page.position for page in pages} == {None}


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("link", "LinkHeader()"),
        ("cursor", "NextCursor"),
        ("after_last", "AfterLast"),
        ("address", "NextAddress"),
    ],
)
def test_what_was_found_is_in_the_log(way: str, said: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    list(reader(Lists(things(5), way, 2), entity_of()).read(None))
    [line] = [each for each in caplog.messages if "no paging is declared" in each]
    assert line.startswith("sample__things:")
    assert said in line


AUTHS = [
    ("bearer", Bearer(), SECRET),
    ("header", HeaderKey("X-Api-Key"), SECRET),
    ("query", QueryKey("api_key"), SECRET),
    ("basic", Basic(), f"user:{SECRET}"),
    ("oauth", ClientCredentials("token", scope="read"), login()),
    ("oauth", RefreshToken("token"), login(refresh_token="refresh-1")),
    ("oauth", RefreshToken(f"{BASE}/token"), login(refresh_token="refresh-1")),
]


@pytest.mark.parametrize(("scheme", "auth", "secret"), AUTHS, ids=lambda each: str(each)[:20])
def test_each_authentication_opens_and_shows_nothing(
    scheme: str, auth: Any, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    guarded = Guarded(Lists(things(5), "address", 2), scheme)
    made = reader(guarded, entity_of(auth), secret)
    pages = list(made.read(None))
    assert len(ids(pages)) == 5
    assert made.request_count == 3 + guarded.given
    assert SECRET not in caplog.text + json.dumps([page.position for page in pages]) + made.account


@pytest.mark.parametrize(("scheme", "auth", "secret"), AUTHS, ids=lambda each: str(each)[:20])
def test_each_refusal_says_what_to_do_and_shows_nothing(scheme: str, auth: Any, secret: str) -> None:
    wrong = secret.replace(SECRET, "another-secret")
    guarded = Guarded(Lists(things(5)), scheme)
    with pytest.raises(AccessDeniedError, match="script/connect sample") as caught:
        list(reader(guarded, entity_of(auth), wrong).read(None))
    assert "another-secret" not in str(caught.value)


@pytest.mark.parametrize("secret", ["no json", "[]", '{"client_id": 1}', login()])
def test_a_login_that_is_none_is_not_shown(secret: str) -> None:
    with pytest.raises(SourceError, match="does not hold a JSON object with client_id") as caught:
        reader(answering({}), entity_of(RefreshToken("token")), secret)
    assert SECRET not in str(caught.value)


def test_a_header_takes_no_second_line() -> None:
    with pytest.raises(SourceError, match="a character that no header can have"):
        reader(answering({}), entity_of(), "good\r\nX-Admin: yes")


def test_an_access_token_is_used_until_it_ends_and_then_renewed() -> None:
    guarded = Guarded(Lists(things(6), "address", 1), "oauth")
    entity = entity_of(ClientCredentials("token", scope="read"))
    assert len(ids(list(reader(guarded, entity, login()).read(None)))) == 6
    assert [form["grant_type"] for form in guarded.forms] == ["client_credentials"]
    assert guarded.forms[0]["scope"] == "read"
    # The API ends it early: the request is sent again with another.
    pages = reader(guarded, entity, login()).read(None)
    next(pages)
    guarded.given += 1
    assert len(ids(list(pages))) == 5


def test_a_login_that_passes_on_is_asked_for_again() -> None:
    guarded = Guarded(Lists(things(1)), "oauth")
    failures = iter([httpx.Response(503), httpx.Response(200, text="<html>")])

    def flaky(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/token" and (failure := next(failures, None)):
            return failure
        return guarded(request)

    assert len(ids(list(reader(flaky, entity_of(ClientCredentials("token")), login()).read(None)))) == 1
    always = answering(httpx.Response(503))
    with pytest.raises(SourceUnavailableError):
        list(reader(always, entity_of(ClientCredentials("token")), login()).read(None))


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example.org/v1/things?page=2",
        "http://api.example.org/v1/things?page=2",
        "https://api.example.org:444/v1/things",
        "//elsewhere.example.org/things",
        "https://api.example.org@elsewhere.example.org/",
        "https://api.example.org.evil.example/v1",
    ],
)
def test_the_token_goes_to_no_other_host(address: str) -> None:
    asked: list[httpx.URL] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        headers = {"Link": f'<{address}>; rel="next"'} if is_header else {}
        return httpx.Response(200, json={"items": things(1), "next": address}, headers=headers)

    for is_header in (False, True):
        paging = LinkHeader() if is_header else NextAddress()
        with pytest.raises(SourceError, match="leads for sample__things to another host") as caught:
            list(reader(handle, entity_of(paging=paging)).read(None))
        assert "elsewhere" not in str(caught.value)
    assert {url.host for url in asked} == {"api.example.org"}


def test_a_key_in_a_next_address_is_kept_nowhere() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.url.params["api_key"] == SECRET
        more = f"/v1/things?page=2&api_key={SECRET}" if "page" not in request.url.params else None
        return httpx.Response(200, json={"items": things(2) if more else things(3)[2:], "next": more})

    pages = list(reader(handle, entity_of(QueryKey("api_key"))).read(None))
    assert len(ids(pages)) == 3
    assert SECRET not in json.dumps(pages[0].position)


ODD = [
    ({"items": {"a": 1}}, "has no list of records at 'items'"),
    ({"data": []}, "has no list of records at 'items'"),
    ([], "has no list of records at 'items'"),
    ("text", "has no list of records at 'items'"),
    (None, "has no list of records at 'items'"),
    ({"items": [{"id": "hidden"}, {"name": "hidden"}]}, "record 2 on page 1 of sample__things has no key"),
    ({"items": [{"id": None}]}, "record 1 on page 1 of sample__things has no key"),
    ({"items": [{"id": ""}]}, "has no key"),
    ({"items": [{"id": True}]}, "has no key"),
    ({"items": [{"id": 1.5}]}, "has no key"),
    ({"items": [{"id": "half \ud83c"}]}, "has no key"),
    ({"items": ["hidden"]}, "has no key"),
    ({"items": [[]]}, "has no key"),
    ({"items": things(1), "next": "hidden"}, "the field 'next' is no address"),
    ({"items": things(2), "total": 7}, "there are more than the 2 records"),
    ({"items": things(100)}, "exactly 100 records"),
    ({"items": [], "has_more": True}, "after a page without records"),
    ({"items": things(1), "next_cursor": {"a": 1}}, "is an object, and no cursor"),
    ({"items": things(1), "next_cursor": "same"}, "page 2 of sample__things repeats"),
    ({"items": things(1), "next": "/v1/things"}, "page 1 of sample__things repeats"),
    ({"items": things(1), "has_more": True}, "page 2 of sample__things repeats"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "said"), ODD, ids=range(len(ODD)))
def test_an_answer_of_another_shape_is_told_and_not_shown(body: Any, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        list(reader(answering(body), entity_of()).read(None))
    assert "Nothing was loaded" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("paging", "bodies", "said"),
    [
        (AfterLast(), [{"items": things(1)}], "'has_more' is not there"),
        (NextAddress(), [{"items": things(1), "next": 7}], "is a number, and no address"),
        (Offset(total="total"), [{"items": things(1), "total": "7"}], "is text, and no count"),
        (PageNumber(pages="pages"), [{"items": things(1)}], "is not there, and no count"),
        (Offset(), [{"items": things(1)}], "page 2 of sample__things repeats"),
        (PageNumber(), [{"items": things(1)}], "page 2 of sample__things repeats"),
        (
            NextCursor(),
            [{"items": things(1), "next_cursor": 20}, {"items": things(3)[1:], "next_cursor": 10}],
            "the cursor in 'next_cursor' goes backwards",
        ),
    ],
)
def test_paging_that_leads_nowhere_is_told(paging: Any, bodies: list[Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        list(reader(answering(*bodies), entity_of(paging=paging)).read(None))


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (httpx.Response(400, text="hidden"), SourceError, "answered 400 for sample__things"),
        (httpx.Response(403, text="hidden"), AccessDeniedError, "REPORTING_NAME_SAMPLE__THINGS=none"),
        (httpx.Response(404, text="hidden"), NotFoundError, "nothing at the path of sample__things"),
        (httpx.Response(302, headers={"Location": "https://hidden"}), SourceError, "is not followed"),
        (httpx.Response(500, text="hidden"), SourceUnavailableError, "failed 3 times"),
        (httpx.Response(200, text="<html>hidden"), SourceUnavailableError, "not JSON"),
        (httpx.Response(403, headers={"Retry-After": "0"}), SourceUnavailableError, "failed 3 times"),
    ],
    ids=lambda each: str(each)[:20],
)
def test_what_the_service_refuses_is_told_and_not_shown(
    answer: httpx.Response, error: type[SourceError], said: str
) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    with pytest.raises(error, match=said) as caught:
        list(reader(handle, entity_of()).read(None))
    assert "hidden" not in str(caught.value)


def since(**declared: Any) -> Since:
    return Since(**{"parameter": "updated_since", "field": "updated_at"} | declared)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("iso", "2026-11-21T11:50:00Z"),
        ("date", "2026-11-21"),
        ("unix", "1795261800"),
        ("unix_ms", "1795261800000"),
    ],
)
def test_what_changed_is_asked_for_with_the_overlap(time: Any, expected: str) -> None:
    api = Lists([{"id": 1, "updated_at": "2026-11-21T11:50:00Z"}])
    entity = entity_of(since=since(time=time, until="updated_until"), paging=SinglePage())
    assert entity.has_changed
    made = reader(api, entity)
    assert ids(list(made.read(NOON))) == ["1"]
    assert api.asked[-1].url.params["updated_since"] == expected
    assert isinstance(made, WindowReader)
    list(made.read_window(NOON, NOON + timedelta(minutes=5)))
    assert "updated_until" in api.asked[-1].url.params
    list(made.read(None))
    assert "updated_since" not in api.asked[-1].url.params
    assert not isinstance(reader(api, entity_of(since=since())), WindowReader)


@pytest.mark.parametrize("older", ["2026-11-21T11:49:59Z", 1795261799, "1795261799", "2020-01-01"])
def test_an_api_that_does_not_know_the_parameter_is_found_out(older: Any) -> None:
    made = reader(Lists([{"id": 1, "updated_at": older}]), entity_of(since=since()))
    with pytest.raises(SourceError, match="does not know the parameter 'updated_since'"):
        list(made.read(NOON))
    assert len(ids(list(made.read(None)))) == 1


def test_a_record_that_says_that_it_is_gone_is_a_tombstone() -> None:
    listed = [
        {"id": 1, "is_deleted": True},
        {"id": 2, "is_deleted": 1},
        {"id": 3},
        {"id": 4, "is_deleted": "true"},
    ]
    [page] = reader(Lists(listed), entity_of(gone=Gone("is_deleted"))).read(None)
    assert [each.id for each in page.records] == ["2", "3", "4"]
    assert [(each.id, each.reason, each.is_told) for each in page.tombstones] == [("1", "trashed", True)]


def test_what_was_not_met_is_gone_or_asked_for() -> None:
    api = Lists(things(3), "cursor", 2)
    made = reader(api, entity_of())
    list(made.read(None))
    [page] = made.ask_about(["t0009", "t0008"])
    assert [(each.id, each.reason) for each in page.tombstones] == [
        ("t0008", "missing"),
        ("t0009", "missing"),
    ]

    one_by_one = entity_of(item="things/{key}", gone=Gone("name", "gone"))
    answers = {
        "/v1/things/a%2Fb": httpx.Response(200, json={"id": "a/b", "name": "there"}),
        "/v1/things/c": httpx.Response(200, json={"id": "c", "name": "gone"}),
        "/v1/things/e": httpx.Response(200, json={"id": "another"}),
    }

    def handle(request: httpx.Request) -> httpx.Response:
        return answers.get(request.url.raw_path.decode(), httpx.Response(404, json={}))

    made = reader(handle, one_by_one)
    pages = list(made.ask_about(["a/b", "c", "d"]))
    assert ids(pages) == ["a/b"]
    told = [(each.id, each.reason) for page in pages for each in page.tombstones]
    assert told == [("c", "trashed"), ("d", "missing")]
    with pytest.raises(SourceError, match="something else than the record"):
        list(made.ask_about(["e"]))
    with pytest.raises(SourceError, match="cannot stand in a path"):
        list(made.ask_about([".."]))


@pytest.mark.parametrize("paging", [Offset(), PageNumber()])
def test_who_was_left_out_because_the_list_moved_is_not_gone(paging: Any) -> None:
    """Between two pages the first record is deleted, and so the one at the edge of the next page is not met."""
    api = Lists(things(6), "offset" if isinstance(paging, Offset) else "page", 2)
    made = reader(api, entity_of(paging=paging))
    met = []
    for page in made.read(None):
        met += ids([page])
        if len(met) == 2:
            del api.lists["things"][0]
    assert "t0002" not in met
    pages = list(made.ask_about(["t0002", "t0077"]))
    assert ids(pages) == ["t0002"]
    assert [each.id for page in pages for each in page.tombstones] == ["t0077"]


PARENT = Resource(name="boxes", description="Boxes.", path="boxes", records="items", columns=COLUMNS)


def test_a_list_is_read_for_each_record_of_its_parent() -> None:
    api = Lists([], "cursor", 2)
    api.lists = {
        "boxes": [{"id": 3}, {"id": "a b/c?d"}, {"id": 1}, {"id": 2}, {"id": 1}],
        "boxes/1/things": things(5),
        "boxes/2/things": [],
        "boxes/3/things": things(1),
        "boxes/a b/c?d/things": [{"id": "odd", "name": "Odd"}],
    }
    entity = entity_of(
        others=(PARENT,),
        path="boxes/{id}/things",
        parent="boxes",
        key=("_parent.id", "id"),
        columns={"_parent.id": Property("text", "Its box."), **COLUMNS},
    )
    pages = list(reader(api, entity).read(None))
    expected = [*(f"1/t{n:04d}" for n in range(5)), "3/t0000", "a%20b%2Fc%3Fd/odd"]
    assert sorted(filter(None, ids(pages))) == expected
    for stop, page in enumerate(pages):
        rest = (
            list(reader(api, entity).resume(json.loads(json.dumps(page.position)))) if page.position else []
        )
        assert ids(pages[: stop + 1]) + ids(rest) == ids(pages)
    row = rows_module.row(entity, pages[0].records[0], {}, read_settings({}))
    assert (row["id"], row["parent_id"]) == ("a%20b%2Fc%3Fd/odd", "a b/c?d")
    # The parent that the position names is gone by then: those after it are read.
    assert pages[0].position == {"parent": {"id": 1}}
    del api.lists["boxes"][2], api.lists["boxes"][3], api.lists["boxes/1/things"]
    assert ids(list(reader(api, entity).resume(pages[0].position))) == ["3/t0000"]


def test_a_short_list_of_one_parent_says_nothing_of_the_next() -> None:
    """The first box has one page without a header, the second has several."""
    api = Lists([], "link", 2)
    api.lists = {"boxes": [{"id": 1}, {"id": 2}], "boxes/1/things": things(1), "boxes/2/things": things(5)}
    entity = entity_of(others=(PARENT,), path="boxes/{id}/things", parent="boxes", key=("_parent.id", "id"))
    assert len(ids(list(reader(api, entity).read(None)))) == 6


def test_a_parent_without_the_field_of_the_path_is_told() -> None:
    entity = entity_of(others=(PARENT,), path="boxes/{code}/things", parent="boxes")
    with pytest.raises(SourceError, match="record 1 of sample__boxes has no 'code'"):
        list(reader(answering({"items": [{"id": 1}]}), entity).read(None))


def test_a_snapshot_keeps_each_day_and_misses_only_its_own() -> None:
    entity = entity_of(is_snapshot=True, key="name")
    assert (entity.keeps_days, entity.is_slow, entity.has_changed) == (True, True, False)
    made = reader(Lists([{"name": "BTC"}, {"name": "A/B"}]), entity)
    [page] = made.read(None)
    today = datetime.now(UTC).date()
    assert ids([page]) == [f"{today}/BTC", f"{today}/A/B"]
    assert made.would_meet(f"{today}/ETH")
    assert not made.would_meet("2020-01-01/BTC")
    assert rows_module.row(entity, page.records[0], {}, read_settings({}))["snapshot_day"] == str(today)
    # What goes on after midnight is still of the day on which it began.
    [page] = made.resume({"day": "2020-01-01"})
    assert ids([page]) == ["2020-01-01/BTC", "2020-01-01/A/B"]


def test_a_row_has_the_fields_by_their_paths() -> None:
    kinds = {
        "due.dateTime": Property("datetime", "When."),
        "created": Property("datetime", "When."),
        "amount": Property("number", "How much."),
        "labels": Property("text", "Which."),
        "isDone": Property("bool", "Whether."),
        "not.there": Property("text", "What."),
        "far": Property("datetime", "When."),
    }
    entity = entity_of(columns=kinds, since=since(field="created", time="unix"))
    found = {
        "id": 7,
        "due": {"dateTime": "2026-11-21T12:00:00+01:00"},
        "created": 1795262400,
        "amount": 1.5,
        "labels": ["a", "b"],
        "isDone": False,
        "far": 10**30,
    }
    [page] = reader(Lists([found]), entity).read(None)
    settings = read_settings({})
    assert rows_module.row(entity, page.records[0], {}, settings) == {
        "id": "7",
        "due_date_time": "2026-11-21T12:00:00+01:00",
        "created": "2026-11-21T12:00:00+00:00",
        "amount": "1.5",
        "labels": '["a", "b"]',
        "is_done": "false",
        "not_there": None,
        "far": str(10**30),
    }
    stamps = rows_module.stamps(entity, page.records[0], settings)
    assert stamps["_source_updated_at"] == "2026-11-21T12:00:00+00:00"
    more = entity_of(columns=kinds | COLUMNS)
    assert rows_module.stamps(more, page.records[0], settings)["_content_hash"] != stamps["_content_hash"]


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"name": "Things"}, "a name has letters"),
        ({"name": "a__b"}, "a name has letters"),
        ({"path": "/things"}, "below the base address"),
        ({"path": "https://elsewhere.example.org"}, "below the base address"),
        ({"path": "boxes/{id}"}, "a parent and fields in braces"),
        ({"parent": "boxes"}, "is not declared before it"),
        ({"columns": {}}, "no columns"),
        ({"columns": {"id": Property("text", "Key.")}}, "the column 'id' is there already"),
        (
            {"columns": {"aB": Property("text", "A."), "a_b": Property("text", "B.")}},
            "'a_b' is there already",
        ),
        ({"columns": {"読書": Property("text", "A.")}}, "makes no name of a column"),
        ({"columns": {"a..b": Property("text", "A.")}}, "is no path of a field"),
        ({"key": ""}, "is no path of a field"),
        ({"key": ("a", "b"), "paging": AfterLast()}, "takes a key of one field"),
        ({"item": "things"}, "`item` has {key}"),
        ({"is_snapshot": True, "since": Since("since", "at")}, "a snapshot is read whole"),
        ({"since": Since("since", "at", time="rfc")}, "a time that is one of iso"),  # type: ignore[arg-type]
        ({"page_size": 0}, "its page size is below 1"),
    ],
    ids=lambda each: str(each)[:30],
)
def test_a_resource_that_cannot_be_meant_is_refused(declared: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        entity_of(**declared)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"base": "http://api.example.org"}, "would go in clear"),
        ({"base": "api.example.org"}, "has to begin with https://"),
        ({"base": "https://user:secret@api.example.org"}, "more than host and path"),
        ({"base": "https://[bad"}, "its address is none"),
        ({"name": "Sample"}, "a name has letters"),
        ({"pace": 0}, "requests per second"),
        ({"auth": ClientCredentials("http://login.example.org/token")}, "gives tokens: .*in clear"),
        ({"resources": ()}, "no resources"),
    ],
    ids=lambda each: str(each)[:30],
)
def test_a_source_that_cannot_be_meant_is_refused(declared: dict[str, Any], said: str) -> None:
    good = {"name": "sample", "title": "Sample", "base": BASE, "auth": Bearer(), "resources": (PARENT,)}
    assert rest_source(**good).connection == "sample"  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match=said):
        rest_source(**good | declared)  # type: ignore[arg-type]


def test_the_host_of_the_connection_is_no_way_out() -> None:
    with pytest.raises(SourceError, match="would go in clear"):
        reader(answering({}), entity_of(), base_url="http://elsewhere.example.org")
    made = reader(Lists(things(1)), entity_of(), base_url="http://127.0.0.1:8000/v1")
    assert len(ids(list(made.read(None)))) == 1


@settings(max_examples=50)
@given(st.text(max_size=30))
def test_a_column_has_a_name_that_the_warehouse_takes_or_none(path: str) -> None:
    name = column_of(path)
    assert name == name.lower().strip("_")
    assert "__" not in name


def test_the_doctor_reads_one_page_of_each_resource() -> None:
    source = rest_source(
        name="sample", title="Sample", base="https://127.0.0.1:1", auth=Bearer(), resources=(PARENT,)
    )
    assert SECRET not in source.checks.STEPS
    settings = read_settings({"REPORTING_NAME_SAMPLE__BOXES": "none"})
    [finding] = source.checks.check(settings, SECRET, None)
    assert finding.is_well
    [finding] = source.checks.check(read_settings({}), "good\nbad", None)
    assert not finding.is_well
    assert "good" not in finding.text
