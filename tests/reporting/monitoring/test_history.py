"""What the clean-up removes: log files, and runs of a real metadata database; tests/production has a year of them."""

import os
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.monitoring.history import HistoryError, clean_logs, count_runs

NOW = datetime.now(UTC)
CANARY = "ops_airflow__canary__ping"
HABITS = "raw_notion__daily_habits__full"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for dag_id in ("one", "two"):
        for days in (0, 40):
            file = tmp_path / f"dag_id={dag_id}" / f"run_id={days}" / "attempt=1.log"
            file.parent.mkdir(parents=True)
            file.write_text("said")
            at = (NOW - timedelta(days=days)).timestamp()
            os.utime(file, (at, at))
    return tmp_path


def left(logs: Path) -> list[str]:
    return sorted(f"{path.parts[-3]}/{path.parts[-2]}" for path in logs.rglob("*.log"))


def test_old_logs_of_every_dag_go(logs: Path) -> None:
    assert clean_logs(logs, NOW - timedelta(days=30), []) == 2
    assert left(logs) == ["dag_id=one/run_id=0", "dag_id=two/run_id=0"]
    assert clean_logs(logs, NOW - timedelta(days=30), []) == 0


def test_only_those_of_the_dags_that_are_named(logs: Path) -> None:
    assert clean_logs(logs, NOW - timedelta(days=30), ["one", "never_there"]) == 1
    assert left(logs) == ["dag_id=one/run_id=0", "dag_id=two/run_id=0", "dag_id=two/run_id=40"]


@pytest.mark.parametrize(
    "dag_id",
    ["one/../..", "some_dag/../../..", "..", "/etc", "one/run_id=40", "", "one\n", "one\0", "x" * 300],
)
def test_a_dag_that_is_a_path_removes_nothing(logs: Path, dag_id: str) -> None:
    beside = logs.parent / "beside.log"
    beside.write_text("kept")
    os.utime(beside, (0, 0))
    if dag_id == "..":
        # A name by Airflow's own rule, and no path within a folder that begins with dag_id=.
        assert clean_logs(logs, NOW, [dag_id]) == 0
    else:
        with pytest.raises(HistoryError, match="is not the id of a DAG"):
            clean_logs(logs, NOW, ["one", dag_id])
        with pytest.raises(HistoryError, match="is not the id of a DAG"):
            count_runs("sqlite://", NOW, [dag_id])
    assert len(left(logs)) == 4
    assert beside.exists()


def test_what_is_behind_a_link_stays(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept.log").write_text("kept")
    os.utime(elsewhere / "kept.log", (0, 0))
    (logs / "dag_id=three").symlink_to(elsewhere)
    with pytest.raises(HistoryError, match="is a symbolic link"):
        clean_logs(logs, NOW, ["three"])
    assert clean_logs(logs, NOW - timedelta(days=30), []) == 2
    assert (elsewhere / "kept.log").exists()


def history(database: Path) -> Counter[str]:
    with closing(sqlite3.connect(database)) as connection:
        return Counter(
            dag_id for (dag_id,) in connection.execute("SELECT dag_id FROM log WHERE event = 'any'")
        )


def cleaned(database: Path, *arguments: str) -> None:
    assert call("cleanup", [*arguments, "--data", str(database.parent)]) == 0


def test_runs_go_by_dag_and_by_age_after_their_count_was_shown(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REPORTING_CONFIG", "/nowhere")
    monkeypatch.setenv("COLUMNS", "200")
    with closing(sqlite3.connect(database)) as connection:
        for dag_id in (CANARY, HABITS):
            for days in (0, 20, 40, 60):
                at = (NOW - timedelta(days=days, minutes=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
                values = (at, dag_id, "any")
                connection.execute("INSERT INTO log (dttm, dag_id, event) VALUES (?, ?, ?)", values)
        connection.execute("CREATE TABLE reporting_events (received_at TEXT)")
        connection.execute("INSERT INTO reporting_events VALUES ('2020-01-01')")
        connection.commit()
    # Nothing is that old, so that nobody is asked.
    cleaned(database, "--dag", CANARY, "--days", "300")
    assert "There is nothing to remove." in capsys.readouterr().out
    cleaned(database, "--dag", CANARY, "--days", "30", "--yes")
    assert "log       │    2" in capsys.readouterr().out
    assert history(database) == {CANARY: 2, HABITS: 4}
    cleaned(database, "--all", "--yes")
    assert history(database) == {}
    # What is the project's own ends by its own rule.
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM reporting_events").fetchone() == (1,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing was selected"),
        (("--all", "--days", "3"), "--all cannot be combined"),
        (("--days", "0"), "greater than or equal to 1"),
        (("--dag", "Something"), "is no DAG id"),
    ],
)
def test_what_is_not_clear_removes_nothing(
    arguments: tuple[str, ...],
    words: str,
) -> None:
    with pytest.raises(CommandError, match=words):
        call("cleanup", arguments)


def test_a_database_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="airflow db clean ended with 1"):
        count_runs(f"sqlite:///{tmp_path}/nowhere/airflow.db", NOW, [])
