"""What a build is to take in, decided from the sync log."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest import freshness, states, sync_log
from reporting.ingest.landing import Manifest
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings
from reporting.sources.notion.entities import NOTION
from reporting.transform import builds

DAILY, WEEKLY = NOTION[:2]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Warehouse:
    def __init__(self, client: bigquery.Client, settings: Settings) -> None:
        self.client, self.settings = client, settings
        self.number = 0

    def load(self, entity: Entity, inserted: int, refresh: str = "changed", read: int | None = None) -> str:
        self.number += 1
        manifest = Manifest(
            run_id=f"run-{self.number}-{uuid.uuid4().hex}",
            source=entity.source,
            entity=entity.name,
            refresh=refresh,  # type: ignore[arg-type]
            started_at=NOON,
            extracted_at=NOON,
            window_since=None,
            cursor_at=NOON,
            record_count=inserted,
            tombstone_count=0,
            request_count=1,
            part_count=0,
            is_complete=True,
        )
        counts = Counts(inserted if read is None else read, inserted)
        sync_log.append(self.client, self.settings, manifest, counts, "memory")
        return manifest.run_id

    def plan(self, refresh: str = "changed") -> builds.Plan:
        return builds.plan(self.client, self.settings, refresh)  # type: ignore[arg-type]

    def record(self, plan: builds.Plan) -> None:
        builds.record(self.client, self.settings, plan)


@pytest.fixture
def warehouse(current_warehouse: tuple[bigquery.Client, Settings]) -> Warehouse:
    client, settings = current_warehouse
    for name in ("sync_runs", "dbt_builds"):
        client.query_and_wait(f"DELETE FROM {settings.dataset('ops')}.{name} WHERE TRUE")
    return Warehouse(client, settings)


def test_nothing_changed_needs_no_build(warehouse: Warehouse) -> None:
    warehouse.load(DAILY, 0)
    assert not warehouse.plan().is_needed
    assert warehouse.plan("full").is_needed


def test_the_first_build_is_of_everything(warehouse: Warehouse) -> None:
    run = warehouse.load(DAILY, 3)
    first = warehouse.plan()
    assert (first.refresh, first.run_ids) == ("full", (run,))
    assert first.selection("staging") == ("tag:staging",)
    assert first.excluded == ()


def test_a_build_takes_in_what_no_successful_one_has(warehouse: Warehouse) -> None:
    warehouse.load(DAILY, 3)
    warehouse.record(warehouse.plan())
    assert not warehouse.plan().is_needed
    late = warehouse.load(WEEKLY, 1)
    failed = warehouse.plan()
    assert (failed.refresh, failed.sources, failed.run_ids) == ("changed", ("notion.weekly_habits",), (late,))
    assert failed.selection("marts") == ("source:notion.weekly_habits+,tag:marts",)
    # It was not recorded, so the next one takes the same in, and what came meanwhile.
    other = warehouse.load(DAILY, 1)
    again = warehouse.plan()
    assert set(again.run_ids) == {late, other}
    assert again.sources == ("notion.daily_habits", "notion.weekly_habits")
    warehouse.record(again)
    warehouse.record(again)
    assert not warehouse.plan().is_needed
    rows = warehouse.client.query_and_wait(
        f"SELECT COUNT(*) AS n FROM `{warehouse.settings.dataset('ops')}.dbt_builds`"
    )
    assert next(iter(rows))["n"] == 2


def test_a_run_committed_while_a_build_goes_on_is_not_lost(warehouse: Warehouse) -> None:
    warehouse.load(DAILY, 3)
    going_on = warehouse.plan("full")
    late = warehouse.load(DAILY, 1)
    warehouse.record(going_on)
    assert warehouse.plan().run_ids == (late,)


def test_another_project_is_built_whole_first(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its models lean on others that the last build did not make."""
    warehouse.load(DAILY, 3)
    warehouse.record(warehouse.plan())
    late = warehouse.load(DAILY, 1)
    assert warehouse.plan().refresh == "changed"
    monkeypatch.setattr(builds, "project_digest", lambda: "another")
    whole = warehouse.plan()
    assert (whole.refresh, whole.run_ids) == ("full", (late,))
    warehouse.record(whole)
    warehouse.load(DAILY, 1)
    assert warehouse.plan().refresh == "changed"


def test_a_plan_travels_between_tasks(warehouse: Warehouse) -> None:
    warehouse.load(DAILY, 3)
    plan = warehouse.plan()
    assert builds.Plan.from_json(plan.to_json()) == plan


def test_the_sync_log_knows_the_last_full_refresh_and_what_was_read(warehouse: Warehouse) -> None:
    warehouse.load(DAILY, 2)
    assert states.read(warehouse.client, warehouse.settings, DAILY).full_refresh is None
    warehouse.load(DAILY, 2, "full", read=9000)
    full_refresh = states.read(warehouse.client, warehouse.settings, DAILY, timedelta()).full_refresh
    assert full_refresh is not None
    assert (full_refresh.started_at, full_refresh.rows_read) == (NOON, 9000)
    assert list(freshness.last_reads(warehouse.client, warehouse.settings)) == ["notion.daily_habits"]
