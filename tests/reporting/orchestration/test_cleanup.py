"""What the clean-up removes from the disk; tests/production has its runs."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reporting.orchestration.cleanup import clean_logs

NOW = datetime.now(UTC)


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path))
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
    assert clean_logs(NOW - timedelta(days=30), []) == 2
    assert left(logs) == ["dag_id=one/run_id=0", "dag_id=two/run_id=0"]
    assert clean_logs(NOW - timedelta(days=30), []) == 0


def test_only_those_of_the_dags_that_are_named(logs: Path) -> None:
    assert clean_logs(NOW - timedelta(days=30), ["one", "never there"]) == 1
    assert left(logs) == ["dag_id=one/run_id=0", "dag_id=two/run_id=0", "dag_id=two/run_id=40"]
