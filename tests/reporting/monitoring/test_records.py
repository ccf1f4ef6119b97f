"""How the warehouse keeps what the project notes of its own work."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.monitoring import records
from reporting.settings import Settings
from tests.support.habit_syncs import Syncs

AT = datetime(2026, 6, 30, 1, 2, 3, 456789, UTC)
MINUTE = timedelta(minutes=1)


def run(run_id: str = "1", state: str = "running", at: datetime = AT, **values: Any) -> dict[str, Any]:
    return {
        "dag_id": "raw_a__b__full",
        "run_id": run_id,
        "run_type": "scheduled",
        "state": state,
        "due_at": at,
        "queued_at": None,
        "started_at": at,
        "ended_at": None,
        "updated_at": at,
    } | values


def tried(number: int, **values: Any) -> dict[str, Any]:
    return {
        "dag_id": "raw_a__b__full",
        "run_id": "1",
        "task_id": "extract",
        "map_index": -1,
        "try_number": number,
        "state": "failed",
        "operator": 'a "quoted" name, ünd',
        "pool": None,
        "queued_at": None,
        "started_at": AT,
        "ended_at": AT,
        "duration_seconds": 0.25,
        "updated_at": AT,
    } | values


def result(node: str, at: datetime = AT) -> dict[str, Any]:
    return {"invocation_id": "i", "node_id": node, "status": "success", "started_at": at}


class SampleWarehouse:
    """The records of one warehouse."""

    def __init__(self, client: bigquery.Client, settings: Settings) -> None:
        self.client, self.settings = client, settings

    def merge(self, name: str, *rows: dict[str, Any]) -> None:
        records.merge(self.client, self.settings, name, rows)

    def rows(self, name: str) -> list[dict[str, Any]]:
        sql = f"SELECT * FROM {self.settings.dataset('ops')}.{name}"
        return [dict(row) for row in self.client.query_and_wait(sql)]


@pytest.fixture
def sample_warehouse(habits: Syncs) -> SampleWarehouse:
    made = SampleWarehouse(habits.client, habits.settings)
    for name in records.AGES:
        made.client.query_and_wait(f"DELETE FROM {made.settings.dataset('ops')}.{name} WHERE TRUE")
    return made


def test_every_value_comes_back(sample_warehouse: SampleWarehouse) -> None:
    rows = [tried(1), tried(2, state="success", map_index=3)]
    sample_warehouse.merge(records.TRIES, *rows)
    assert sorted(sample_warehouse.rows(records.TRIES), key=lambda row: row["try_number"]) == rows


def test_a_later_change_wins_and_an_earlier_one_does_not(sample_warehouse: SampleWarehouse) -> None:
    sample_warehouse.merge(records.RUNS, run(), run("2"))
    sample_warehouse.merge(records.RUNS, run(state="success", ended_at=AT, updated_at=AT + MINUTE), run("3"))
    sample_warehouse.merge(records.RUNS, run(state="queued", updated_at=AT - MINUTE))
    found = {row["run_id"]: (row["state"], row["ended_at"]) for row in sample_warehouse.rows(records.RUNS)}
    assert found == {"1": ("success", AT), "2": ("running", None), "3": ("running", None)}


def test_a_repetition_changes_nothing(
    sample_warehouse: SampleWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "ROWS_A_MERGE", 2)
    rows = [run(str(number), at=AT + number * MINUTE) for number in range(5)]
    for _ in range(2):
        sample_warehouse.merge(records.RUNS, *rows)
        assert sorted(sample_warehouse.rows(records.RUNS), key=lambda row: row["run_id"]) == rows
    sample_warehouse.merge(records.RUNS)


def test_a_run_that_comes_after_all_is_missing_no_more(sample_warehouse: SampleWarehouse) -> None:
    sample_warehouse.merge(records.RUNS, run(state="missing", started_at=None))
    sample_warehouse.merge(records.RUNS, run(state="success", started_at=AT + MINUTE, updated_at=AT + MINUTE))
    # And a later look that does not see it any more takes nothing back.
    sample_warehouse.merge(records.RUNS, run(state="missing", started_at=None))
    assert [row["state"] for row in sample_warehouse.rows(records.RUNS)] == ["success"]


def test_the_cursor_is_the_latest_change(sample_warehouse: SampleWarehouse) -> None:
    assert records.runs_known_at(sample_warehouse.client, sample_warehouse.settings) is None
    sample_warehouse.merge(records.RUNS, run(), run("2", updated_at=AT + MINUTE))
    assert records.runs_known_at(sample_warehouse.client, sample_warehouse.settings) == AT + MINUTE


def test_what_is_appended_is_there_once(sample_warehouse: SampleWarehouse) -> None:
    rows = [result("model.r.a"), result("test.r.b")]
    for _ in range(2):
        records.append(sample_warehouse.client, sample_warehouse.settings, records.RESULTS, "once", rows)
    records.append(sample_warehouse.client, sample_warehouse.settings, records.RESULTS, "nothing", [])
    found = sample_warehouse.rows(records.RESULTS)
    assert sorted(row["node_id"] for row in found) == ["model.r.a", "test.r.b"]
    assert {row["started_at"] for row in found} == {AT}
    assert {row["failures"] for row in found} == {None}


def test_what_is_old_goes_and_the_rest_stays(sample_warehouse: SampleWarehouse) -> None:
    now = AT + records.KEPT
    sample_warehouse.merge(records.RUNS, run("old", at=AT - MINUTE), run("kept"))
    sample_warehouse.merge(records.TRIES, tried(1, updated_at=AT - MINUTE), tried(2))
    nodes = [result("model.r.old", AT - MINUTE), result("model.r.kept")]
    records.append(sample_warehouse.client, sample_warehouse.settings, records.RESULTS, "of-two-ages", nodes)
    assert records.forget(sample_warehouse.client, sample_warehouse.settings, now) == 3
    assert [row["run_id"] for row in sample_warehouse.rows(records.RUNS)] == ["kept"]
    assert [row["try_number"] for row in sample_warehouse.rows(records.TRIES)] == [2]
    assert [row["node_id"] for row in sample_warehouse.rows(records.RESULTS)] == ["model.r.kept"]
    assert records.forget(sample_warehouse.client, sample_warehouse.settings, now) == 0
