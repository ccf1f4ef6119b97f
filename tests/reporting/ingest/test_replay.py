"""What was read once can be loaded again without its source."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.ingest import states
from reporting.ingest.replay import kept_run, kept_runs, replay
from reporting.ingest.sync_log import Counts
from reporting.transform import builds
from reporting.window import Window
from tests.support.habit_syncs import DAILY, Syncs
from tests.support.notion_server import START


def replayed(habits: Syncs, run_id: str) -> Counts:
    run = kept_run(habits.landing, DAILY, run_id)
    return replay(habits.client, habits.settings, DAILY, habits.landing, run)


def content(habits: Syncs) -> dict[str, tuple[object, ...]]:
    return {row["id"]: (row["url"], row["_deleted_reason"], row["_extracted_at"]) for row in habits.rows()}


def test_a_table_that_was_emptied_is_filled_in_order(habits: Syncs) -> None:
    habits.run("full")
    habits.edit("p00003")
    habits.run("changed")
    habits.run("changed")
    habits.notion.pages["p00005"]["in_trash"] = True
    assert habits.run("full").tombstoned == 1
    before, cursor = content(habits), states.read(habits.client, habits.settings, DAILY).cursor_at
    whole = [run for run in kept_runs(habits.landing, DAILY) if run.row_count]

    habits.query(f"DELETE FROM raw.{DAILY.table} WHERE TRUE")
    habits.query("DELETE FROM ops.sync_runs WHERE TRUE")
    done = [replayed(habits, run.run_id) for run in reversed(whole)]
    assert done == [Counts(12, 12, 0, 0), Counts(1, 0, 1, 0), Counts(1, 0, 0, 0), Counts(12, 0, 0, 1)]
    assert content(habits) == before
    assert states.read(habits.client, habits.settings, DAILY).cursor_at == cursor
    assert {row["refresh"] for row in habits.rows("sync_runs", "ops")} == {"replay"}
    assert [replayed(habits, run.run_id).has_changes for run in whole] == [False] * 4
    assert content(habits) == before


def test_an_older_run_changes_nothing_that_is_newer(habits: Syncs) -> None:
    habits.run("full")
    first = habits.manifest.run_id
    habits.edit("p00003", "newer")
    habits.run("changed")
    before = content(habits)
    assert replayed(habits, first) == Counts(12, 0, 0, 0)
    assert content(habits) == before


def test_a_run_that_was_spared_is_loaded_all_the_same(habits: Syncs) -> None:
    habits.run("full")
    habits.run("full")
    assert habits.manifest.is_unchanged
    habits.query(f"DELETE FROM raw.{DAILY.table} WHERE id < 'p00004'")
    assert replayed(habits, habits.manifest.run_id) == Counts(12, 4, 0, 0)


def test_a_replay_is_taken_into_the_marts_and_is_no_full_refresh(habits: Syncs) -> None:
    habits.run("full")
    full_refresh = states.read(habits.client, habits.settings, DAILY).full_refresh
    habits.query(f"DELETE FROM raw.{DAILY.table} WHERE TRUE")
    replayed(habits, habits.manifest.run_id)
    state = states.read(habits.client, habits.settings, DAILY)
    assert state.full_refresh == full_refresh
    pending = builds.plan(habits.client, habits.settings, "changed").run_ids
    assert pending[-1].startswith(f"{habits.manifest.run_id}-replay-")
    # A full refresh that finds the same is not spared: the table may lack more than was replayed.
    habits.run("full")
    assert not habits.manifest.is_unchanged


def test_the_cursor_moves_only_without_a_gap(habits: Syncs) -> None:
    habits.run("full")
    habits.edit("p00003")
    habits.run("changed")
    changed = habits.manifest.run_id
    habits.load(habits.extract("changed", window=Window(START, START + timedelta(days=2))))
    window = habits.manifest.run_id
    habits.query("DELETE FROM ops.sync_runs WHERE TRUE")
    for run_id in (changed, window):
        assert replayed(habits, run_id).read
        assert states.read(habits.client, habits.settings, DAILY).cursor_at is None


def run_command(
    habits: Syncs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    """What the script prints."""
    variables = {
        **habits.settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": habits.settings.dataset_prefix,
        "REPORTING_LANDING_URI": habits.landing.uri,
        "REPORTING_CONFIG": "/nowhere",
        "COLUMNS": "200",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert call("replay", [*arguments, "--data", str(habits.settings.state)]) == 0
    return capsys.readouterr().out


def test_the_command_lists_and_loads(
    habits: Syncs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str) -> str:
        return run_command(habits, monkeypatch, capsys, *arguments)

    with pytest.raises(CommandError, match="has no complete run of notion__daily_habits with records"):
        said(DAILY.table)
    habits.run("full")
    first = habits.manifest.run_id
    habits.run("changed")
    cut = (
        Path(habits.landing.uri)
        / "notion"
        / "daily_habits"
        / "notion-daily_habits-full-20990101T000000000000"
    )
    cut.mkdir()
    listed = said("notion.daily_habits", "--list")
    assert listed.index("interrupted") < listed.index(first)
    described = json.loads(said(DAILY.table, "--list", "--json"))
    assert [each["is_whole"] for each in described] == [False, True, True]
    assert (described[-1]["run"], described[-1]["records"]) == (first, 12)
    habits.query(f"DELETE FROM raw.{DAILY.table} WHERE TRUE")
    loaded = said(DAILY.table)
    assert first in loaded
    assert "script/sync" in loaded
    assert len(habits.rows()) == 12
    again = said(DAILY.table, "--all")
    assert "script/sync" not in again
    assert said(DAILY.table, first).count(first) == 1
    # A source is all of its entities, of which most have no run here.
    assert "has no complete run of notion__weekly_habits" in (of_source := said("notion"))
    assert first in of_source
    listed = json.loads(said("notion", "--list", "--json"))
    assert {each["entity"] for each in listed} == {"notion__daily_habits"}
    with pytest.raises(CommandError, match="RUN belongs to one entity"):
        said("notion", first)
    with pytest.raises(CommandError, match="has no complete run 'other' of"):
        said(DAILY.table, "other")
    with pytest.raises(CommandError, match="Use one of google_calendar__calendars"):
        said("nothing")
