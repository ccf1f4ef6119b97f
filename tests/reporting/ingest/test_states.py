"""The sync log is asked once a sync for all entities, and what was kept is never ahead of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reporting.ingest import states
from reporting.ingest.states import Run, State
from reporting.settings import Settings, read_settings
from reporting.sources.notion.entities import NOTION

DAILY, WEEKLY = NOTION[:2]
MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Warehouse:
    """A client of a BigQuery whose table metadata is true, with a sync log in memory; counts its queries."""

    def __init__(self) -> None:
        self.created = MADE_AT
        self.rows: list[dict[str, Any]] = []
        self.query_count = 0

    def get_table(self, _: str) -> Any:
        return SimpleNamespace(created=self.created, num_rows=len(self.rows))

    def query_and_wait(self, _: str) -> Any:
        self.query_count += 1
        return list(self.rows)

    def add(self, name: str, at: datetime, refresh: str = "changed", **values: Any) -> None:
        self.rows.append(
            {
                "name": name,
                "run_id": f"run {len(self.rows)}",
                "refresh": refresh,
                "started_at": at,
                "committed_at": at + timedelta(minutes=1),
                "cursor_at": at,
                "rows_read": 3,
                "request_count": 1,
                "content_digest": None,
                "sync_token": None,
                "schema_digest": None,
                "is_change": False,
                **values,
            }
        )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"REPORTING_STATE": str(tmp_path), "REPORTING_BIGQUERY_PROJECT": "project"})


@pytest.fixture
def warehouse() -> Iterator[Any]:
    made = Warehouse()
    made.add(DAILY.table, NOON)
    made.add(WEEKLY.table, NOON, "full", content_digest="d")
    return made


def test_one_query_serves_every_entity_of_a_sync(warehouse: Any, settings: Settings) -> None:
    assert states.read(warehouse, settings, DAILY).cursor_at == NOON
    assert states.read(warehouse, settings, WEEKLY) == State(
        cursor_at=NOON,
        full_refresh=Run("run 1", NOON, NOON + timedelta(minutes=1), 3, 1, "d"),
        last_run_id="run 1",
    )
    assert states.read(warehouse, settings, DAILY).cursor_at == NOON
    assert warehouse.query_count == 1


def test_a_load_has_its_own_entity_asked_for_again(warehouse: Any, settings: Settings) -> None:
    states.read(warehouse, settings, DAILY)
    warehouse.add(DAILY.table, NOON + timedelta(hours=1))
    states.forget(settings, DAILY)
    states.read(warehouse, settings, WEEKLY)
    assert warehouse.query_count == 1
    assert states.read(warehouse, settings, DAILY).cursor_at == NOON + timedelta(hours=1)
    assert warehouse.query_count == 2


def test_what_was_kept_of_another_sync_log_is_not_used(warehouse: Any, settings: Settings) -> None:
    states.read(warehouse, settings, DAILY)
    warehouse.rows.pop()
    warehouse.rows[0]["cursor_at"] = MADE_AT
    assert states.read(warehouse, settings, DAILY).cursor_at == MADE_AT
    warehouse.created = NOON
    states.read(warehouse, settings, DAILY)
    assert warehouse.query_count == 3


def test_what_was_kept_too_long_is_not_used(warehouse: Any, settings: Settings) -> None:
    states.read(warehouse, settings, DAILY)
    states.read(warehouse, settings, DAILY, timedelta(0))
    assert warehouse.query_count == 2


def test_what_a_clock_that_was_ahead_has_kept_is_not_used(warehouse: Any, settings: Settings) -> None:
    states.read(warehouse, settings, DAILY)
    [kept] = settings.state.glob("ledger-*.json")
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"at": ahead}))
    states.read(warehouse, settings, DAILY)
    assert warehouse.query_count == 2


def test_an_entity_without_a_run_is_known_to_have_none(warehouse: Any, settings: Settings) -> None:
    warehouse.rows.clear()
    for _ in range(2):
        assert states.read(warehouse, settings, DAILY) == State()
    assert warehouse.query_count == 1


def test_a_damaged_file_is_made_anew(warehouse: Any, settings: Settings, tmp_path: Path) -> None:
    states.read(warehouse, settings, DAILY)
    (path,) = tmp_path.glob("ledger-*.json")
    path.write_text("{")
    states.forget(settings, DAILY)
    assert states.read(warehouse, settings, DAILY).cursor_at == NOON


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((), True),
        # The full refresh's own change.
        ((("sweep", NOON + timedelta(minutes=5)),), True),
        ((("other", NOON - timedelta(minutes=1)),), True),
        ((("other", NOON + timedelta(minutes=1)),), False),
        ((("sweep", NOON + timedelta(minutes=5)), ("other", NOON + timedelta(minutes=1))), False),
    ],
)
def test_a_table_holds_a_full_refresh_until_another_run_changes_it(
    changes: tuple[tuple[str, datetime], ...], expected: bool
) -> None:
    def run(name: str, committed_at: datetime) -> Run:
        return Run(name, NOON, committed_at, 1, 1, "digest")

    state = State(
        cursor_at=NOON,
        full_refresh=run("sweep", NOON + timedelta(minutes=5)),
        changes=tuple(run(*each) for each in changes),
    )
    assert state.holds("digest") is expected
    assert not state.holds("another")
    assert not State().holds("digest")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"5",
        b"null",
        b'"states"',
        b'{"states": []}',
        b'{"states": null}',
        b"\xff\xfe",
        b"[" * 200_000,
    ],
    ids=["empty", "list", "number", "null", "text", "list of states", "no states", "bytes", "deep"],
)
def test_whatever_the_file_holds_the_sync_log_answers(
    warehouse: Any, settings: Settings, tmp_path: Path, content: bytes
) -> None:
    states.read(warehouse, settings, DAILY)
    (path,) = tmp_path.glob("ledger-*.json")
    path.write_bytes(content)
    states.forget(settings, DAILY)
    assert states.read(warehouse, settings, DAILY).cursor_at == NOON


@pytest.mark.parametrize("inner", [[], 5, "text", {DAILY.table: []}, {DAILY.table: 5}])
def test_states_of_another_shape_are_made_anew(
    warehouse: Any, settings: Settings, tmp_path: Path, inner: Any
) -> None:
    states.read(warehouse, settings, DAILY)
    (path,) = tmp_path.glob("ledger-*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "states": inner}))
    assert states.read(warehouse, settings, DAILY).cursor_at == NOON
    path.write_text(json.dumps({**json.loads(path.read_text()), "states": inner}))
    states.forget(settings, DAILY)
    assert states.read(warehouse, settings, DAILY).cursor_at == NOON


def test_a_folder_in_the_place_of_the_file_stops_nothing(
    warehouse: Any, settings: Settings, tmp_path: Path
) -> None:
    states.read(warehouse, settings, DAILY)
    (path,) = tmp_path.glob("ledger-*.json")
    path.unlink()
    path.mkdir()
    states.forget(settings, DAILY)
    assert states.read(warehouse, settings, DAILY).cursor_at == NOON
    assert not list(tmp_path.glob("*.part"))
