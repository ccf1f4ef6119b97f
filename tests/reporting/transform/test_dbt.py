"""How dbt is started, and what its results say."""

import json
from pathlib import Path

import pytest

from reporting.settings import read_settings
from reporting.transform import dbt


def settings_in(folder: Path, **more: str):
    return read_settings({"REPORTING_STATE": str(folder), **more})


def test_dbt_sees_none_of_airflows_secrets(tmp_path: Path) -> None:
    inherited = {
        "PATH": "/bin",
        "PYTHONPATH": "/x",
        "AIRFLOW__CORE__FERNET_KEY": "hidden",
        "AIRFLOW_CONN_NOTION": "hidden",
        "REPORTING_FIRST_WEEKDAY": " Sunday ",
    }
    given = dbt.environment(
        settings_in(
            tmp_path, BIGQUERY_EMULATOR_HOST="http://127.0.0.1:1", REPORTING_FIRST_WEEKDAY=" Sunday "
        ),
        None,
        inherited,
    )
    assert "hidden" not in given.values()
    assert "PYTHONPATH" not in given
    assert given["REPORTING_FIRST_WEEKDAY"] == "sunday"
    assert given["REPORTING_DBT_TARGET"] == "local"


def test_a_week_that_nobody_set_begins_for_dbt_as_for_the_letter(tmp_path: Path) -> None:
    given = dbt.environment(settings_in(tmp_path), None, {"REPORTING_FIRST_WEEKDAY": ""})
    assert given["REPORTING_FIRST_WEEKDAY"] == "monday"


def test_a_key_file_is_for_the_real_bigquery(tmp_path: Path) -> None:
    given = dbt.environment(settings_in(tmp_path), "/key.json", {})
    assert given["REPORTING_DBT_TARGET"] == "bigquery"
    assert given["DBT_ENV_SECRET_KEYFILE"] == "/key.json"
    assert given["REPORTING_DBT_METHOD"] == "service-account"


def test_failures_are_named(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert dbt.failures(settings) == []
    folder = dbt.target_folder(settings)
    folder.mkdir(parents=True)
    results = [
        {"unique_id": "model.reporting.habits", "status": "success", "message": "ok"},
        {
            "unique_id": "test.reporting.not_null_habits_habit.1a2b",
            "status": "fail",
            "message": "Database Error in test not_null (a.yml)\n  No such column\n  compiled code at b.sql",
        },
        {"unique_id": "model.reporting.habit_metrics", "status": "error", "message": None},
        {"unique_id": "test.reporting.later.9", "status": "skipped", "message": None},
    ]
    (folder / "run_results.json").write_text(json.dumps({"results": results}))
    assert dbt.failures(settings) == [
        "test not_null_habits_habit: Database Error in test not_null (a.yml): No such column",
        "model habit_metrics: no message",
    ]
    dbt.prepare(settings)
    assert dbt.failures(settings) == []


def test_what_was_parsed_is_kept_until_a_file_of_the_project_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    parsed = dbt.target_folder(settings) / "partial_parse.msgpack"
    # It was there before anybody noted of which files it is.
    parsed.parent.mkdir(parents=True)
    parsed.write_bytes(b"of an earlier version")
    dbt.prepare(settings)
    assert not parsed.exists()
    parsed.write_bytes(b"of these files")
    dbt.prepare(settings)
    assert parsed.read_bytes() == b"of these files"
    monkeypatch.setattr(dbt, "project_digest", lambda: "another")
    dbt.prepare(settings)
    assert not parsed.exists()


def test_each_selection_is_an_argument_of_its_own(tmp_path: Path) -> None:
    command = dbt.build_command(settings_in(tmp_path), ("source:notion.daily_habits+,tag:marts", "b"), True)
    assert command[-2:] == ["source:notion.daily_habits+,tag:marts", "b"]
    assert "--full-refresh" in command
    assert "--exclude" not in command
    command = dbt.build_command(settings_in(tmp_path), ("a",), exclude=("tag:full",))
    assert command[command.index("--exclude") + 1] == "tag:full"
    assert command[-2:] == ["--select", "a"]
    assert command[command.index("--exclude-resource-type") + 1] == "unit_test"


def test_results_are_a_row_a_node_without_what_dbt_says_in_words(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert dbt.result_rows(settings) == []
    folder = dbt.target_folder(settings)
    folder.mkdir(parents=True)
    built = {
        "unique_id": "model.reporting.habits",
        "status": "success",
        "message": "Bad int64 value: Ada",
        "execution_time": 2.5,
        "failures": None,
        "timing": [
            {"name": "compile", "started_at": "2026-06-30T01:00:00Z"},
            {"name": "execute", "started_at": "2026-06-30T01:00:01Z"},
        ],
        "adapter_response": {"rows_affected": 7, "bytes_billed": 10485760, "code": "CREATE TABLE"},
    }
    skipped = {
        "unique_id": "test.reporting.not_null_habits_habit.1a2b",
        "status": "skipped",
        "execution_time": 0.0,
        "timing": [],
        "adapter_response": {},
    }
    metadata = {"invocation_id": "i", "generated_at": "2026-06-30T01:02:03Z"}
    (folder / "run_results.json").write_text(json.dumps({"metadata": metadata, "results": [built, skipped]}))
    first, second = dbt.result_rows(settings)
    assert first == {
        "invocation_id": "i",
        "node_id": "model.reporting.habits",
        "kind": "model",
        "name": "habits",
        "status": "success",
        "started_at": "2026-06-30T01:00:00Z",
        "duration_seconds": 2.5,
        "rows_affected": 7,
        "bytes_billed": 10485760,
        "failures": None,
    }
    assert (second["kind"], second["name"]) == ("test", "not_null_habits_habit")
    assert (second["started_at"], second["rows_affected"]) == ("2026-06-30T01:02:03Z", None)
