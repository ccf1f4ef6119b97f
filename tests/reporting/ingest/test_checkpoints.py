"""A long read that is cut off goes on, and is the same read in the end."""

import json
from collections.abc import Callable, Iterator
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from reporting.ingest import checkpoints, states
from reporting.ingest.landing import Manifest
from reporting.ingest.load import TombstoneGuardError
from reporting.ingest.sync_log import Counts
from reporting.sources.base import SourceUnavailableError
from tests.support.habit_syncs import DAILY, Syncs
from tests.support.notion_server import START, Notion, iso

ROWS = 450


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LINES_PER_CHECKPOINT", 100)


@pytest.fixture
def large(habits: Syncs) -> Syncs:
    """More rows than a page, five of which share each minute."""
    properties = habits.properties
    habits.notion = Notion([START + timedelta(minutes=row // 5) for row in range(ROWS)])
    habits.properties.update(properties)
    return habits


class Cut:
    """Answers as Notion does until `after` queries, and then not at all."""

    def __init__(self, notion: Notion, after: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        self._query, self._left, self._error = notion.query, after, error

    def __call__(self, source_id: str, body: dict[str, Any]) -> httpx.Response:
        self._left -= 1
        if self._left < 0:
            raise self._error
        return self._query(source_id, body)


def cut_off(large: Syncs, refresh: str = "full", after: int = 3) -> None:
    """Read `after` pages of a hundred."""
    large.notion.query = Cut(large.notion, after)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        large.extract(refresh)  # type: ignore[arg-type]
    del large.notion.query
    large.notion.queries.clear()


def path(large: Syncs, refresh: str = "full") -> Path:
    return Path(large.landing.uri) / "notion" / "daily_habits" / f"checkpoint-{refresh}.json"


def kept(large: Syncs) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path(large).read_text())
    return found


def records(large: Syncs, folder: str) -> list[str | None]:
    return [record.id for page in large.landing.pages(folder) for record in page.records]


def is_resumed(large: Syncs) -> bool:
    return "created_time" in json.dumps(large.notion.queries[0].get("filter", {}))


def whole(large: Syncs, refresh: str) -> Manifest:
    """The manifest of a read that was not cut off."""
    large.extract(refresh)  # type: ignore[arg-type]
    return large.manifest


@pytest.mark.parametrize("refresh", ["full", "changed"])
def test_a_read_goes_on_where_it_was_cut_off(large: Syncs, refresh: str) -> None:
    expected = whole(large, refresh)
    assert not path(large, refresh).exists()
    cut_off(large, refresh)
    first = json.loads(path(large, refresh).read_text())
    folder = large.extract(refresh)  # type: ignore[arg-type]
    assert is_resumed(large)
    assert len(large.notion.queries) == 2
    manifest = large.manifest
    assert set(records(large, folder)) == set(large.notion.pages)
    # Only the rows of the last minute came twice.
    assert ROWS < manifest.record_count <= ROWS + 5
    assert manifest.started_at.isoformat() == first["started_at"]
    assert manifest.cursor_at == datetime.fromisoformat(first["read_at"])
    # The database was looked for twice.
    assert manifest.request_count == expected.request_count + 2
    assert (manifest.content_digest, manifest.window_since) == (expected.content_digest, None)
    assert not path(large, refresh).exists()
    assert large.load(folder) == Counts(manifest.record_count, ROWS, 0, 0)


def test_a_cap_that_was_met_before_the_cut_is_counted(large: Syncs) -> None:
    large.notion.cap = 150
    cut_off(large)
    assert kept(large)["caps_met"] == 1
    large.extract("full")
    # The rest is 200 rows and five that share a minute with the last one.
    assert large.manifest.caps_met == 2


def test_a_read_that_is_cut_off_twice_goes_on_twice(large: Syncs) -> None:
    cut_off(large, after=2)
    first = kept(large)
    cut_off(large, after=2)
    second = kept(large)
    assert second["started_at"] == first["started_at"]
    assert second["parts"]["folder"] != first["parts"]["folder"]
    assert second["parts"]["record_count"] > first["parts"]["record_count"]
    assert set(records(large, large.extract("full"))) == set(large.notion.pages)
    assert len(large.notion.queries) == 1 or is_resumed(large)


def test_what_changes_in_between_is_as_in_a_slow_read(large: Syncs) -> None:
    large.run("full")
    cut_off(large)
    pages = large.notion.pages
    pages["p00449"]["in_trash"] = True
    pages["p00001"]["in_trash"] = True
    large.edit("p00002", "edited meanwhile")
    pages["new"] = {**pages["p00000"], "id": "new", "created_time": iso(datetime.now(UTC))}
    assert large.load(large.extract("full")) == Counts(large.manifest.record_count + 1, 1, 0, 1)
    rows = {row["id"]: row for row in large.rows()}
    # What was read before it was deleted or edited is as it was; the next read brings the rest.
    assert rows["p00449"]["_deleted_reason"] == "trashed"
    assert rows["p00001"]["_deleted_reason"] is None
    assert rows["p00002"]["url"] is None
    cursor_at = states.read(large.client, large.settings, DAILY).cursor_at
    assert cursor_at is not None
    assert cursor_at <= datetime.fromisoformat(pages["p00002"]["last_edited_time"])
    assert large.run("changed").updated == 1
    assert large.run("full").tombstoned == 1
    assert {row["id"] for row in large.rows() if not row["_deleted_at"]} == {
        key for key, page in pages.items() if not page.get("in_trash")
    }


def older(large: Syncs) -> None:
    content = kept(large)
    content["started_at"] = (datetime.now(UTC) - timedelta(hours=21)).isoformat()
    path(large).write_text(json.dumps(content))


def other_code(large: Syncs, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(checkpoints, "_code", lambda: "another")


def other_setting(large: Syncs) -> None:
    large.settings = replace(large.settings, date_properties={DAILY.table: "Date"})


def other_schema(large: Syncs) -> None:
    large.properties["Run"] = {"id": "x", "name": "Run", "type": "number"}


def unreadable(large: Syncs) -> None:
    path(large).write_text(path(large).read_text()[:-20])


def damaged_part(large: Syncs) -> None:
    part = Path(large.landing.uri) / kept(large)["parts"]["folder"] / "part-00000.ndjson.gz"
    part.write_bytes(part.read_bytes()[:-30])


def lost_part(large: Syncs) -> None:
    (Path(large.landing.uri) / kept(large)["parts"]["folder"] / "part-00001.ndjson.gz").unlink()


@pytest.mark.parametrize(
    "change",
    [older, other_setting, other_schema, unreadable, damaged_part, lost_part],
    ids=lambda each: each.__name__,
)
def test_what_must_not_go_on_begins_anew(large: Syncs, change: Callable[[Syncs], None]) -> None:
    cut_off(large)
    change(large)
    folder = large.extract("full")
    assert not is_resumed(large)
    assert sorted(map(str, records(large, folder))) == sorted(large.notion.pages)
    assert not path(large).exists()


def test_neither_other_code_nor_another_account_goes_on(
    large: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(large)
    with monkeypatch.context() as patch:
        other_code(large, patch)
        patch.setattr(checkpoints.Checkpoints, "forget", lambda _: None)
        large.extract("full")
    assert not is_resumed(large)
    cut_off(large)
    reader = large.reader()
    reader._source.account = "another"
    monkeypatch.setattr(large, "reader", lambda: reader)
    large.extract("full")
    assert not is_resumed(large)


def test_each_kind_of_read_has_a_checkpoint_of_its_own(large: Syncs) -> None:
    cut_off(large, "changed")
    large.extract("full")
    assert not is_resumed(large)
    assert path(large, "changed").exists()


def test_a_short_read_and_one_from_a_cursor_leave_none(large: Syncs, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    monkeypatch.setattr(large.landing, "write_note", lambda name, _: noted.append(name))
    large.run("full")
    assert len(noted) == 4
    noted.clear()
    for page in large.notion.pages.values():
        page["last_edited_time"] = iso(datetime.now(UTC))
    large.run("changed")
    monkeypatch.setattr(checkpoints, "LINES_PER_CHECKPOINT", ROWS + 1)
    large.run("full")
    assert noted == []


def test_time_alone_makes_a_checkpoint_due(large: Syncs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LINES_PER_CHECKPOINT", 10**9)
    monkeypatch.setattr(checkpoints, "INTERVAL_SECONDS", 0.0)
    cut_off(large)
    assert kept(large)["parts"]["record_count"] == 300


def test_a_service_that_is_down_keeps_what_was_read(large: Syncs, monkeypatch: pytest.MonkeyPatch) -> None:
    large.notion.query = Cut(large.notion, 3, SourceUnavailableError)  # type: ignore[method-assign]
    with pytest.raises(SourceUnavailableError):
        large.extract("full")
    assert path(large).exists()


def test_what_trying_again_would_meet_again_begins_anew(large: Syncs) -> None:
    large.run("full")
    for key in list(large.notion.pages)[:200]:
        large.notion.pages[key]["in_trash"] = True
    with pytest.raises(TombstoneGuardError):
        large.extract("full")
    assert not path(large).exists()
    for page in large.notion.pages.values():
        page.pop("in_trash", None)
    large.extract("full")
    assert large.manifest.tombstone_count == 0


def test_two_attempts_at_once_do_each_other_no_harm(large: Syncs) -> None:
    """The first one is thought to be dead and is not."""
    reader = large.reader()
    reader.describe()
    slow: Iterator[Any] = reader.read(None)
    cut_off(large)
    first = kept(large)["parts"]["folder"]
    folder = large.extract("full")
    with large.landing.writer(first) as writer:
        for page in slow:
            writer.keep(page)
    assert set(records(large, folder)) == set(large.notion.pages)
