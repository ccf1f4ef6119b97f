"""What the sync log and the marts say to the checks, in a local BigQuery."""

from datetime import UTC, datetime, timedelta

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.monitoring import reading
from reporting.monitoring.categories import CATEGORIES, Category
from reporting.monitoring.volumes import BEFORE
from reporting.settings import Settings
from reporting.transform import builds
from reporting.warehouse.client import connect
from tests.support.marts import Marts

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def client(settings: Settings) -> bigquery.Client:
    """A warehouse with the project's own records."""
    client = connect(settings)
    Marts(client, settings).make_records()
    return client


def enter(client: bigquery.Client, settings: Settings, *runs: str) -> None:
    """Enter runs into the sync log: entity, refresh, hours ago, rows and whether it was complete."""
    client.query_and_wait(
        f"""
        INSERT INTO `{settings.dataset("ops")}.sync_runs` (
            run_id, source, entity, refresh, committed_at, cursor_at, rows_read, rows_inserted, rows_updated,
            rows_tombstoned, is_complete, rows_in_warehouse
        ) VALUES {", ".join(runs)}
        """
    )


def run(
    hours: float,
    refresh: str = "changed",
    *,
    entity: str = "contacts",
    inserted: int = 0,
    is_complete: bool = True,
    living: int | None = None,
) -> str:
    at = (NOW - timedelta(hours=hours)).isoformat()
    return (
        f"('{entity}-{refresh}-{hours}', 'hubspot', '{entity}', '{refresh}', TIMESTAMP '{at}', TIMESTAMP '{at}', "
        f"{inserted + 1}, {inserted}, 2, 3, {is_complete}, {'NULL' if living is None else living})"
    )


def test_the_last_complete_run_of_each_entity(client: bigquery.Client, settings: Settings) -> None:
    enter(
        client,
        settings,
        run(100),
        run(90, is_complete=False),
        run(80, "replay"),
        run(50, entity="deals"),
        run(5, entity="of another version"),
    )
    found = {read.entity.name: read for read in reading.sync_log(client, settings, NOW).reads}
    assert set(found) == {"contacts", "deals"}
    assert found["contacts"].last_complete_at == NOW - timedelta(hours=100)
    assert found["deals"].last_complete_at == NOW - timedelta(hours=50)


def test_loads_of_the_last_day_and_as_many_before_as_are_compared_with(
    client: bigquery.Client, settings: Settings
) -> None:
    enter(
        client,
        settings,
        *(run(hours) for hours in range(1, BEFORE + 40)),
        run(30.5, "full", inserted=7, living=900),
    )
    loads = reading.sync_log(client, settings, NOW).loads
    changed = [load for load in loads if load.refresh == "changed"]
    assert len([load for load in changed if NOW - load.committed_at < timedelta(days=1)]) == 23
    assert len(changed) == 23 + BEFORE
    (full_refresh,) = (load for load in loads if load.refresh == "full")
    assert (full_refresh.read, full_refresh.changed, full_refresh.gone, full_refresh.in_warehouse) == (
        8,
        9,
        3,
        900,
    )
    # Loads after the full refresh are of a table of that size.
    assert {load.in_warehouse for load in changed if load.committed_at > full_refresh.committed_at} == {900}


def test_values_are_counted_and_before_the_marts_there_are_none(
    client: bigquery.Client, settings: Settings
) -> None:
    with pytest.raises(NotFound):
        reading.values(client, settings, CATEGORIES)
    marts = Marts(client, settings)
    marts.make()
    marts.hold(
        "companies",
        [{"company_id": str(n), "country": country} for n, country in enumerate(["DE", "de", "DE", None])],
    )
    found = reading.values(client, settings, CATEGORIES)
    assert set(found) == set(CATEGORIES)
    assert found[Category("companies", "country", "HubSpot")] == {"DE": 2, "de": 1}
    assert found[Category("companies", "city", "HubSpot")] == {}


def test_when_the_last_builds_that_succeeded_began(client: bigquery.Client, settings: Settings) -> None:
    assert builds.last_starts(client, settings) == (None, None)
    for refresh, hours in (("full", 9), ("changed", 2), ("full", 30)):
        at = (NOW - timedelta(hours=hours)).isoformat()
        client.query_and_wait(
            f"""
            INSERT INTO `{settings.dataset("ops")}.dbt_builds` (build_id, refresh, started_at, committed_at)
            VALUES ('{refresh}-{hours}', '{refresh}', TIMESTAMP '{at}', TIMESTAMP '{at}')
            """
        )
    assert builds.last_starts(client, settings) == (NOW - timedelta(hours=9), NOW - timedelta(hours=2))
