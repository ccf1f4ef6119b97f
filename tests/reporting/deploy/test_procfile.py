"""A process of the Procfile and what it leaves behind."""

import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import psutil
import pytest

from reporting.deploy import processes
from reporting.deploy.procfile import PATIENCE_SECONDS, patient
from reporting.settings import ROOT

PROGRAM = """
import os, sys
from reporting.deploy.procfile import run
sys.exit(run(os.environ["LINES_"], os.environ))
"""


def test_what_a_process_leaves_behind_ends_with_it_and_with_it_all_others() -> None:
    """The orphan has a session of its own and keeps the output open, as a task does whose scheduler died."""
    mark = uuid.uuid4().hex
    lines = f"first: sh -c 'setsid sleep 600 {mark} & echo $PORT $OF_TOKEN; exit 3'\nsecond: sleep 600\n"
    # sleep takes no such word, so it is the shell's name for itself.
    lines = lines.replace(f"sleep 600 {mark}", f'sh -c "sleep 600; :" {mark}')
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ,
            "LINES_": lines,
            "PORT": "4000",
            "OF_TOKEN": "ntn_of_notion",
            "PYTHONPATH": str(ROOT / "plugins"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "first.1  | 4000 ***" in done.stdout
    assert not [each for each in psutil.process_iter(["cmdline"]) if mark in (each.info["cmdline"] or [])]


def test_the_log_of_local_processes_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, log = tmp_path / "Procfile", tmp_path / "airflow.log"
    lines.write_text("first: sh -c 'echo said $OF_TOKEN $AIRFLOW_CONN_SQL; sleep 600'\n")
    monkeypatch.setattr(processes, "_await_health", lambda _, process, log: await_text(log, "said"))
    environment = {
        **os.environ,
        "PORT": "4000",
        "OF_TOKEN": "ntn_of_notion",
        "AIRFLOW_CONN_SQL": "postgresql://me:hush-of-sql@db/a",
    }
    with processes.airflow_running(environment, log, str(lines)):
        said = log.read_text()
    assert "first.1 | said *** ***" in said
    assert log.stat().st_mode & 0o077 == 0


def await_text(path: Path, text: str) -> None:
    """Looks as often as it can, for half a minute."""
    pause, until = threading.Event(), time.monotonic() + 30
    while text not in path.read_text():
        assert time.monotonic() < until, path.read_text()
        pause.wait(0.05)


def test_every_process_but_the_api_server_waits_long_for_sqlite() -> None:
    address = "sqlite:////state/airflow.db?timeout="
    # It ends all others, and so comes after them.
    lines = (
        "api-server: sh -c 'echo ${AIRFLOW__DATABASE__SQL_ALCHEMY_CONN##*=} seconds; sleep 600'\n"
        "scheduler: sh -c 'echo ${AIRFLOW__DATABASE__SQL_ALCHEMY_CONN##*=} seconds; sleep 2'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ,
            "LINES_": lines,
            "PORT": "4000",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"{address}10",
            "PYTHONPATH": str(ROOT / "plugins"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert "api-server.1 | 10 seconds\n" in done.stdout
    assert f"scheduler.1  | {PATIENCE_SECONDS} seconds\n" in done.stdout


@pytest.mark.parametrize(
    "address", ["postgresql://me@db/airflow?timeout=10", "sqlite:////state/airflow.db", ""]
)
def test_another_database_is_left_as_it_is(address: str) -> None:
    assert patient({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address}) == {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address
    }
