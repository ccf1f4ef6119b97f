"""The loader against the local BigQuery: nothing lost, nothing twice, whatever the order."""

import json
import uuid
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest import load as loading
from reporting.ingest import states, sync_log
from reporting.ingest.landing import Landing, LandingError, Manifest
from reporting.ingest.load import TombstoneGuardError, load
from reporting.ingest.rows import SetAsideError
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings
from reporting.sources.base import Page, Record, Tombstone
from reporting.sources.notion import rows
from reporting.sources.notion.entities import NOTION
from reporting.warehouse.client import WarehouseError
from tests.convergence.jobs import Jobs

DAILY = NOTION[0]
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SCHEMA = {
    "id": "source",
    "title": [{"plain_text": "Daily Disciplines"}],
    "properties": {"Date": {"id": "date", "name": "Date", "type": "date", "date": {}}},
}


@pytest.fixture(autouse=True)
def _empty(shared_warehouse: tuple[bigquery.Client, Settings]) -> None:
    client, settings = shared_warehouse
    client.query_and_wait(f"DELETE FROM {settings.dataset('raw')}.{DAILY.table} WHERE TRUE")
    client.query_and_wait(f"DELETE FROM {settings.dataset('ops')}.sync_runs WHERE TRUE")


def notion_page(page_id: str, done: bool = True, edited: str = "2026-11-21T11:00:00.000Z") -> Record:
    return Record(
        {
            "object": "page",
            "id": page_id,
            "created_time": "2026-11-20T20:00:00.000Z",
            "last_edited_time": edited,
            "created_by": {"id": "user"},
            "last_edited_by": {"id": "user"},
            "parent": {"database_id": "database", "data_source_id": "source"},
            "url": f"https://www.notion.so/{page_id}",
            "public_url": None,
            "properties": {
                "Name": {"id": "title", "type": "title", "title": [{"plain_text": "Día 🎉"}]},
                "Date": {
                    "id": "date",
                    "type": "date",
                    "date": {"start": "2026-11-20", "end": None, "time_zone": None},
                },
                "Read.a book": {"id": "a%3Db", "type": "checkbox", "checkbox": done},
                "Link": {"id": "link", "type": "url", "url": "https://example.com"},
                "Number": {"id": "n", "type": "number", "number": None},
            },
        }
    )


class Reads:
    """Lands pages and loads them, like the two tasks of a DAG."""

    def __init__(self, folder: Path, shared_warehouse: tuple[bigquery.Client, Settings]) -> None:
        self.landing = Landing(str(folder))
        self.client, self.settings = shared_warehouse
        self.count = 0

    def land(self, pages: list[Page], at: datetime = NOON, refresh: str = "changed", **changes: Any) -> str:
        self.count += 1
        run_id = f"notion-daily_habits-{refresh}-{uuid.uuid4().hex}-{self.count}"
        manifest = Manifest(
            run_id=run_id,
            source="notion",
            entity="daily_habits",
            refresh=refresh,  # type: ignore[arg-type]
            started_at=at,
            extracted_at=at + timedelta(seconds=5),
            window_since=None,
            cursor_at=at,
            record_count=0,
            tombstone_count=0,
            request_count=3,
            part_count=0,
            is_complete=True,
            schema=SCHEMA,
        )
        folder = self.landing.folder("notion", "daily_habits", run_id)
        with self.landing.writer(folder) as writer:
            for page in pages:
                writer.keep(page)
            writer.finish(replace(manifest, **changes))
        return folder

    def load(self, folder: str, **options: Any) -> Counts:
        return load(self.client, self.settings, DAILY, self.landing, folder, **options)

    def rows(self) -> dict[str, Any]:
        sql = f"SELECT * FROM {self.settings.dataset('raw')}.{DAILY.table}"
        return {row["id"]: row for row in self.client.query_and_wait(sql)}

    def sync_log(self) -> list[Any]:
        sql = f"SELECT * FROM {self.settings.dataset('ops')}.sync_runs ORDER BY committed_at"
        return list(self.client.query_and_wait(sql))


@pytest.fixture
def reads(tmp_path: Path, shared_warehouse: tuple[bigquery.Client, Settings]) -> Reads:
    return Reads(tmp_path, shared_warehouse)


def test_a_first_load_inserts_every_value(reads: Reads) -> None:
    record = notion_page("a")
    assert reads.load(reads.land([Page(NOON, (record, notion_page("b")))])) == Counts(2, 2, 0, 0)
    row = reads.rows()["a"]
    assert row["_payload"] == json.loads(json.dumps(record.payload))
    assert row["name"] == "Día 🎉"
    assert (row["date_start"], row["date_end"]) == ("2026-11-20", None)
    assert [each["id"] for each in row["_properties"]] == ["a%3Db", "date", "link", "n", "title"]
    assert [each["value"] for each in row["_properties"]][:1] == [True]
    assert row["_properties"][2]["value"] == "https://example.com"
    (entry,) = reads.sync_log()
    assert (entry["rows_read"], entry["rows_inserted"], entry["is_complete"]) == (2, 2, True)
    assert states.read(reads.client, reads.settings, DAILY).cursor_at == NOON


def test_no_run_no_cursor(reads: Reads) -> None:
    assert states.read(reads.client, reads.settings, DAILY).cursor_at is None


def test_reading_again_changes_nothing_but_the_time(reads: Reads) -> None:
    reads.load(reads.land([Page(NOON, (notion_page("a"),))]))
    later = NOON + timedelta(hours=1)
    assert reads.load(reads.land([Page(later, (notion_page("a"),))], later)) == Counts(1, 0, 0, 0)
    assert reads.rows()["a"]["_extracted_at"] == later
    assert len(reads.sync_log()) == 2


def test_create_edit_and_trash_count_one_each(reads: Reads) -> None:
    reads.load(reads.land([Page(NOON, tuple(notion_page(name) for name in "abcdef"))]))
    later = NOON + timedelta(hours=1)
    pages = [
        Page(
            later, (notion_page("b", done=False), notion_page("new"), *(notion_page(name) for name in "cdef"))
        ),
        Page(later, tombstones=(Tombstone("a", "trashed"),)),
    ]
    assert reads.load(reads.land(pages, later, "full")) == Counts(7, 1, 1, 1)
    row = reads.rows()["a"]
    assert (row["_deleted_at"], row["_deleted_reason"]) == (later, "trashed")
    assert row["_payload"] is not None


def test_a_page_read_twice_in_a_run_is_one_row(reads: Reads) -> None:
    pages = [
        Page(NOON, (notion_page("a"),)),
        Page(NOON + timedelta(seconds=1), (notion_page("a", done=False),)),
    ]
    assert reads.load(reads.land(pages)) == Counts(2, 1, 0, 0)
    assert reads.rows()["a"]["_properties"][0]["value"] is False


def test_an_older_read_never_wins(reads: Reads) -> None:
    older = reads.land(
        [Page(NOON - timedelta(hours=1), (notion_page("a", done=False),))], NOON - timedelta(hours=1)
    )
    reads.load(reads.land([Page(NOON, (notion_page("a"),))]))
    assert reads.load(older) == Counts(1, 0, 0, 0)
    assert reads.rows()["a"]["_properties"][0]["value"] is True
    assert states.read(reads.client, reads.settings, DAILY).cursor_at == NOON


def test_a_full_refresh_spares_what_was_read_after_it_began(reads: Reads) -> None:
    began = NOON - timedelta(minutes=10)
    full_refresh = reads.land([Page(NOON, tombstones=(Tombstone("a", "missing"),))], began, "full")
    reads.load(reads.land([Page(NOON, (notion_page("a"),))]))
    assert reads.load(full_refresh, tombstone_share=1.0) == Counts(1, 0, 0, 0)
    assert reads.rows()["a"]["_deleted_at"] is None


def test_what_comes_back_lives_again(reads: Reads) -> None:
    reads.load(reads.land([Page(NOON, (notion_page("a"),))]))
    gone, back = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    reads.load(
        reads.land([Page(gone, tombstones=(Tombstone("a", "trashed"),))], gone, "full"), tombstone_share=1.0
    )
    assert reads.load(reads.land([Page(back, (notion_page("a"),))], back)) == Counts(1, 0, 1, 0)
    assert reads.rows()["a"]["_deleted_at"] is None


def test_a_full_refresh_says_how_many_are_on_either_side(reads: Reads) -> None:
    reads.load(reads.land([Page(NOON, tuple(notion_page(name) for name in "abcdef"))]))
    later = NOON + timedelta(hours=1)
    pages = [
        # One twice, one in the bin, and one that the full refresh did not meet.
        Page(later, (notion_page("b"), *(notion_page(name) for name in "de"))),
        Page(
            later + timedelta(seconds=1),
            (notion_page("b", done=False),),
            (Tombstone("c", "trashed"), Tombstone("a", "missing")),
        ),
    ]
    reads.load(reads.land(pages, later, "full"), tombstone_share=1.0)
    counted = [(entry["rows_in_source"], entry["rows_in_warehouse"]) for entry in reads.sync_log()]
    # The one that no full refresh has told to be gone is on one side alone.
    assert counted == [(None, None), (3, 4)]


def test_nothing_read_is_one_row_in_the_sync_log(reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = reads.land([])
    monkeypatch.setattr(loading, "run_job", lambda *_: pytest.fail("a job was started"))
    assert reads.load(folder) == Counts()
    assert [entry["rows_read"] for entry in reads.sync_log()] == [0]


@pytest.mark.parametrize("age", [timedelta(0), sync_log.JOBS_REMEMBERED * 2])
def test_a_run_is_in_the_sync_log_once_however_old_it_is(reads: Reads, age: timedelta) -> None:
    at = datetime.now(UTC) - age
    for pages in ([], [Page(at, (notion_page("a"),))]):
        folder = reads.land(pages, at)
        reads.load(folder)
        reads.load(folder)
    assert sorted(entry["rows_read"] for entry in reads.sync_log()) == [0, 1]


def test_the_guard_stops_before_anything_is_written(reads: Reads) -> None:
    reads.load(reads.land([Page(NOON, tuple(notion_page(name) for name in "abcd"))]))
    later = NOON + timedelta(hours=1)
    full_refresh = reads.land([Page(later, tombstones=(Tombstone("a", "missing"),))], later, "full")
    with pytest.raises(TombstoneGuardError, match=r"misses 1 of 4 rows \(25%\)"):
        reads.load(full_refresh)
    assert reads.rows()["a"]["_deleted_at"] is None
    assert len(reads.sync_log()) == 1
    assert reads.load(full_refresh, tombstone_share=0.5) == Counts(1, 0, 0, 1)


@pytest.mark.parametrize("step", ["_merge", "_count", "append"])
def test_a_load_killed_at_a_step_is_repeated_to_the_same_end(
    reads: Reads, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    reads.load(reads.land([Page(NOON, (notion_page("a"), notion_page("b")))]))
    later = NOON + timedelta(hours=1)
    folder = reads.land([Page(later, (notion_page("a", done=False), notion_page("c")))], later)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sync_log if step == "append" else loading, step, killed)
        with pytest.raises(KeyboardInterrupt):
            reads.load(folder)
    assert len(reads.sync_log()) == 1
    assert reads.load(folder) == Counts(2, 1, 1, 0)
    assert reads.load(folder) == Counts(2, 1, 1, 0)
    assert [entry["rows_updated"] for entry in reads.sync_log()] == [0, 1]


def test_the_landing_of_another_entity_is_not_loaded(reads: Reads) -> None:
    folder = reads.land([Page(NOON, (notion_page("1"),))])
    with pytest.raises(LandingError, match="cannot be loaded into notion__weekly_habits"):
        load(reads.client, reads.settings, NOTION[1], reads.landing, folder)


def break_rows_of(monkeypatch: pytest.MonkeyPatch, *ids: str) -> None:
    """Have the row function fail for records of these ids."""
    made = rows.row

    def row(entity: Entity, record: Record, schema: Any, settings: Settings) -> dict[str, Any]:
        if record.id in ids:
            raise KeyError("parent")
        return made(entity, record, schema, settings)

    monkeypatch.setattr(rows, "row", row)


def test_one_odd_record_keeps_no_other(
    reads: Reads, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = [notion_page(f"odd{number}") for number in range(5)]
    for page, value in zip(
        odd, ("", "+10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "soon", 7), strict=True
    ):
        page.payload["created_time"] = value  # type: ignore[index]
    half = notion_page("half")
    half.payload["url"] = "https://example.com/\ud83c"  # type: ignore[index]
    half.payload["properties"]["Name"]["title"][0]["plain_text"] = "Ana \ud83c"
    half.payload["properties"]["Number"] = {"id": "n", "type": "number", "number": float("nan")}
    break_rows_of(monkeypatch, "broken")
    broken = notion_page("broken")
    folder = reads.land([Page(NOON, (*odd, notion_page("good"), half, broken))])
    counts = reads.load(folder)
    assert (counts.read, counts.inserted) == (8, 7)
    found = reads.rows()
    assert set(found) == {"good", "half", *(f"odd{number}" for number in range(5))}
    assert {row["created_time"] is None for key, row in found.items() if key.startswith("odd")} == {True}
    assert found["half"]["url"] == "https://example.com/\ufffd"
    assert found["half"]["name"] == "Ana \ufffd"
    assert "the record broken was set aside (KeyError)" in caplog.text
    assert "5 values do not fit the column created_time" in caplog.text
    # Read a second time it is no other.
    again = reads.load(reads.land([Page(NOON + timedelta(hours=1), (*odd, half))]))
    assert (again.inserted, again.updated) == (0, 0)


def test_a_row_that_bigquery_does_not_take_is_set_aside(
    reads: Reads, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reads.load(reads.land([Page(NOON, (notion_page("large"),))]))
    monkeypatch.setattr("reporting.ingest.rows.LARGEST_ROW", 20_000)
    large = notion_page("large", edited="2026-11-21T12:30:00.000Z")
    large.payload["properties"]["Name"]["title"][0]["plain_text"] = "x" * 30_000
    at = NOON + timedelta(hours=1)
    counts = reads.load(reads.land([Page(at, (large, notion_page("small")))], at, "full"))
    assert (counts.inserted, counts.updated, counts.tombstoned) == (1, 0, 0)
    assert reads.rows()["large"]["name"] != "x" * 30_000
    assert "the record large was set aside (its row has" in caplog.text


def test_what_is_nested_deeper_than_bigquery_takes_is_set_aside(
    reads: Reads, caplog: pytest.LogCaptureFixture
) -> None:
    def nested(key: str, depth: int) -> Record:
        page = notion_page(key)
        value: Any = {}
        for number in range(depth - 2):
            value = [value] if number % 2 else {"a": value, "b": []}
        page.payload["extra"] = value  # type: ignore[index]
        return page

    reads.load(
        reads.land([Page(NOON, (nested("deepest", 500), nested("deeper", 501), notion_page("plain")))])
    )
    assert set(reads.rows()) == {"deepest", "plain"}
    assert "the record deeper was set aside (it is nested 501 deep, and BigQuery takes 500)" in caplog.text


def test_a_row_function_that_fails_for_many_loads_nothing(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [notion_page(f"p{number}") for number in range(30)]
    break_rows_of(monkeypatch, *(f"p{number}" for number in range(12)))
    with pytest.raises(SetAsideError, match="12 of 30 records of notion__daily_habits"):
        reads.load(reads.land([Page(NOON, tuple(pages))]))
    assert reads.rows() == {}


def test_an_incomplete_read_is_not_loaded(reads: Reads) -> None:
    with pytest.raises(LandingError, match="did not reach the end"):
        reads.load(reads.land([Page(NOON, (notion_page("a"),))], is_complete=False))
    assert reads.rows() == {}


def test_a_schema_behind_the_code_names_the_dag(reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = reads.land([Page(NOON, (notion_page("a"),))])
    monkeypatch.setattr(reads, "settings", replace(reads.settings, dataset_prefix="nowhere_"))
    with pytest.raises(WarehouseError, match="ops_warehouse__schema__upgrade"):
        reads.load(folder)


def test_no_stage_table_stays(reads: Reads) -> None:
    reads.load(reads.land([Page(NOON, (notion_page("a"),))]))
    tables = {table.table_id for table in reads.client.list_tables(reads.settings.dataset("ops"))}
    assert tables == {
        "airflow_runs",
        "airflow_tries",
        "alembic_version",
        "dbt_builds",
        "dbt_results",
        "messages_sent",
        "problems",
        "purged_keys",
        "schema_changes",
        "sync_runs",
        "table_profiles",
    }


def test_the_stage_table_of_a_job_that_went_on_alone_ends_by_itself(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    folder = reads.land([Page(NOON, (notion_page("a"),))])
    jobs = Jobs(reads.client)
    jobs.leave("load", killed)
    with monkeypatch.context() as patch:
        patch.setattr(reads, "client", jobs)
        with pytest.raises(KeyboardInterrupt):
            reads.load(folder)
        jobs.finish()
    ops = reads.settings.dataset("ops")
    (stage,) = (
        each for each in reads.client.list_tables(ops) if each.table_id.startswith("stage__notion_daily")
    )
    table = reads.client.get_table(stage.reference)
    assert table.expires is not None
    # The next attempt takes it away.
    assert reads.load(folder) == Counts(1, 1, 0, 0)
    assert stage.table_id not in [each.table_id for each in reads.client.list_tables(ops)]


def test_a_file_whose_signature_alone_changed_is_unchanged(reads: Reads) -> None:
    def with_file(signature: str) -> Record:
        page = dict(notion_page("a").payload)
        file = {
            "url": f"https://files.example.com/f.png?X-Amz-Signature={signature}",
            "expiry_time": signature,
        }
        files = {"id": "files", "type": "files", "files": [{"name": "f", "type": "file", "file": file}]}
        return Record({**page, "properties": {**page["properties"], "Files": files}})

    reads.load(reads.land([Page(NOON, (with_file("one"),))]))
    later = NOON + timedelta(hours=1)
    assert reads.load(reads.land([Page(later, (with_file("two"),))], later)) == Counts(1, 0, 0, 0)


RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recorded" / "notion"


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside the checkout")
def test_every_recorded_page_and_value_is_found_again(reads: Reads) -> None:
    pages = [
        page for path in sorted(RECORDED.glob("*.json")) for page in json.loads(path.read_text())["pages"]
    ]
    assert len(pages) > 100
    reads.load(reads.land([Page(NOON, tuple(Record(page) for page in pages))]))
    rows = reads.rows()
    assert set(rows) == {page["id"] for page in pages}
    for page in pages:
        row = rows[page["id"]]
        assert row["_payload"] == page
        found = {(each["name"], each["id"], each["type"]): each["value"] for each in row["_properties"]}
        assert found == {
            (name, value["id"], value["type"]): value[value["type"]]
            for name, value in page["properties"].items()
        }
