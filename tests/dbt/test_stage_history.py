"""Stages from the fake API's sample to the marts: HubSpot's own history, and what dbt's snapshots saw of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest

from reporting.ingest.landing import Landing
from tests.dbt.sample_warehouse import SampleWarehouse, migrated
from tests.support.hubspot_portal import SMALL, Portal, portal
from tests.support.syncs import Syncs

TODAY = date(2099, 12, 30)
AGREE = "test.reporting.assert_stage_histories_agree"
READ = ("deals", "contacts", "property_history", "owners", "pipelines")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Story:
    """What the marts are after two syncs with changes in between, and the statement that compares."""

    deals: Rows
    contacts: Rows
    truth: dict[tuple[str, str], list[tuple[datetime, str]]]
    moved: str
    snapshots: list[tuple[Any, ...]]
    statuses: list[str]
    compare: str


@pytest.fixture(scope="module")
def warehouse(shared_environment: dict[str, str]) -> Iterator[SampleWarehouse]:
    with migrated(shared_environment) as (client, settings):
        yield SampleWarehouse(client, settings, TODAY)


def build(warehouse: SampleWarehouse) -> tuple[str, str]:
    """Build what the marts of stages need; status and statement of the comparison."""
    ran = warehouse.dbt("+deal_stage_history", "+contact_stage_history", "assert_stage_histories_agree")
    return ran[AGREE]


def mart(warehouse: SampleWarehouse, name: str) -> Rows:
    sql = f"SELECT * FROM {warehouse.mart(name)} ORDER BY 1, 2"
    return [dict(row) for row in warehouse.client.query_and_wait(sql)]


@pytest.fixture(scope="module")
def story(warehouse: SampleWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("stages")
    syncs = Syncs(warehouse.client, warehouse.settings, Landing(str(folder / "landing")))
    with portal(folder / "portal", *SMALL) as running:
        for name in READ:
            syncs.synced(Portal.entity(name), "full", running.reader(name))
        first, _ = build(warehouse)
        moved, cleared, *_ = running.truth("deals")
        running.change("deals", moved, dealstage="contractsent")
        running.change("deals", moved, dealstage="closedwon", hubspot_owner_id="501")
        running.change("deals", cleared, dealstage="")
        running.change("contacts", next(iter(running.truth("contacts"))), lifecyclestage="evangelist")
        for name in ("deals", "contacts", "property_history"):
            syncs.synced(Portal.entity(name), "changed", running.reader(name))
        second, compare = build(warehouse)
        truth: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
        for kind, name in (("deals", "dealstage"), ("contacts", "lifecyclestage")):
            for each in running.ask("GET", f"/_control/history/{kind}?properties={name}"):
                at = datetime.fromisoformat(each["timestamp"])
                truth.setdefault((kind, each["id"]), []).append((at, each["value"]))
    snapshots = warehouse.rows(
        f"SELECT deal_id, stage_id FROM {warehouse.settings.dataset('snapshots')}.snap_hubspot__deals"
    )
    return Story(
        mart(warehouse, "deal_stage_history"),
        mart(warehouse, "contact_stage_history"),
        {key: sorted(values) for key, values in truth.items()},
        moved,
        snapshots,
        [first, second],
        compare,
    )


def test_the_marts_are_hubspots_own_history(story: Story) -> None:
    """Also of what was before the first sync: of each value, when it was set and when the next was."""
    for kind, rows, key, column in (
        ("deals", story.deals, "deal_id", "stage_id"),
        ("contacts", story.contacts, "contact_id", "lifecycle_stage"),
    ):
        expected = []
        for (of, object_id), changes in story.truth.items():
            if of != kind:
                continue
            for (at, value), (left_at, _) in pairwise([*changes, (None, "")]):
                if value:
                    expected.append((object_id, value, at, left_at))
        found = [(row[key], row[column], row["entered_at"], row["left_at"]) for row in rows]
        assert sorted(found, key=str) == sorted(expected, key=str)
        assert {row["origin"] for row in rows} == {"history"}
        assert len(rows) > len({row[key] for row in rows})


def test_a_stay_has_its_days_owner_and_place(story: Story) -> None:
    *_, before, last = [row for row in story.deals if row["deal_id"] == story.moved]
    assert (before["stage"], last["stage"]) == ("Contract sent", "Closed won")
    assert last["stay_number"] == before["stay_number"] + 1
    assert before["left_at"] == last["entered_at"]
    assert (before["is_current"], last["is_current"]) == (False, True)
    assert before["days_in_stage"] == (before["left_at"].date() - before["entered_at"].date()).days
    assert last["days_in_stage"] == (TODAY - last["entered_at"].astimezone(UTC).date()).days
    assert (last["owner"], last["pipeline"]) == ("Robin Sample", "Sales Pipeline")


def test_the_snapshots_agree_with_the_history(warehouse: SampleWarehouse, story: Story) -> None:
    assert story.statuses == ["pass", "pass"]
    # They saw the deal twice, and between these what only HubSpot's history has.
    assert len([stage for deal, stage in story.snapshots if deal == story.moved]) == 2
    assert warehouse.rows(story.compare) == []


def test_a_history_that_says_something_else_is_told(warehouse: SampleWarehouse, story: Story) -> None:
    raw = f"{warehouse.settings.dataset('raw')}.hubspot__property_history"
    wrong = f"object_id = '{story.moved}' AND property = 'dealstage' AND value = 'closedwon'"
    warehouse.client.query_and_wait(f"UPDATE {raw} SET value = 'closedlost' WHERE {wrong}")
    try:
        assert [row[:3] for row in warehouse.rows(story.compare)] == [("deals", story.moved, "closedwon")]
    finally:
        back = wrong.replace("closedwon", "closedlost")
        warehouse.client.query_and_wait(f"UPDATE {raw} SET value = 'closedwon' WHERE {back}")


def test_without_a_history_the_snapshots_tell(warehouse: SampleWarehouse, story: Story) -> None:
    raw = f"{warehouse.settings.dataset('raw')}.hubspot__property_history"
    kept = mart(warehouse, "deal_stage_history")
    warehouse.client.query_and_wait(f"DELETE FROM {raw} WHERE object_id = '{story.moved}'")
    warehouse.dbt("deal_stage_history")
    found = {row["deal_id"]: row["origin"] for row in mart(warehouse, "deal_stage_history")}
    assert found == {row["deal_id"]: "history" for row in kept} | {story.moved: "snapshot"}
