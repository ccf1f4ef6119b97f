"""HubSpot's readers against its fake API: a test for each way in which rows get lost."""

import json
import logging
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import httpx
import pytest
import urllib3
from hubspot.crm.objects import ApiClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from reporting.settings import read_settings
from reporting.sources.base import (
    AccessDeniedError,
    IncompleteReadError,
    NotFoundError,
    NotReadError,
    Page,
    SourceError,
    SourceUnavailableError,
    Tombstone,
    WindowReader,
)
from reporting.sources.http import PoliteTransport
from reporting.sources.hubspot import associations, lists, objects
from reporting.sources.hubspot import reader as hubspot
from reporting.sources.hubspot.api import content_hash, refusal_of
from reporting.sources.hubspot.entities import HUBSPOT, HUBSPOT_OBJECTS, OPTIONAL_OBJECTS
from reporting.sources.hubspot.objects import LONGEST_SELECTION, OVERLAP
from reporting.sources.registry import open_reader
from sandbox.hubspot.app import app_of
from sandbox.hubspot.store import FIRST_ID, Store
from tests.support.hubspot_portal import SMALL, UNPACED, Portal, filled, ids, portal, read_to_the_end

KINDS = [entity.name for entity in (*HUBSPOT_OBJECTS, *OPTIONAL_OBJECTS)]
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recorded" / "hubspot"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A small sample that no test changes."""
    with portal(tmp_path_factory.mktemp("sample"), *SMALL) as running:
        yield running


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Portal]:
    """A small sample of the test's own."""
    with portal(tmp_path / "small", *SMALL) as running:
        yield running


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize(
    ("version", "objects", "links"),
    [
        ("v3", "/crm/v3/objects/contacts", "/crm/v4/associations/calls/contacts"),
        ("2026-09", "/crm/objects/2026-09/contacts", "/crm/associations/2026-09/calls/contacts"),
    ],
)
def test_the_version_is_a_setting(small: Portal, version: str, objects: str, links: str) -> None:
    source = small.source(version)
    assert source.path("objects", "contacts") == objects
    assert source.path("associations", "calls/contacts") == links
    assert ids(read_to_the_end(small.reader("associations", version)))


@pytest.mark.parametrize("version", ["v3", "2026-09"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_full_refresh_reads_every_object_with_every_property(
    sample: Portal, kind: str, version: str
) -> None:
    pages = read_to_the_end(sample.reader(kind, version))
    truth = sample.truth(kind)
    read = {str(record.id): record.payload["properties"] for page in pages for record in page.records}
    assert read == {key: each["properties"] for key, each in truth.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_modified_is_found_by_the_property_of_its_type(sample: Portal, kind: str) -> None:
    """With the other name the answer is empty, without an error."""
    found = ids(read_to_the_end(sample.reader(kind), LONG_AGO))
    assert sorted(found) == sorted(sample.truth(kind))


def test_a_read_with_nothing_new_costs_two_requests(sample: Portal) -> None:
    for kind in KINDS:
        reader = sample.reader(kind)
        reader.describe()
        assert ids(list(reader.read(now() + timedelta(hours=3)))) == []
        assert reader.request_count == 2
        reader.close()


def test_a_full_refresh_costs_what_is_stated(tmp_path: Path) -> None:
    """Properties and the end of the recycling bin, and one request for each hundred; twice with many properties."""
    with portal(
        tmp_path, "--contacts", "450", "--companies", "8", "--deals", "5", "--engagements", "0"
    ) as large:
        reader = large.reader("contacts")
        assert len(ids(read_to_the_end(reader))) == 450
        assert reader.request_count == 5 + 2
        for number in range(LONGEST_SELECTION // 60):
            large.define("contacts", f"custom_property_with_a_long_name_that_fills_the_address_{number:05}")
        reader = large.reader("contacts")
        assert len(ids(read_to_the_end(reader))) == 450
        assert reader.request_count == 2 * 5 + 2
        assert not [path for path in large.requests() if "error" in path]


def test_many_properties_travel_in_a_body(small: Portal) -> None:
    """In an address they are refused (414)."""
    name = f"a_custom_property_{'with_a_name_as_long_as_it_may_be_' * 2}"
    for number in range(100):
        small.define("deals", f"{name}{number:04}")
    key = next(iter(small.truth("deals")))
    small.change("deals", key, **{f"{name}0042": "kept"})
    for since in (None, LONG_AGO):
        pages = read_to_the_end(small.reader("deals"), since)
        values = {
            record.id: record.payload["properties"][f"{name}0042"]
            for page in pages
            for record in page.records
        }
        assert values[key] == "kept"
        assert len(values) == 5


def test_more_changes_than_a_search_returns_are_all_read(tmp_path: Path) -> None:
    start = 1_700_000_000_000
    times = [start + number // 3 for number in range(10_450)]
    with portal(filled(tmp_path, times)) as full:
        found = ids(read_to_the_end(full.reader("contacts"), LONG_AGO))
    assert len(set(found)) == 10_450


def test_a_window_holds_both_of_its_ends(tmp_path: Path) -> None:
    """Ends in the middle of a crowded millisecond, and more of them than a page."""
    start = 1_700_000_000_000
    modified = [start + number // 250 for number in range(1_000)]
    with portal(filled(tmp_path, modified)) as crowded:
        reader = crowded.reader("contacts")
        assert isinstance(reader, WindowReader)
        reader.describe()
        first, last = (datetime.fromtimestamp((start + at) / 1000, UTC) for at in (1, 2))
        pages = list(reader.read_window(first + OVERLAP, last + timedelta(microseconds=999)))
        reader.close()
    truth = sorted(range(FIRST_ID, FIRST_ID + 1_000))
    assert sorted(map(int, set(ids(pages)))) == truth[250:750]


def test_thousands_that_share_a_millisecond_are_all_read(tmp_path: Path) -> None:
    start = 1_700_000_000_000
    times = [start - 1] * 3 + [start] * 10_400 + [start + 1] * 250
    with portal(filled(tmp_path, times)) as full:
        found = Counter(ids(read_to_the_end(full.reader("contacts"), LONG_AGO)))
    assert len(found) == 10_653


def test_a_row_that_is_modified_while_it_is_read_hides_no_other(tmp_path: Path) -> None:
    """With an offset the rows behind it would move up by one, and the first of the next page would be skipped."""
    start = 1_700_000_000_000
    with portal(filled(tmp_path, [start + number for number in range(600)])) as full:
        reader = full.reader("contacts")
        reader.describe()
        pages = reader.read(LONG_AGO)
        found = ids([next(pages)])
        for key in found[:5]:
            full.change("contacts", key, city="Elsewhere")
        found += ids(list(pages))
        reader.close()
    assert len(set(found)) == 600


def test_what_the_search_shows_late_is_read_by_the_next_run(tmp_path: Path) -> None:
    hour = 3_600_000
    at = round(now().timestamp() * 1000)
    folder = filled(tmp_path, [at - 48 * hour, at - hour // 2])
    with portal(folder, "--search-lag", "3600") as lagging:
        cursor = now()
        assert len(ids(read_to_the_end(lagging.reader("contacts"), cursor))) == 0
        everything = ids(read_to_the_end(lagging.reader("contacts"), LONG_AGO))
        assert len(everything) == 1
    with portal(folder) as caught_up:
        assert len(ids(read_to_the_end(caught_up.reader("contacts"), cursor))) == 1


SEEN, CHANGED, LATE = st.integers(0, 600), st.integers(0, 600), st.booleans()


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    records=st.lists(st.tuples(SEEN, CHANGED, LATE), min_size=1, max_size=24), meanwhile=st.integers(0, 23)
)
def test_a_stale_index_hides_no_change_from_the_reads_that_follow(
    records: list[tuple[int, int, bool]], meanwhile: int
) -> None:
    """The index finds a record by its former date (so many minutes ago) and shows what it is since a later one."""
    at = round(now().timestamp() * 1000)
    with TemporaryDirectory() as folder, mock.patch.object(objects, "SEARCH_LIMIT", 3):
        former = [at - max(seen, changed) * 60_000 for seen, changed, _ in records]
        store = Store(filled(Path(folder), former))
        lags = {}
        for number, (seen, changed, is_late) in enumerate(records):
            record = store.record("contacts", FIRST_ID + number)
            assert record
            store.change(record, {"city": "New"}, at - min(seen, changed) * 60_000)
            if is_late:
                lags[str(record["id"])] = max(seen, changed) * 60
        api = TestClient(app_of(store), headers={"Authorization": "Bearer any"})

        def answer(request: httpx.Request) -> httpx.Response:
            target = request.url.raw_path.decode()
            answer = api.request(request.method, target, content=request.content)
            return httpx.Response(answer.status_code, content=answer.content)

        reader = hubspot.reader_of(over(answer), Portal.entity("contacts"))
        reader.describe()
        read: dict[str | None, Any] = {}

        def keep(pages: Iterator[Page]) -> None:
            for page in pages:
                read.update((each.id, each.payload["properties"]["city"]) for each in page.records)

        api.post("/_control/search", json={"lags": lags}).raise_for_status()
        started_at = now()
        pages = reader.read(started_at - timedelta(minutes=601))
        keep(iter([next(pages)]))
        record = store.record("contacts", FIRST_ID + meanwhile % len(records))
        assert record
        store.change(record, {"city": "Newer"})
        keep(pages)
        assert read.keys() == {str(FIRST_ID + number) for number in range(len(records))}
        api.post("/_control/search", json={}).raise_for_status()
        keep(reader.read(started_at))
        truth = api.get("/_control/truth/contacts").json()
        assert read == {each["id"]: each["properties"]["city"] for each in truth}
        reader.close()
        store.close()


def test_archived_objects_come_with_their_content(small: Portal) -> None:
    key = next(iter(small.truth("contacts")))
    small.archive("contacts", key)
    pages = read_to_the_end(small.reader("contacts"))
    (archived,) = [record for page in pages for record in page.records if record.payload["archived"]]
    assert archived.id == key
    assert archived.payload["archivedAt"]
    assert archived.payload["properties"]["lastname"]
    small.restore("contacts", key)
    pages = read_to_the_end(small.reader("contacts"))
    assert not [record for page in pages for record in page.records if record.payload["archived"]]


def test_a_winner_names_every_loser_of_a_chain(small: Portal) -> None:
    first, second, third = list(small.truth("companies"))[:3]
    small.merge("companies", second, first)
    small.merge("companies", third, second)
    for since in (None, now() - timedelta(minutes=5)):
        pages = read_to_the_end(small.reader("companies"), since)
        tombstones = {each for page in pages for each in page.tombstones}
        assert tombstones == {Tombstone(first, "merged", third), Tombstone(second, "merged", third)}


def test_what_a_full_refresh_did_not_meet_is_asked_for_by_id(small: Portal) -> None:
    there, archived, loser, winner, erased = list(small.truth("contacts"))[:5]
    small.archive("contacts", archived)
    small.merge("contacts", winner, loser)
    small.erase("contacts", erased)
    reader = small.reader("contacts")
    reader.describe()
    pages = list(reader.ask_about([there, archived, loser, erased, "no-number"]))
    reader.close()
    assert {record.id: record.payload["archived"] for page in pages for record in page.records} == {
        there: False,
        archived: True,
    }
    assert {each for page in pages for each in page.tombstones} == {
        Tombstone(loser, "merged", winner),
        Tombstone(erased, "missing"),
        Tombstone("no-number", "missing"),
    }


def test_an_endpoint_makes_no_difference_to_the_content(small: Portal) -> None:
    """List, search and batch read differ in what they say of a property that is not set."""
    kind, key = "deals", next(iter(small.truth("deals")))
    listed = {record.id: record for page in read_to_the_end(small.reader(kind)) for record in page.records}[
        key
    ]
    pages = read_to_the_end(small.reader(kind), LONG_AGO)
    searched = {record.id: record for page in pages for record in page.records}[key]
    without = {
        **listed.payload,
        "properties": {
            name: value for name, value in listed.payload["properties"].items() if value is not None
        },
    }
    assert content_hash(listed) == content_hash(searched) == content_hash(type(listed)(without))
    changed = {**listed.payload, "properties": {**listed.payload["properties"], "dealname": "Other"}}
    assert content_hash(listed) != content_hash(type(listed)(changed))


def test_associations_of_every_pair_and_label(sample: Portal) -> None:
    pages = read_to_the_end(sample.reader("associations"))
    records = [record.payload for page in pages for record in page.records]
    assert len({record["id"] for record in records}) == len(records)
    assert {"contacts", "companies", "calls", "emails"} <= {record["from_type"] for record in records}
    primary = [record for record in records if record["label"] == "Primary"]
    assert primary
    plain = {(each["from_id"], each["to_id"]) for each in records if each["label"] is None}
    assert {(each["from_id"], each["to_id"]) for each in primary} <= plain


def test_a_changed_association_changes_no_object_and_is_read_all_the_same(small: Portal) -> None:
    before = {record.id for page in read_to_the_end(small.reader("associations")) for record in page.records}
    deal = next(iter(small.truth("deals")))
    linked = {
        each.partition(">")[2].partition("#")[0] for each in map(str, before) if f":{deal}#" not in each
    }
    assert linked
    contact = next(
        key
        for key in small.truth("contacts")
        if not any(f"contacts:{key}>deals:{deal}" in str(each) for each in before)
    )
    cursor = now() + timedelta(hours=2)
    small.link("contacts", contact, "deals", deal)
    assert ids(read_to_the_end(small.reader("deals"), cursor)) == []
    after = {record.id for page in read_to_the_end(small.reader("associations")) for record in page.records}
    assert {str(each).partition("#")[0] for each in after - before} == {f"contacts:{contact}>deals:{deal}"}
    small.unlink("contacts", contact, "deals", deal)
    again = {record.id for page in read_to_the_end(small.reader("associations")) for record in page.records}
    assert again == before


def test_a_record_with_more_links_than_a_page_has_all_of_them(tmp_path: Path) -> None:
    with portal(filled(tmp_path, [1_700_000_000_000] * 1_050, call_id=9)) as crowded:
        pages = read_to_the_end(crowded.reader("associations"))
        assert len({record.payload["to_id"] for page in pages for record in page.records}) == 1_050


def test_more_records_than_a_batch_takes_are_asked_for_in_several(
    small: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sorted(ids(read_to_the_end(small.reader("associations"))))
    monkeypatch.setattr(associations, "BATCH_LIMIT", 7)
    assert sorted(ids(read_to_the_end(small.reader("associations")))) == whole


def test_a_missing_scope_is_named_and_costs_no_other_association(tmp_path: Path) -> None:
    scopes = ",".join(f"crm.objects.{name}.read" for name in ("contacts", "companies", "deals"))
    with portal(tmp_path, *SMALL, "--scopes", scopes) as limited:
        reader = limited.reader("emails")
        with pytest.raises(AccessDeniedError, match="lacks the scope sales-email-read"):
            reader.describe()
        reader.close()
        reader = limited.reader("associations")
        found = {record.payload["from_type"] for page in read_to_the_end(reader) for record in page.records}
        assert "emails" not in found
        assert {"calls", "contacts", "meetings"} <= found
        assert not reader.would_meet("emails:1>contacts:2#HUBSPOT_DEFINED:198")
        assert reader.would_meet("calls:1>contacts:2#HUBSPOT_DEFINED:194")


def test_owners_include_those_who_left(sample: Portal) -> None:
    pages = read_to_the_end(sample.reader("owners"))
    assert {(each.id, each.payload["archived"]) for page in pages for each in page.records} == {
        ("501", False),
        ("502", False),
        ("503", True),
    }


def test_pipelines_come_with_their_stages(sample: Portal) -> None:
    page, _ = read_to_the_end(sample.reader("pipelines"))
    assert [stage["id"] for stage in page.records[0].payload["stages"]][-2:] == ["closedwon", "closedlost"]


def test_a_token_that_is_refused_is_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with portal(tmp_path, *SMALL, "--token", "another") as closed:
        reader = closed.reader("contacts")
        with pytest.raises(AccessDeniedError, match="script/connect hubspot") as raised:
            reader.describe()
        reader.close()
    assert "pat-hidden" not in str(raised.value) + caplog.text


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 429, "retry_after": 0.01},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 503},
        {"kind": "html"},
        {"kind": "reset"},
        {"kind": "truncated"},
        {"kind": "empty_page"},
        {"kind": "page_twice"},
        {"kind": "shuffled"},
    ],
    ids=lambda fault: f"{fault['kind']}{fault.get('status', '')}",
)
@pytest.mark.parametrize("since", [None, LONG_AGO], ids=["full", "changed"])
def test_a_fault_in_the_middle_loses_nothing(
    tmp_path: Path, fault: dict[str, Any], since: datetime | None
) -> None:
    start = 1_700_000_000_000
    with portal(filled(tmp_path, [start + number // 2 for number in range(450)])) as full:
        full.fault(**fault, path="objects", after=1, times=2)
        found = ids(read_to_the_end(full.reader("contacts"), since))
    assert len(set(found)) == 450


def test_a_list_that_never_ends_is_an_error(tmp_path: Path) -> None:
    with portal(filled(tmp_path, [1_700_000_000_000] * 250)) as full:
        full.fault(kind="empty_page", path="objects", times=100)
        for since in (None, LONG_AGO):
            with pytest.raises(IncompleteReadError, match="nothing was loaded"):
                read_to_the_end(full.reader("contacts"), since)


def over(answer: Any) -> hubspot.HubSpot:
    """A portal in this process."""
    transport = PoliteTransport(
        UNPACED, httpx.MockTransport(answer), sleep=lambda _: None, refusal=refusal_of
    )
    return hubspot.HubSpot("pat-hidden", transport=transport)


def test_the_daily_limit_is_not_waited_for() -> None:
    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        body = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "DAILY", "message": "limit"}
        return httpx.Response(429, json=body)

    with pytest.raises(SourceUnavailableError, match="midnight in the portal's time zone"):
        hubspot.reader_of(over(answer), Portal.entity("contacts")).describe()
    assert len(sent) == 1


def test_a_batch_that_fails_in_parts_is_not_taken_for_whole() -> None:
    """A batch answers 207, a success, and says in its body what it left out."""

    def answer(request: httpx.Request) -> httpx.Response:
        error = {"status": "error", "category": "RATE_LIMITS"}
        return httpx.Response(207, json={"results": [], "numErrors": 1, "errors": [error]})

    reader = hubspot.reader_of(over(answer), Portal.entity("contacts"))
    with pytest.raises(IncompleteReadError, match="RATE_LIMITS"):
        list(reader.ask_about(["1"]))


def test_a_refused_request_says_what_hubspot_said() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"category": "VALIDATION_ERROR", "message": "no such thing"})

    with pytest.raises(SourceError, match=r"400 \(VALIDATION_ERROR\).*no such thing"):
        hubspot.reader_of(over(answer), Portal.entity("contacts")).describe()


@pytest.mark.parametrize("kind", [entity.name for entity in HUBSPOT])
def test_every_request_is_made_by_the_package_and_sent_by_our_transport(sample: Portal, kind: str) -> None:
    threads = threading.active_count()
    reader, checked = sample.reader(kind), sample.source()
    with (
        mock.patch.object(ApiClient, "call_api", autospec=True, side_effect=ApiClient.call_api) as calls,
        mock.patch.object(urllib3.PoolManager, "urlopen", side_effect=AssertionError("not our transport")),
    ):
        assert ids(read_to_the_end(reader))
        checked.probe(Portal.entity(kind))
    checked.close()
    assert calls.call_count == reader.request_count + checked.transport.request_count
    assert threading.active_count() == threads


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 414, 429, 500])
def test_an_error_carries_neither_the_answer_nor_the_token(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The package's own errors quote both the headers and the body."""
    caplog.set_level(logging.DEBUG)
    private = {"Set-Cookie": "session=kept-for-us", "X-Trace": "kept-for-us"}
    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["Authorization"])
        context = {"email": ["somebody@example.com"]}
        body = {"category": "SOME_CATEGORY", "context": context, "errors": [{"context": context}]}
        return httpx.Response(status, json=body, headers=private)

    with pytest.raises(SourceError) as raised:
        hubspot.reader_of(over(answer), Portal.entity("contacts")).describe()
    assert set(sent) == {"Bearer pat-hidden"}
    told = "".join(traceback.format_exception(raised.value)) + caplog.text
    error: BaseException | None = raised.value
    while error is not None:
        told += repr(error) + repr(vars(error))
        error = error.__cause__ or error.__context__
    assert str(status) in told
    for secret in ("pat-hidden", "somebody@example.com", "kept-for-us"):
        assert secret not in told


def test_a_property_that_is_gone_or_retyped_is_named(small: Portal, caplog: pytest.LogCaptureFixture) -> None:
    """And is no warning at each run: what changes is one, once, by the record of it."""
    caplog.set_level(logging.INFO, logger="reporting")
    small.ask("DELETE", "/crm/v3/properties/deals/dealtype")
    small.ask("PATCH", "/crm/v3/properties/deals/amount", json={"type": "string"})
    pages = read_to_the_end(small.reader("deals"))
    assert len(ids(pages)) == 5
    assert "hubspot__deals: the portal has no property 'dealtype'" in caplog.text
    assert "hubspot__deals: the property 'amount' has the type string, but number was expected" in caplog.text
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside the checkout")
def test_recorded_definitions_name_every_declared_property(caplog: pytest.LogCaptureFixture) -> None:
    definitions = json.loads((RECORDED / "contact_properties.json").read_text())
    reader = hubspot.reader_of(
        over(lambda _: httpx.Response(200, json=definitions)), Portal.entity("contacts")
    )
    assert reader.describe()["properties"].keys() >= {"email", "lifecyclestage", "hs_additional_emails"}


OPTIONAL = ("tickets", "products", "line_items", "lists", "list_memberships")


def test_memberships_are_those_of_the_lists_that_are_named(sample: Portal) -> None:
    every = read_to_the_end(sample.reader("lists"))
    assert [each.payload["name"] for page in every for each in page.records] == [
        "Customers",
        "Newsletter",
        "Large companies",
    ]
    reader = sample.reader("list_memberships", named="newsletter, 13")
    found = [each.payload for page in read_to_the_end(reader) for each in page.records]
    assert {(each["list_id"], each["object_type"]) for each in found} <= {
        ("12", "contacts"),
        ("13", "companies"),
    }
    members = {each["object_id"] for each in found if each["list_id"] == "12"}
    assert members == {
        key
        for key, each in sample.truth("contacts").items()
        if each["properties"]["email"] and int(key) % 3 == 0
    }
    # The search, and each list.
    assert reader.request_count == 3
    with pytest.raises(NotFoundError, match=r"HubSpot has no list 'newsleter'\. Did you mean Newsletter\?"):
        read_to_the_end(sample.reader("list_memberships", named="Customers,newsleter"))


def test_every_list_and_member_comes_in_pages(sample: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ids(read_to_the_end(sample.reader("list_memberships")))
    monkeypatch.setattr(lists, "LISTS_LIMIT", 2)
    monkeypatch.setattr(lists, "MEMBERS_LIMIT", 3)
    assert ids(read_to_the_end(sample.reader("list_memberships"))) == whole
    assert len(whole) == len(set(whole)) > 6


def test_a_list_of_lists_that_never_ends_is_an_error() -> None:
    source = over(lambda _: httpx.Response(200, json={"lists": [], "hasMore": True, "offset": 0}))
    with pytest.raises(IncompleteReadError, match="more lists but returns nothing new"):
        list(hubspot.reader_of(source, Portal.entity("lists")).read(None))


def test_pipelines_of_other_types_have_their_type_before_the_key(sample: Portal) -> None:
    reader = sample.reader("pipelines")
    found = [each for page in read_to_the_end(reader) for each in page.records]
    assert [(each.id, each.payload["object_type"]) for each in found] == [
        ("default", "deals"),
        ("tickets:0", "tickets"),
    ]
    assert reader.would_meet("tickets:1")
    assert not reader.would_meet("projects:1")


def test_what_needs_a_missing_scope_is_left_out_and_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scopes = "crm.objects.deals.read,crm.objects.contacts.read,crm.objects.companies.read"
    with portal(tmp_path, *SMALL, "--scopes", scopes) as limited:
        reader = limited.reader("pipelines")
        assert ids(read_to_the_end(reader)) == ["default"]
        assert not reader.would_meet("tickets:0")
        assert "The pipelines of tickets are not read" in caplog.text
        for kind, scope in (
            ("lists", "crm.lists.read"),
            ("list_memberships", "crm.lists.read"),
            ("tickets", "tickets"),
        ):
            with pytest.raises(AccessDeniedError, match=f"lacks the scope {scope}"):
                read_to_the_end(limited.reader(kind))


def test_what_not_every_portal_has_is_read_where_it_is_configured() -> None:
    for name in OPTIONAL:
        entity = Portal.entity(name)
        with pytest.raises(NotReadError, match=f"REPORTING_NAME_HUBSPOT__{name.upper()}"):
            open_reader(read_settings({}), entity, "a-key")
        named = "all" if "list" in name and name != "line_items" else name
        open_reader(
            read_settings({f"REPORTING_NAME_HUBSPOT__{name.upper()}": named}), entity, "a-key"
        ).close()
    wrong = read_settings({"REPORTING_NAME_HUBSPOT__TICKETS": "yes"})
    with pytest.raises(NotFoundError, match="HUBSPOT__TICKETS is 'yes', and HubSpot calls this type tickets"):
        open_reader(wrong, Portal.entity("tickets"), "a-key")
    # What is not read has no associations, history or pipelines either.
    settings = read_settings({"REPORTING_NAME_HUBSPOT__PRODUCTS": "products"})
    reader = open_reader(settings, Portal.entity("associations"), "a-key")
    assert not reader.would_meet("tickets:1>contacts:2#HUBSPOT_DEFINED:16")
    assert open_reader(settings, Portal.entity("property_history"), "a-key").describe()["history"].keys() == {
        "contacts",
        "companies",
        "deals",
    }
