"""What is read of Airflow's metadata database: the columns that Airflow has, each try once, and what did not come."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from reporting.monitoring import runs
from reporting.monitoring.runs import RunsError
from tests.support import postgres
from tests.support.airflow_metadata import Metadata

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
HOURLY, DAILY, PAUSED = "raw_notion__daily_habits__changed", "mart_personal__models__full", "ops_a__b__c"
HOUR = timedelta(hours=1)


def hourly(cron: str, since: datetime, until: datetime) -> Iterator[datetime]:
    """Every full hour, whatever the schedule says."""
    at = since.replace(minute=0, second=0, microsecond=0)
    while at <= until:
        if at >= since:
            yield at
        at += HOUR


def read(metadata: Metadata, since: datetime | None = None, now: datetime = NOW, **more: Any) -> runs.History:
    return runs.read(metadata.address, since, now, hourly, **more)


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.running() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def metadata(request: pytest.FixtureRequest) -> Metadata:
    """The metadata database that Airflow made, or the tables that are read in PostgreSQL; without a run."""
    if request.param == "sqlite":
        address = f"sqlite:///{request.getfixturevalue('database')}"
    else:
        cluster = request.getfixturevalue("cluster")
        address = cluster.url().replace("postgresql:", "postgresql+psycopg2:")
    made = Metadata(address)
    made.empty()
    return made


def test_airflow_has_every_column_that_is_read(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for table in runs.TABLES:
            there = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
            assert {column.name for column in table.columns} <= there, table.name


def test_a_run_is_read_as_it_is(metadata: Metadata) -> None:
    at = NOW - 2 * HOUR
    run_id = metadata.run(HOURLY, at)
    metadata.task(HOURLY, run_id, 1, "success", at + timedelta(seconds=30))
    found = read(metadata)
    assert found.runs == [
        {
            "dag_id": HOURLY,
            "run_id": run_id,
            "run_type": "scheduled",
            "state": "success",
            "due_at": at,
            "queued_at": None,
            "started_at": at,
            "ended_at": at + timedelta(minutes=1),
            "updated_at": at + timedelta(minutes=1),
        }
    ]
    [done] = found.tries
    assert (done["task_id"], done["try_number"], done["state"]) == ("extract", 1, "success")
    assert (done["duration_seconds"], done["ended_at"]) == (10, at + timedelta(seconds=30))


def test_each_try_is_there_once_when_it_has_ended(metadata: Metadata) -> None:
    at = NOW - 2 * HOUR
    run_id = metadata.run(HOURLY, at, state="running", end_date=None)
    metadata.task(HOURLY, run_id, 1, "failed", at, is_past=True)
    # It waits for its next try, and bears the number of the one before.
    metadata.task(HOURLY, run_id, 1, "up_for_retry", at)
    other = metadata.run(HOURLY, at + HOUR)
    metadata.task(HOURLY, other, 1, "failed", at + HOUR, is_past=True)
    metadata.task(HOURLY, other, 2, "success", at + HOUR)
    found = [(each["run_id"], each["try_number"], each["state"]) for each in read(metadata).tries]
    assert sorted(found) == sorted([(run_id, 1, "failed"), (other, 1, "failed"), (other, 2, "success")])


def test_only_what_changed_is_read_again_the_latest_last(metadata: Metadata) -> None:
    since = NOW - 3 * HOUR
    for hours in (5, 1, 2):
        run_id = metadata.run(HOURLY, NOW - hours * HOUR)
        metadata.task(HOURLY, run_id, 1, "success", NOW - hours * HOUR)
    # One that ended lately, and whose row was last changed before.
    late = metadata.run(DAILY, NOW - 9 * HOUR, updated_at=NOW - 8 * HOUR, end_date=NOW - HOUR / 2)
    found = read(metadata, since)
    assert {each["run_id"] for each in found.runs} == {
        late,
        *(f"scheduled__{(NOW - hours * HOUR).isoformat()}" for hours in (1, 2)),
    }
    changed = [each["updated_at"] for each in found.runs]
    assert changed == sorted(changed)
    assert len(found.tries) == 2
    assert len(read(metadata).runs) == 4


def test_the_run_that_asks_is_left_out(metadata: Metadata) -> None:
    own = metadata.run(HOURLY, NOW, state="running", end_date=None)
    metadata.task(HOURLY, own, 1, "failed", NOW, is_past=True)
    assert read(metadata, leave_out=(HOURLY, own)) == runs.History([], [])
    assert len(read(metadata, leave_out=(DAILY, own)).runs) == 1


def test_what_was_due_and_did_not_come_is_missing(metadata: Metadata) -> None:
    metadata.dag(HOURLY)
    metadata.dag(PAUSED, is_paused=True)
    metadata.dag("gone", is_stale=True)
    metadata.dag("triggered", cron="Asset")
    metadata.dag("never_run")
    for dag_id in (HOURLY, PAUSED, "gone", "triggered"):
        # Expected from here on, and none at 7 and at 9.
        for hour in (6, 8, 10, 11):
            metadata.run(dag_id, NOW.replace(hour=hour))
    found = [each for each in read(metadata).runs if each["state"] == runs.MISSING]
    assert [(each["dag_id"], each["due_at"].hour) for each in found] == [(HOURLY, 7), (HOURLY, 9)]
    assert {each["run_id"] for each in found} == {
        "scheduled__2026-06-30T07:00:00+00:00",
        "scheduled__2026-06-30T09:00:00+00:00",
    }
    later = [
        each["due_at"].hour
        for each in read(metadata, NOW.replace(hour=8)).runs
        if each["state"] == runs.MISSING
    ]
    assert later == [9]


def test_who_is_a_little_late_is_not_missing(metadata: Metadata) -> None:
    metadata.dag(HOURLY)
    metadata.run(HOURLY, NOW - HOUR)
    for now, missing in ((NOW + timedelta(minutes=29), 0), (NOW + timedelta(minutes=30), 1)):
        found = read(metadata, now=now).runs
        assert [each["state"] for each in found].count(runs.MISSING) == missing


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "none.db"
    with pytest.raises(RunsError, match="cannot be read"):
        runs.read(f"sqlite:///{file}", None, NOW, hourly)
    assert not file.exists()


def test_a_database_of_another_version_is_named_without_its_address(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE dag_run (dag_id TEXT)")
    with pytest.raises(RunsError, match="its version of Airflow differs") as said:
        runs.read(f"sqlite:///{file}", None, NOW, hourly)
    assert str(tmp_path) not in str(said.value)
    address = "postgresql+psycopg2://owner:hidden@127.0.0.1:1/airflow"
    with pytest.raises(RunsError) as said:
        runs.read(address, None, NOW, hourly)
    assert "hidden" not in str(said.value)
    assert said.value.__cause__ is None
    assert said.value.__context__ is None


def test_nothing_can_be_written_through_it(metadata: Metadata) -> None:
    metadata.run(HOURLY, NOW)
    with pytest.raises(RunsError, match="cannot be read"), runs._connected(metadata.address) as connection:
        connection.execute(sa.delete(runs.DAG_RUN))
    assert len(read(metadata).runs) == 1
