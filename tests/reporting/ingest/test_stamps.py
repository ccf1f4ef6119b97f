"""Times of the future, as a clock that was ahead leaves them: found, told, and taken back."""

import gzip
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reporting.cli.command import call
from reporting.ingest import stamps
from reporting.ingest.checkpoints import Checkpoint
from reporting.ingest.landing import LandingError
from reporting.monitoring import ahead
from tests.support.habit_syncs import DAILY, Syncs

YEAR = timedelta(days=365)


def put_ahead(habits: Syncs) -> None:
    """Make the latest load one of a machine whose clock was a year ahead."""
    rows = ", ".join(
        f"{name} = TIMESTAMP_ADD({name}, INTERVAL 365 DAY)" for name in ("_extracted_at", "_loaded_at")
    )
    habits.query(f"UPDATE raw.{DAILY.table} SET {rows} WHERE TRUE")
    runs = ", ".join(
        f"{name} = TIMESTAMP_ADD({name}, INTERVAL 365 DAY)"
        for name in ("started_at", "extracted_at", "committed_at", "cursor_at")
    )
    habits.query(f"UPDATE ops.sync_runs SET {runs} WHERE TRUE")


def urls(habits: Syncs) -> set[str]:
    return {row["url"] for row in habits.rows() if row["url"]}


def test_what_a_clock_that_was_ahead_froze_is_found_told_and_comes_right(habits: Syncs) -> None:
    habits.run("full")
    assert stamps.find(habits.client, habits.settings) == []
    put_ahead(habits)
    habits.edit("p00001", "edited")
    # It is lost without a word, and what comes next is taken for the same.
    assert habits.run("full").updated == 0
    assert "edited" not in urls(habits)

    (found,) = stamps.find(habits.client, habits.settings)
    assert (found.entity, found.row_count, found.run_count) == (DAILY, 12, 1)
    assert found.latest_at > datetime.now(UTC) + timedelta(days=360)
    (problem,) = ahead.find([found])
    assert problem.problem_key == "stamps/notion.daily_habits"
    assert "12 rows of notion__daily_habits and 1 runs in the sync log" in problem.what
    assert "script/mend-stamps" in problem.todo

    stamps.mend(habits.client, habits.settings, found)
    assert stamps.find(habits.client, habits.settings) == []
    assert habits.run("full").updated == 1
    assert "edited" in urls(habits)
    assert all(row["_deleted_at"] is None for row in habits.rows())
    # And the cursor is one of the past.
    habits.edit("p00002", "later")
    assert habits.run("changed").updated == 1
    assert {"edited", "later"} <= urls(habits)


@pytest.mark.parametrize("statements", [0, 1, 2])
def test_a_mending_that_was_killed_goes_on(
    habits: Syncs, monkeypatch: pytest.MonkeyPatch, statements: int
) -> None:
    habits.run("full")
    put_ahead(habits)
    habits.edit("p00001", "edited")
    habits.run("full")
    (found,) = stamps.find(habits.client, habits.settings)
    done = 0
    query = habits.client.query_and_wait

    def killed(*arguments: object, **options: object) -> object:
        nonlocal done
        if done == statements:
            raise KeyboardInterrupt
        done += 1
        return query(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(habits.client, "query_and_wait", killed)
        if statements < 2:
            with pytest.raises(KeyboardInterrupt):
                stamps.mend(habits.client, habits.settings, found)
    for each in stamps.find(habits.client, habits.settings):
        stamps.mend(habits.client, habits.settings, each)
    if statements == 2:
        stamps.mend(habits.client, habits.settings, found)
    assert stamps.find(habits.client, habits.settings) == []
    habits.run("full")
    assert "edited" in urls(habits)


def test_a_landing_that_a_clock_stamped_ahead_is_not_loaded(habits: Syncs) -> None:
    folder = habits.extract("full")
    root = Path(habits.landing.uri, folder)
    for part in root.glob("part-*.gz"):
        text = gzip.decompress(part.read_bytes()).decode()
        year = datetime.now(UTC).year
        part.write_bytes(
            gzip.compress(re.sub(rf'(requested_at": ?"){year}', rf"\g<1>{year + 1}", text).encode())
        )
    with pytest.raises(
        LandingError, match=r"is still to come: a clock is or was wrong\. Nothing of it was loaded"
    ):
        habits.load(folder)
    assert habits.rows() == []
    assert habits.rows("sync_runs", "ops") == []


@pytest.mark.parametrize("at", ["2026-11-21T10:00:00", "yesterday", 5, None])
def test_a_checkpoint_with_a_time_that_is_none_is_none(at: object) -> None:
    good = datetime(2026, 11, 21, tzinfo=UTC).isoformat()
    text = (
        '{"fingerprint": "f", "parts": {"folder": "x", "part_count": 0, "record_count": 0, "tombstone_count": 0}, '
        f'"started_at": "{good}", "read_at": "AT", "request_count": 0, "position": {{}}}}'
    )
    assert Checkpoint.from_json(text.replace("AT", good)).request_count == 0
    said = {str: f'"{at}"', int: str(at), type(None): "null"}[type(at)]
    with pytest.raises((ValueError, TypeError)):
        Checkpoint.from_json(text.replace('"AT"', said))


def test_the_command_shows_asks_and_mends(
    habits: Syncs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {
        **habits.settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": habits.settings.dataset_prefix,
        "REPORTING_CONFIG": "/nowhere",
        "COLUMNS": "200",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    arguments = ("--yes", "--data", str(tmp_path / "state"))
    habits.run("full")
    assert call("mend-stamps", arguments) == 0
    assert "No time in the warehouse lies in the future." in capsys.readouterr().out
    put_ahead(habits)
    assert call("mend-stamps", arguments) == 0
    said = capsys.readouterr().out
    assert re.search(r"notion__daily_habits\W+12\W+1\W", said)
    assert "script/sync --full" in said
    assert stamps.find(habits.client, habits.settings) == []
