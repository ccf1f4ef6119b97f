"""How the warehouse keeps what the project notes of its own work."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.settings import Settings
from reporting.warehouse import records
from tests.habit_rounds import Rounds

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


class House:
    """The records of one warehouse."""

    def __init__(self, client: bigquery.Client, settings: Settings) -> None:
        self.client, self.settings = client, settings

    def merge(self, name: str, *rows: dict[str, Any]) -> None:
        records.merge(self.client, self.settings, name, rows)

    def rows(self, name: str) -> list[dict[str, Any]]:
        sql = f"SELECT * FROM {self.settings.dataset('ops')}.{name}"
        return [dict(row) for row in self.client.query(sql).result()]


@pytest.fixture
def house(habits: Rounds) -> House:
    made = House(habits.client, habits.settings)
    for name in records.AGES:
        made.client.query(f"DELETE FROM {made.settings.dataset('ops')}.{name} WHERE TRUE").result()
    return made


def test_every_value_comes_back(house: House) -> None:
    rows = [tried(1), tried(2, state="success", map_index=3)]
    house.merge(records.TRIES, *rows)
    assert sorted(house.rows(records.TRIES), key=lambda row: row["try_number"]) == rows


def test_a_later_change_wins_and_an_earlier_one_does_not(house: House) -> None:
    house.merge(records.RUNS, run(), run("2"))
    house.merge(records.RUNS, run(state="success", ended_at=AT, updated_at=AT + MINUTE), run("3"))
    house.merge(records.RUNS, run(state="queued", updated_at=AT - MINUTE))
    found = {row["run_id"]: (row["state"], row["ended_at"]) for row in house.rows(records.RUNS)}
    assert found == {"1": ("success", AT), "2": ("running", None), "3": ("running", None)}


def test_a_repetition_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "ROWS_A_MERGE", 2)
    rows = [run(str(number), at=AT + number * MINUTE) for number in range(5)]
    for _ in range(2):
        house.merge(records.RUNS, *rows)
        assert sorted(house.rows(records.RUNS), key=lambda row: row["run_id"]) == rows
    house.merge(records.RUNS)


def test_a_run_that_comes_after_all_is_missing_no_more(house: House) -> None:
    house.merge(records.RUNS, run(state="missing", started_at=None))
    house.merge(records.RUNS, run(state="success", started_at=AT + MINUTE, updated_at=AT + MINUTE))
    # And a later look that does not see it any more takes nothing back.
    house.merge(records.RUNS, run(state="missing", started_at=None))
    assert [row["state"] for row in house.rows(records.RUNS)] == ["success"]


def test_the_cursor_is_the_latest_change(house: House) -> None:
    assert records.runs_known_at(house.client, house.settings) is None
    house.merge(records.RUNS, run(), run("2", updated_at=AT + MINUTE))
    assert records.runs_known_at(house.client, house.settings) == AT + MINUTE


def test_what_is_appended_is_there_once(house: House) -> None:
    rows = [result("model.r.a"), result("test.r.b")]
    for _ in range(2):
        records.append(house.client, house.settings, records.RESULTS, "once", rows)
    records.append(house.client, house.settings, records.RESULTS, "nothing", [])
    found = house.rows(records.RESULTS)
    assert sorted(row["node_id"] for row in found) == ["model.r.a", "test.r.b"]
    assert {row["started_at"] for row in found} == {AT}
    assert {row["failures"] for row in found} == {None}


def test_what_is_old_goes_and_the_rest_stays(house: House) -> None:
    now = AT + records.KEPT
    house.merge(records.RUNS, run("old", at=AT - MINUTE), run("kept"))
    house.merge(records.TRIES, tried(1, updated_at=AT - MINUTE), tried(2))
    nodes = [result("model.r.old", AT - MINUTE), result("model.r.kept")]
    records.append(house.client, house.settings, records.RESULTS, "of-two-ages", nodes)
    assert records.forget(house.client, house.settings, now) == 3
    assert [row["run_id"] for row in house.rows(records.RUNS)] == ["kept"]
    assert [row["try_number"] for row in house.rows(records.TRIES)] == [2]
    assert [row["node_id"] for row in house.rows(records.RESULTS)] == ["model.r.kept"]
    assert records.forget(house.client, house.settings, now) == 0
