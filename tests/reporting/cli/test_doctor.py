"""What script/doctor and script/start --check say of settings."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reporting.cli.command import call
from reporting.deploy import configuration
from reporting.local.bigquery import LocalBigQuery
from reporting.settings import PREFIX, ROOT
from sandbox import sql
from tests.support.production_server import environment


def examine(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: Mapping[str, str],
    *arguments: str,
) -> tuple[int, list[str]]:
    """The exit code, and what is said of settings."""
    for name in os.environ:
        if name.startswith((PREFIX, "AIRFLOW_CONN_", "BIGQUERY_EMULATOR_")):
            monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    code = call("doctor", arguments)
    return code, [line for line in capsys.readouterr().out.splitlines() if "REPORTING_" in line]


def test_doctor_names_each_wrong_value_once_and_checks_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = {
        "REPORTING_CONFIG": str(tmp_path / "none"),
        "REPORTING_BACKUP_DAYS": "0",
        "REPORTING_EXPORT_FORMAT": "xlsx",
        "REPORTING_TIMZONE": "UTC",
    }
    code, said = examine(monkeypatch, capsys, given)
    assert code == 1
    assert said == [
        " ! REPORTING_TIMZONE is unknown; did you mean REPORTING_TIMEZONE?",
        " ✗ REPORTING_EXPORT_FORMAT: is 'xlsx'; it takes one of csv, parquet, duckdb, sqlite (default parquet).",
        " ✗ REPORTING_BACKUP_DAYS: is '0'; it takes a whole number between 1 and 36500 (default 30).",
    ]


def test_doctor_checks_nothing_else_without_the_settings_that_all_need(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = {"REPORTING_CONFIG": str(tmp_path / "none"), "REPORTING_SCHEDULE_FULL": "99 99 * * *"}
    code, said = examine(monkeypatch, capsys, given)
    assert code == 1
    (line,) = said
    assert line.startswith(" ✗ REPORTING_SCHEDULE_FULL: is '99 99 * * *', which is not a cron expression;")


def test_what_is_not_used_is_no_fault_and_a_missing_backup_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    database = tmp_path / "hours.sqlite"
    sql.create(database, datetime.now(UTC).date())
    given = {
        "REPORTING_CONFIG": str(tmp_path / "none"),
        "AIRFLOW_CONN_SQL": configuration.token_connection(sql.address(database)),
    }
    for name in os.environ:
        if name.startswith((PREFIX, "AIRFLOW_CONN_", "BIGQUERY_EMULATOR_")):
            monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert call("doctor", ["--data", str(tmp_path / "state")]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    marks = {line[3:].partition(":")[0]: line[1] for line in lines}
    assert marks == {
        "Files": "-",
        "Google Calendar": "-",
        "Google Contacts": "-",
        "Google Sheets": "-",
        "HubSpot": "-",
        "Notion": "-",
        "sql__time_entries": "✓",
        "BigQuery": "-",
        "REPORTING_BACKUP_URI": "!",
    }


def test_a_backup_within_the_data_that_is_named_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = {
        "REPORTING_CONFIG": str(tmp_path / "none"),
        "REPORTING_BACKUP_URI": str(tmp_path / "demo" / "backups"),
    }
    _, said = examine(monkeypatch, capsys, given, "--data", str(tmp_path / "demo"))
    assert said == [
        f" ✗ REPORTING_BACKUP_URI: is within {tmp_path / 'demo'}, so it would be lost together with it. Choose another disk."
    ]


def test_one_wrong_time_zone_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = {"REPORTING_CONFIG": str(tmp_path / "none"), "REPORTING_TIMEZONE": "Mars/Base"}
    code, said = examine(monkeypatch, capsys, given)
    assert (code, len(said)) == (1, 1)
    assert said[0].startswith(" ✗ REPORTING_TIMEZONE: is 'Mars/Base', which is not a known time zone;")


def check_start(given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reporting.cli", "start", "--check"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "plugins"), **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_a_check_before_the_start_warns_of_what_is_unknown_and_fails_for_what_is_wrong(
    tmp_path: Path,
) -> None:
    url = "postgresql://owner:database-password@db.example:5432/airflow?sslmode=verify-full"
    given = environment(url, tmp_path, LocalBigQuery("http://127.0.0.1:1", "no token"), 8000)
    done = check_start(given | {"REPORTING_TIMZONE": "UTC"})
    assert (done.returncode, done.stderr) == (
        0,
        "script/start: REPORTING_TIMZONE is unknown; did you mean REPORTING_TIMEZONE?\n",
    )
    done = check_start(given | {"REPORTING_BACKUP_DAYS": "0", "REPORTING_SCHEDULE_FULL": "99 99 * * *"})
    assert done.returncode == 2
    assert "2 things are wrong with the configuration" in done.stderr
    assert "REPORTING_BACKUP_DAYS is '0'" in done.stderr
    assert "REPORTING_SCHEDULE_FULL is '99 99 * * *'" in done.stderr
