"""HubSpot from its fake API to the raw tables: equal to the fake API's own truth after any history."""

import json
from collections.abc import Iterator
from copy import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from google.cloud import bigquery
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from reporting.ingest import load as loading
from reporting.ingest import states
from reporting.ingest.extract import LARGE_REQUEST_COUNT, is_refreshed_lately
from reporting.ingest.landing import Landing, Refresh
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings
from reporting.sources.base import NotReadError, Reader
from reporting.sources.http import PoliteTransport
from reporting.sources.hubspot import reader as hubspot
from reporting.sources.registry import open_reader
from tests.support.hubspot_portal import SMALL, UNPACED, Portal, portal
from tests.support.syncs import Syncs

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recorded" / "hubspot"
KINDS = ("contacts", "companies")
OTHERS = (
    *("owners", "pipelines", "associations", "property_history"),
    *("tickets", "line_items", "lists", "list_memberships"),
)


class Syncs(Syncs):
    """Runs extract and load against one portal."""

    portal: Portal

    def run(self, kind: str, refresh: Refresh = "full", reader: Reader | None = None) -> Counts:
        return self.synced(Portal.entity(kind), refresh, reader or self.portal.reader(kind))

    def rows(self, kind: str) -> dict[str, Any]:
        return self.raw(Portal.entity(kind))

    def empty(self) -> None:
        kinds = (*KINDS, "deals", "emails", *OTHERS)
        self.forget(*map(Portal.entity, kinds))


@pytest.fixture
def syncs(current_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> Iterator[Syncs]:
    made = Syncs(*current_warehouse, Landing(str(tmp_path / "landing")))
    made.empty()
    with portal(tmp_path / "portal", *SMALL) as running:
        made.portal = running
        yield made


def check(syncs: Syncs, kind: str) -> None:
    """The table against the portal's own record of what became of each object."""
    rows, truth = syncs.rows(kind), syncs.portal.truth(kind)
    for key, each in truth.items():
        if each["merged_into"] and each["merged_into"] not in truth:
            # Its winner was erased, and nothing tells of the merge any more.
            assert key not in rows or rows[key]["_deleted_reason"] in ("merged", "missing")
            continue
        row = rows[key]
        expected = "archived" if each["archived"] else "merged" if each["merged_into"] else None
        assert (row["_deleted_reason"], row["_merged_into_id"]) == (expected, each["merged_into"]), key
        assert (row["_deleted_at"] is None) is (expected is None)
        if expected != "merged":
            assert row["_payload"]["properties"] == each["properties"]
    for key in rows.keys() - truth.keys():
        # Of what was erased only the absence is known, or what was seen of it before.
        assert rows[key]["_deleted_reason"] in ("missing", "archived", "merged")


def test_every_entity_is_loaded_once(syncs: Syncs) -> None:
    for kind in ("contacts", "deals", "emails", *OTHERS):
        counts = syncs.run(kind)
        assert counts.inserted == counts.read > 0
        again = syncs.run(kind)
        assert again == Counts(counts.read)
        assert syncs.manifest.is_unchanged
    deal = next(iter(syncs.rows("deals").values()))
    properties = deal["_payload"]["properties"]
    assert {name: deal[name] for name in ("dealname", "amount", "dealstage")} == {
        name: properties[name] for name in ("dealname", "amount", "dealstage")
    }
    pipeline = syncs.rows("pipelines")["default"]
    assert syncs.rows("pipelines")["tickets:0"]["object_type"] == "tickets"
    assert pipeline["stages"][3] | {"archived": None} == {
        "id": "closedwon",
        "label": "Closed won",
        "display_order": "3",
        "is_closed": "true",
        "probability": "1.0",
        "archived": None,
    }
    assert syncs.rows("owners")["503"]["archived"] is True
    assert syncs.rows("owners")["503"]["_deleted_at"] is None


def test_a_full_refresh_that_finds_what_is_there_starts_no_job(
    syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs.run("contacts")
    with monkeypatch.context() as patch:
        patch.setattr(loading, "run_job", lambda *_: pytest.fail("a job was started"))
        assert syncs.run("contacts") == Counts(30)
    key = next(iter(syncs.portal.truth("contacts")))
    syncs.portal.change("contacts", key, city="Elsewhere")
    assert syncs.run("contacts", "changed").updated == 1
    syncs.portal.change("contacts", key, city="Here")
    assert syncs.run("contacts") == Counts(30, 0, 1, 0)


def test_a_change_that_is_taken_back_is_loaded_again(syncs: Syncs) -> None:
    """The second full refresh reads what the first read; the table holds something else by then."""
    kind, key = "pipelines", "default"
    syncs.run(kind)
    table = f"{syncs.settings.dataset('raw')}.{Portal.entity(kind).table}"
    sync_log = f"{syncs.settings.dataset('ops')}.sync_runs"
    syncs.client.query_and_wait(f"UPDATE {table} SET label = 'x', _content_hash = 'x' WHERE TRUE")
    syncs.client.query_and_wait(
        f"INSERT INTO {sync_log} (run_id, source, entity, refresh, started_at, committed_at, cursor_at, is_complete, "
        "rows_read, rows_inserted, rows_updated, rows_tombstoned, request_count) VALUES ('other', 'hubspot', "
        "'pipelines', 'full', TIMESTAMP '2020-01-01', CURRENT_TIMESTAMP(), TIMESTAMP '2020-01-01', TRUE, 1, 0, 1, 0, 1)"
    )
    assert syncs.run(kind) == Counts(2, 0, 2, 0)
    assert syncs.rows(kind)[key]["label"] == "Sales Pipeline"


def test_a_former_value_stays_when_hubspot_shows_it_no_longer(syncs: Syncs) -> None:
    key = next(iter(syncs.portal.truth("deals")))
    syncs.run("property_history")
    before = syncs.rows("property_history")
    syncs.portal.erase("deals", key)
    counts = syncs.run("property_history")
    assert counts.tombstoned == 0
    rows = syncs.rows("property_history")
    assert rows.keys() == before.keys()
    assert any(each["object_id"] == key and each["_deleted_at"] is None for each in rows.values())
    # The count of rows that a full refresh compares is of what is there now, and says nothing of a past.
    assert counts.in_warehouse is None


def test_whoever_leaves_a_list_is_no_member_any_more(syncs: Syncs) -> None:
    syncs.run("list_memberships")
    member = next(each for each in syncs.rows("list_memberships").values() if each["list_id"] == "11")
    syncs.portal.change("contacts", member["object_id"], lifecyclestage="other")
    assert syncs.run("list_memberships").tombstoned == 1
    assert syncs.rows("list_memberships")[member["id"]]["_deleted_reason"] == "missing"


def test_a_changed_run_brings_merges_and_a_full_one_the_rest(syncs: Syncs) -> None:
    syncs.run("contacts")
    winner, loser, archived, erased, edited = list(syncs.portal.truth("contacts"))[:5]
    syncs.portal.merge("contacts", winner, loser)
    syncs.portal.archive("contacts", archived)
    syncs.portal.erase("contacts", erased)
    syncs.portal.change("contacts", edited, city="Elsewhere")
    assert syncs.run("contacts", "changed").tombstoned == 1
    counts = syncs.run("contacts")
    assert counts.tombstoned == 2
    rows = syncs.rows("contacts")
    assert {key: rows[key]["_deleted_reason"] for key in (winner, loser, archived, erased, edited)} == {
        winner: None,
        loser: "merged",
        archived: "archived",
        erased: "missing",
        edited: None,
    }
    assert rows[loser]["_merged_into_id"] == winner
    assert rows[archived]["_deleted_at"] == rows[archived]["archived_at"]
    syncs.portal.restore("contacts", archived)
    assert syncs.run("contacts") == Counts(
        syncs.manifest.record_count + syncs.manifest.tombstone_count, 0, 1, 0
    )
    assert syncs.rows("contacts")[archived]["_deleted_at"] is None


def test_an_association_that_is_gone_gets_a_tombstone(syncs: Syncs) -> None:
    syncs.run("associations")
    row = next(each for each in syncs.rows("associations").values() if each["from_type"] == "calls")
    syncs.portal.unlink(row["from_type"], row["from_id"], row["to_type"], row["to_id"])
    assert syncs.run("associations").tombstoned == 1
    assert syncs.rows("associations")[row["id"]]["_deleted_reason"] == "missing"


def test_associations_without_a_scope_stay_as_they_are(syncs: Syncs, tmp_path: Path) -> None:
    syncs.run("associations")
    scopes = ",".join(f"crm.objects.{name}.read" for name in ("contacts", "companies", "deals"))
    with portal(tmp_path / "portal", "--scopes", scopes) as limited:
        counts = syncs.run("associations", reader=limited.reader("associations"))
    assert counts.tombstoned == 0
    kept = [each for each in syncs.rows("associations").values() if each["from_type"] == "emails"]
    assert kept
    assert all(each["_deleted_at"] is None for each in kept)


def test_a_record_without_an_id_stops_nothing_else(syncs: Syncs, caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "properties" in request.url.path:
            return httpx.Response(200, json={"results": [{"name": "email", "type": "string"}]})
        if request.url.params.get("archived") == "true":
            return httpx.Response(200, json={"results": []})
        found = [{"id": key, "properties": {"email": "a@example.com"}} for key in ("7", None)]
        return httpx.Response(200, json={"results": found})

    transport = PoliteTransport(UNPACED, httpx.MockTransport(answer))
    portal_here = hubspot.HubSpot("pat-any", transport=transport)
    counts = syncs.run("contacts", reader=hubspot.reader_of(portal_here, Portal.entity("contacts")))
    assert counts == Counts(2, 1, 0, 0)
    assert "hubspot__contacts: 1 records have no id" in caplog.text
    sql = f"SELECT rows_rejected FROM {syncs.settings.dataset('ops')}.sync_runs"
    assert [row["rows_rejected"] for row in syncs.client.query_and_wait(sql)] == [1]


def test_an_entity_can_be_switched_off(syncs: Syncs) -> None:
    settings = replace(syncs.settings, names={"hubspot__emails": "none"})
    with pytest.raises(NotReadError, match="REPORTING_NAME_HUBSPOT__EMAILS=none"):
        open_reader(settings, Portal.entity("emails"), "pat-any")
    reader = open_reader(settings, Portal.entity("associations"), "pat-any")
    assert not reader.would_meet("emails:1>contacts:2#HUBSPOT_DEFINED:198")
    reader.close()


@pytest.mark.parametrize(
    ("requests", "expected"), [(LARGE_REQUEST_COUNT + 1, True), (LARGE_REQUEST_COUNT, False)]
)
def test_a_dear_full_refresh_is_made_once_a_day(syncs: Syncs, requests: int, expected: bool) -> None:
    syncs.run("associations")
    syncs.client.query_and_wait(
        f"UPDATE {syncs.settings.dataset('ops')}.sync_runs SET request_count = {requests} WHERE TRUE"
    )
    states.forget(syncs.settings, Portal.entity("associations"))
    assert is_refreshed_lately(syncs.client, syncs.settings, Portal.entity("associations")) is expected


step = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(KINDS)),
    *(
        st.tuples(st.just(name), st.sampled_from(KINDS), st.integers(0, 40))
        for name in ("change", "archive", "restore", "erase")
    ),
    st.tuples(st.just("merge"), st.sampled_from(KINDS), st.integers(0, 40), st.integers(0, 40)),
    st.tuples(st.just("run"), st.sampled_from(KINDS), st.sampled_from(("full", "changed"))),
)


@pytest.mark.heavy
@hypothesis_settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(history=st.lists(step, min_size=6, max_size=16))
def test_after_any_history_the_tables_are_the_portals_truth(
    current_warehouse: tuple[bigquery.Client, Settings], history: list[Any]
) -> None:
    with TemporaryDirectory() as folder, portal(Path(folder) / "portal", *SMALL) as running:
        syncs = Syncs(*current_warehouse, Landing(f"{folder}/landing"))
        syncs.portal = running
        syncs.empty()
        follow(syncs, history)


def follow(syncs: Syncs, history: list[Any]) -> None:
    """Do what the history says, then compare each table with the portal."""

    def key_of(kind: str, number: int) -> str:
        known = sorted(syncs.portal.truth(kind), key=int)
        return known[number % len(known)]

    for name, kind, *rest in history:
        state = syncs.portal.truth(kind)
        keys = [key_of(kind, number) for number in rest if isinstance(number, int)]
        living = [key for key in keys if not state[key]["archived"] and not state[key]["merged_into"]]
        if name == "create":
            syncs.portal.create(kind, city="New")
        elif name == "run":
            syncs.run(kind, rest[0])
        elif name == "restore" and state[keys[0]]["archived"]:
            syncs.portal.restore(kind, keys[0])
        elif name == "merge" and len(set(living)) == 2:
            syncs.portal.merge(kind, *living)
        elif name in ("change", "archive", "erase") and living:
            getattr(syncs.portal, name)(kind, living[0], **({"city": f"C{rest}"} if name == "change" else {}))
    for kind in KINDS:
        syncs.run(kind, "full")
        check(syncs, kind)
        assert syncs.run(kind) == Counts(syncs.manifest.record_count + syncs.manifest.tombstone_count)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside the checkout")
@pytest.mark.parametrize("kind", ["contacts", "companies", "deals"])
def test_recorded_answers_are_loaded_whole(syncs: Syncs, kind: str) -> None:
    recorded = json.loads((RECORDED / f"{kind}.json").read_text())
    names = sorted({name for each in recorded["results"] for name in each["properties"]})

    def answer(request: httpx.Request) -> httpx.Response:
        if "properties" in request.url.path:
            return httpx.Response(200, json={"results": [{"name": name, "type": "string"} for name in names]})
        is_archived = request.url.params.get("archived") == "true"
        return httpx.Response(200, json={"results": []} if is_archived else recorded)

    transport = PoliteTransport(UNPACED, httpx.MockTransport(answer))
    reader = hubspot.reader_of(hubspot.HubSpot("pat-any", transport=transport), Portal.entity(kind))
    counts = syncs.run(kind, reader=reader)
    assert counts.inserted == len(recorded["results"]) > 0
    rows = syncs.rows(kind)
    for each in recorded["results"]:
        assert rows[each["id"]]["_payload"] == each
        declared = Portal.entity(kind).properties  # type: ignore[attr-defined]
        assert {name: rows[each["id"]][name] for name in declared} == {
            name: each["properties"].get(name) for name in declared
        }
