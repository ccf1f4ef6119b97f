"""From the source to the warehouse and back again: what the two tasks of a DAG do."""

import shutil
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.ingest import extract as reading
from reporting.ingest import states
from reporting.ingest.extract import LARGE_PAGE_COUNT, extract, is_refreshed_lately
from reporting.ingest.landing import Landing, Refresh
from reporting.ingest.load import TombstoneGuardError, load
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings
from reporting.sources.base import NotFoundError, NotReadError
from reporting.sources.hubspot import reader as hubspot
from reporting.sources.hubspot.entities import HUBSPOT
from reporting.sources.notion.entities import NOTION
from reporting.sources.registry import open_reader
from reporting.window import Window, WindowError
from tests.support.notion_server import START, Notion, iso, reader_over

DAILY = NOTION[0]
ASSOCIATIONS = next(each for each in HUBSPOT if each.name == "associations")
LARGE = LARGE_PAGE_COUNT * DAILY.page_size
DATE = {"Date": {"id": "d", "name": "Date", "type": "date"}}


class Sync:
    """Runs extract and load of the daily habits against one Notion."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path) -> None:
        self.client, self.settings = client, settings
        self.landing = Landing(str(folder))
        self.notion = Notion([START + timedelta(days=day) for day in range(12)])
        self.notion.sources[0]["properties"] = DATE

    def run(self, refresh: Refresh, window: Window | None = None) -> Counts:
        reader = reader_over(self.notion, self.settings, DAILY)
        folder = extract(self.client, self.settings, DAILY, refresh, reader, self.landing, window=window)
        return load(self.client, self.settings, DAILY, self.landing, folder)

    @property
    def cursor_at(self) -> datetime | None:
        return states.read(self.client, self.settings, DAILY).cursor_at

    def last_window(self) -> tuple[datetime | None, datetime | None, datetime | None]:
        sql = (
            "SELECT window_since, window_until, cursor_at "
            f"FROM {self.settings.dataset('ops')}.sync_runs ORDER BY committed_at DESC LIMIT 1"
        )
        (row,) = self.client.query_and_wait(sql)
        return row["window_since"], row["window_until"], row["cursor_at"]

    def edit(self, page_id: str) -> None:
        self.notion.pages[page_id] |= {"last_edited_time": iso(datetime.now(UTC)), "url": "edited"}


@pytest.fixture
def syncs(current_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> Sync:
    client, settings = current_warehouse
    for table in (f"{settings.dataset('raw')}.{DAILY.table}", f"{settings.dataset('ops')}.sync_runs"):
        client.query_and_wait(f"DELETE FROM {table} WHERE TRUE")
    return Sync(client, settings, tmp_path)


def test_what_one_machine_has_read_another_loads(syncs: Sync, tmp_path: Path) -> None:
    """They share the landing alone, and the first is gone when the second begins."""
    first, second = (replace(syncs.settings, state=tmp_path / name) for name in ("first", "second"))
    for refresh in ("full", "changed"):
        for home in (first, second):
            home.state.mkdir()
        syncs.edit("p00003" if refresh == "full" else "p00004")
        reader = reader_over(syncs.notion, first, DAILY)
        folder = extract(syncs.client, first, DAILY, refresh, reader, syncs.landing)
        shutil.rmtree(first.state)
        counts = load(syncs.client, second, DAILY, Landing(syncs.landing.uri), folder)
        assert (counts.inserted, counts.updated) == ((12, 0) if refresh == "full" else (0, 1))
        shutil.rmtree(second.state)


def test_syncs_after_the_first_bring_only_what_changed(syncs: Sync) -> None:
    assert syncs.run("changed") == Counts(12, 12, 0, 0)
    assert syncs.run("changed") == Counts()
    syncs.edit("p00003")
    assert syncs.run("changed") == Counts(1, 0, 1, 0)
    syncs.notion.pages["p00005"]["in_trash"] = True
    syncs.notion.pages["new"] = {**syncs.notion.pages["p00001"], "id": "new"}
    syncs.edit("p00007")
    assert syncs.run("full") == Counts(13, 1, 1, 1)
    assert syncs.run("full") == Counts(12, 0, 0, 0)


def test_a_page_that_left_the_trash_is_purged_or_back(syncs: Sync) -> None:
    syncs.run("full")
    for key in ("p00002", "p00003", "p00004"):
        syncs.notion.pages[key]["in_trash"] = True
        syncs.run("full")
    table = f"{syncs.settings.dataset('raw')}.{DAILY.table}"
    sql = f"SELECT id, _deleted_reason, _payload IS NOT NULL AS has_content FROM {table} WHERE _deleted_at IS NOT NULL"

    def gone() -> dict[str, tuple[str, bool]]:
        return {
            row["id"]: (row["_deleted_reason"], row["has_content"])
            for row in syncs.client.query_and_wait(sql)
        }

    assert gone() == dict.fromkeys(("p00002", "p00003", "p00004"), ("trashed", True))
    del syncs.notion.pages["p00002"]
    syncs.notion.pages["p00003"]["in_trash"] = False
    syncs.edit("p00005")
    syncs.run("full")
    expected = {"p00002": ("purged", True), "p00004": ("trashed", True)}
    assert gone() == expected
    # Who is purged is not asked about again.
    syncs.edit("p00006")
    syncs.run("full")
    assert gone() == expected
    sync_log = f"SELECT request_count FROM {syncs.settings.dataset('ops')}.sync_runs ORDER BY started_at"
    *_, before, last = (row["request_count"] for row in syncs.client.query_and_wait(sync_log))
    assert last == before - 1


def test_what_came_back_from_the_trash_takes_no_place_among_those_asked_about(
    syncs: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BIN_LIMIT", 1)
    syncs.run("full")
    for key in ("p00002", "p00003"):
        syncs.notion.pages[key]["in_trash"] = True
        syncs.run("full")
    syncs.notion.pages["p00002"]["in_trash"] = False
    del syncs.notion.pages["p00003"]
    syncs.run("full")
    table = f"{syncs.settings.dataset('raw')}.{DAILY.table}"
    sql = f"SELECT id, _deleted_reason FROM {table} WHERE _deleted_at IS NOT NULL"
    assert [tuple(row.values()) for row in syncs.client.query_and_wait(sql)] == [("p00003", "purged")]


def test_the_sync_log_says_how_often_a_query_met_the_cap(syncs: Sync) -> None:
    syncs.notion.cap = 5
    syncs.run("full")
    sql = f"SELECT caps_met, rows_inserted FROM {syncs.settings.dataset('ops')}.sync_runs"
    # 5 rows, then twice 4 new ones: the last query, of the last 4, has room.
    assert [tuple(row.values()) for row in syncs.client.query_and_wait(sql)] == [(2, 12)]


def test_a_window_of_the_past_brings_it_and_leaves_the_cursor(syncs: Sync) -> None:
    syncs.run("full")
    cursor = syncs.cursor_at
    sync_log = f"{syncs.settings.dataset('raw')}.{DAILY.table}"
    syncs.client.query_and_wait(f"DELETE FROM {sync_log} WHERE TRUE")
    window = Window(START + timedelta(days=3), START + timedelta(days=5))
    assert syncs.run("changed", window) == Counts(3, 3, 0, 0)
    assert syncs.last_window() == (window.since, window.until, None)
    assert syncs.cursor_at == cursor


def test_a_window_before_anything_was_read_is_no_first_load(syncs: Sync) -> None:
    assert syncs.run("changed", Window(START + timedelta(days=10))).inserted == 2
    assert syncs.cursor_at is None
    assert syncs.run("changed").inserted == 10
    assert syncs.cursor_at is not None


def test_a_window_to_now_moves_the_cursor_only_without_a_gap(syncs: Sync) -> None:
    syncs.run("changed")
    sync_log = f"{syncs.settings.dataset('ops')}.sync_runs"
    old = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=3)
    syncs.client.query_and_wait(f"UPDATE {sync_log} SET cursor_at = '{old.isoformat()}' WHERE TRUE")
    states.forget(syncs.settings, DAILY)
    syncs.edit("p00004")
    assert syncs.run("changed", Window(old + timedelta(days=1))).updated == 1
    assert syncs.cursor_at == old
    since, until, cursor = syncs.last_window()
    assert (since, cursor) == (old + timedelta(days=1), None)
    assert until is not None
    assert until > old
    syncs.run("changed", Window(old - timedelta(days=1)))
    assert syncs.cursor_at is not None
    assert syncs.cursor_at > old
    assert syncs.last_window()[2] == syncs.cursor_at


def test_a_source_without_windows_says_so(syncs: Sync) -> None:
    """Its reads are not from a time to a time."""
    reader = hubspot.reader_of(hubspot.HubSpot("pat-any"), ASSOCIATIONS)
    reader.describe()
    with pytest.raises(WindowError, match="hubspot__associations cannot be read by a window"):
        extract(
            syncs.client,
            syncs.settings,
            ASSOCIATIONS,
            "changed",
            reader,
            syncs.landing,
            window=Window(START),
        )
    reader.close()


def test_a_full_refresh_that_misses_too_much_stops_before_it_asks(syncs: Sync) -> None:
    syncs.run("full")
    for page in list(syncs.notion.pages.values())[:6]:
        page["in_trash"] = True
    with pytest.raises(TombstoneGuardError, match="misses 6 of 12 rows"):
        syncs.run("full")


def test_a_database_without_a_date_is_said_before_it_is_read(syncs: Sync) -> None:
    syncs.notion.sources[0]["properties"] = {}
    with pytest.raises(NotFoundError, match="exactly one date property"):
        syncs.run("full")
    assert syncs.notion.queries == []


def test_the_database_is_configuration(syncs: Sync) -> None:
    syncs.settings = replace(syncs.settings, names={DAILY.table: "Nothing"})
    with pytest.raises(NotFoundError, match="no Notion database named 'Nothing'"):
        syncs.run("full")


def test_an_optional_database_may_be_absent_but_not_when_it_is_named(syncs: Sync) -> None:
    targets = NOTION[3]

    def read() -> str:
        return extract(
            syncs.client,
            syncs.settings,
            targets,
            "full",
            reader_over(syncs.notion, syncs.settings, targets),
            syncs.landing,
        )

    with pytest.raises(NotReadError, match="it is optional"):
        read()
    syncs.settings = replace(syncs.settings, names={targets.table: "My targets"})
    with pytest.raises(NotFoundError, match="no Notion database named 'My targets'"):
        read()


def test_an_entity_can_be_switched_off(syncs: Sync) -> None:
    syncs.settings = replace(syncs.settings, names={DAILY.table: "none"})
    with pytest.raises(NotReadError, match="REPORTING_NAME_NOTION__DAILY_HABITS=none"):
        open_reader(syncs.settings, DAILY, "ntn_any")


@pytest.mark.parametrize(
    ("age", "rows", "expected"),
    [(5, LARGE + 1, True), (5, LARGE, False), (6, LARGE + 1, False), (30, LARGE + 1, False)],
)
def test_a_large_entity_is_fully_refreshed_every_six_days(
    syncs: Sync, age: int, rows: int, expected: bool
) -> None:
    assert not is_refreshed_lately(syncs.client, syncs.settings, DAILY)
    syncs.run("full")
    sync_log = f"{syncs.settings.dataset('ops')}.sync_runs"
    syncs.client.query_and_wait(
        f"UPDATE {sync_log} SET rows_read = {rows}, started_at = TIMESTAMP_SUB(started_at, INTERVAL {age} DAY) WHERE TRUE"
    )
    states.forget(syncs.settings, DAILY)
    assert is_refreshed_lately(syncs.client, syncs.settings, DAILY) is expected
    # What happened in the past is read as a whole once a month.
    history = replace(DAILY, is_history=True)
    assert is_refreshed_lately(syncs.client, syncs.settings, history) is (age < 30)
