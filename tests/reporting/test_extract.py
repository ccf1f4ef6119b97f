"""From the source to the warehouse and back again: what the two tasks of a DAG do."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.entities import HUBSPOT, NOTION
from reporting.extract import LARGE_PAGE_COUNT, extract, is_swept_lately
from reporting.landing import Landing, Refresh
from reporting.readers import open_reader
from reporting.settings import Settings
from reporting.sources import hubspot
from reporting.sources.base import NotFoundError, NotReadError
from reporting.warehouse import states
from reporting.warehouse.ledger import Counts
from reporting.warehouse.load import TombstoneGuardError, load
from reporting.window import Window, WindowError
from tests.notion_server import START, Notion, iso, reader_over

DAILY = NOTION[0]
LARGE = LARGE_PAGE_COUNT * DAILY.page_size
DATE = {"Date": {"id": "d", "name": "Date", "type": "date"}}


class Round:
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
        (row,) = self.client.query(sql).result()
        return row["window_since"], row["window_until"], row["cursor_at"]

    def edit(self, page_id: str) -> None:
        self.notion.pages[page_id] |= {"last_edited_time": iso(datetime.now(UTC)), "url": "edited"}


@pytest.fixture
def rounds(current_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> Round:
    client, settings = current_warehouse
    for table in (f"{settings.dataset('raw')}.{DAILY.table}", f"{settings.dataset('ops')}.sync_runs"):
        client.query(f"DELETE FROM {table} WHERE TRUE").result()
    return Round(client, settings, tmp_path)


def test_what_one_machine_has_read_another_loads(rounds: Round, tmp_path: Path) -> None:
    """They share the landing alone, and the first is gone when the second begins."""
    first, second = (replace(rounds.settings, state=tmp_path / name) for name in ("first", "second"))
    for refresh in ("full", "changed"):
        for home in (first, second):
            home.state.mkdir()
        rounds.edit("p00003" if refresh == "full" else "p00004")
        reader = reader_over(rounds.notion, first, DAILY)
        folder = extract(rounds.client, first, DAILY, refresh, reader, rounds.landing)
        shutil.rmtree(first.state)
        counts = load(rounds.client, second, DAILY, Landing(rounds.landing.uri), folder)
        assert (counts.inserted, counts.updated) == ((12, 0) if refresh == "full" else (0, 1))
        shutil.rmtree(second.state)


def test_rounds_after_the_first_bring_only_what_changed(rounds: Round) -> None:
    assert rounds.run("changed") == Counts(12, 12, 0, 0)
    assert rounds.run("changed") == Counts()
    rounds.edit("p00003")
    assert rounds.run("changed") == Counts(1, 0, 1, 0)
    rounds.notion.pages["p00005"]["in_trash"] = True
    rounds.notion.pages["new"] = {**rounds.notion.pages["p00001"], "id": "new"}
    rounds.edit("p00007")
    assert rounds.run("full") == Counts(13, 1, 1, 1)
    assert rounds.run("full") == Counts(12, 0, 0, 0)


def test_the_ledger_says_how_often_a_query_met_the_cap(rounds: Round) -> None:
    rounds.notion.cap = 5
    rounds.run("full")
    sql = f"SELECT caps_met, rows_inserted FROM {rounds.settings.dataset('ops')}.sync_runs"
    # 5 rows, then twice 4 new ones: the last query, of the last 4, has room.
    assert [tuple(row.values()) for row in rounds.client.query(sql).result()] == [(2, 12)]


def test_a_window_of_the_past_brings_it_and_leaves_the_cursor(rounds: Round) -> None:
    rounds.run("full")
    cursor = rounds.cursor_at
    ledger = f"{rounds.settings.dataset('raw')}.{DAILY.table}"
    rounds.client.query(f"DELETE FROM {ledger} WHERE TRUE").result()
    window = Window(START + timedelta(days=3), START + timedelta(days=5))
    assert rounds.run("changed", window) == Counts(3, 3, 0, 0)
    assert rounds.last_window() == (window.since, window.until, None)
    assert rounds.cursor_at == cursor


def test_a_window_before_anything_was_read_is_no_first_load(rounds: Round) -> None:
    assert rounds.run("changed", Window(START + timedelta(days=10))).inserted == 2
    assert rounds.cursor_at is None
    assert rounds.run("changed").inserted == 10
    assert rounds.cursor_at is not None


def test_a_window_to_now_moves_the_cursor_only_without_a_gap(rounds: Round) -> None:
    rounds.run("changed")
    ledger = f"{rounds.settings.dataset('ops')}.sync_runs"
    old = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=3)
    rounds.client.query(f"UPDATE {ledger} SET cursor_at = '{old.isoformat()}' WHERE TRUE").result()
    states.forget(rounds.settings, DAILY)
    rounds.edit("p00004")
    assert rounds.run("changed", Window(old + timedelta(days=1))).updated == 1
    assert rounds.cursor_at == old
    since, until, cursor = rounds.last_window()
    assert (since, cursor) == (old + timedelta(days=1), None)
    assert until is not None
    assert until > old
    rounds.run("changed", Window(old - timedelta(days=1)))
    assert rounds.cursor_at is not None
    assert rounds.cursor_at > old
    assert rounds.last_window()[2] == rounds.cursor_at


def test_a_source_without_windows_says_so(rounds: Round) -> None:
    """Its reads are not from a time to a time."""
    reader = hubspot.reader(hubspot.HubSpot("pat-any"), HUBSPOT[-1])
    reader.describe()
    with pytest.raises(WindowError, match="hubspot__associations cannot be read by a window"):
        extract(
            rounds.client,
            rounds.settings,
            HUBSPOT[-1],
            "changed",
            reader,
            rounds.landing,
            window=Window(START),
        )
    reader.close()


def test_a_sweep_that_misses_too_much_stops_before_it_asks(rounds: Round) -> None:
    rounds.run("full")
    for page in list(rounds.notion.pages.values())[:6]:
        page["in_trash"] = True
    with pytest.raises(TombstoneGuardError, match="misses 6 of 12 rows"):
        rounds.run("full")


def test_a_database_without_a_date_is_said_before_it_is_read(rounds: Round) -> None:
    rounds.notion.sources[0]["properties"] = {}
    with pytest.raises(NotFoundError, match="exactly one date property"):
        rounds.run("full")
    assert rounds.notion.queries == []


def test_the_database_is_configuration(rounds: Round) -> None:
    rounds.settings = replace(rounds.settings, names={DAILY.table: "Nothing"})
    with pytest.raises(NotFoundError, match="no Notion database named 'Nothing'"):
        rounds.run("full")


def test_an_optional_database_may_be_absent_but_not_when_it_is_named(rounds: Round) -> None:
    targets = NOTION[3]

    def read() -> str:
        return extract(
            rounds.client,
            rounds.settings,
            targets,
            "full",
            reader_over(rounds.notion, rounds.settings, targets),
            rounds.landing,
        )

    with pytest.raises(NotReadError, match="it is optional"):
        read()
    rounds.settings = replace(rounds.settings, names={targets.table: "My targets"})
    with pytest.raises(NotFoundError, match="no Notion database named 'My targets'"):
        read()


def test_an_entity_can_be_switched_off(rounds: Round) -> None:
    rounds.settings = replace(rounds.settings, names={DAILY.table: "none"})
    with pytest.raises(NotReadError, match="REPORTING_NAME_NOTION__DAILY_HABITS=none"):
        open_reader(rounds.settings, DAILY, "ntn_any")


@pytest.mark.parametrize(
    ("age", "rows", "expected"),
    [(5, LARGE + 1, True), (5, LARGE, False), (6, LARGE + 1, False)],
)
def test_a_large_entity_is_swept_every_six_days(rounds: Round, age: int, rows: int, expected: bool) -> None:
    assert not is_swept_lately(rounds.client, rounds.settings, DAILY)
    rounds.run("full")
    ledger = f"{rounds.settings.dataset('ops')}.sync_runs"
    rounds.client.query(
        f"UPDATE {ledger} SET rows_read = {rows}, started_at = TIMESTAMP_SUB(started_at, INTERVAL {age} DAY) WHERE TRUE"
    ).result()
    states.forget(rounds.settings, DAILY)
    assert is_swept_lately(rounds.client, rounds.settings, DAILY) is expected
