"""Commands without Airflow use the warehouse that another command runs, or one of their own."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from reporting.deploy import configuration, installation
from reporting.deploy.errors import CommandError
from reporting.deploy.installation import warehouse_running
from reporting.local.bigquery import found, running
from reporting.local.serving import RUNNING_FILE, free_port
from reporting.local.tokens import token_of
from reporting.settings import LOCAL_BIGQUERY

CONSOLE = Console(quiet=True)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("BIGQUERY_EMULATOR_HOST", "BIGQUERY_EMULATOR_TOKEN", "REPORTING_BIGQUERY_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "state"


def test_a_running_warehouse_is_used_and_left_running(state: Path) -> None:
    with (
        configuration.state_folder(state),
        running(state / LOCAL_BIGQUERY) as local,
        warehouse_running(state, {}, CONSOLE, is_written=False) as first,
    ):
        with warehouse_running(state, {}, CONSOLE, is_written=False) as second:
            assert first.settings.emulator_host == second.settings.emulator_host == local.address
            assert [tuple(row) for row in second.client.query_and_wait("SELECT 1")] == [(1,)]
        assert [tuple(row) for row in first.client.query_and_wait("SELECT 2")] == [(2,)]
    assert found(state / LOCAL_BIGQUERY) is None


def test_what_must_not_meet_a_running_server_is_refused(state: Path) -> None:
    with (
        configuration.state_folder(state),
        running(state / LOCAL_BIGQUERY),
        pytest.raises(CommandError, match="another command uses the state folder"),
        warehouse_running(state, {}, CONSOLE, is_written=False, is_shared=False),
    ):
        pass


def test_while_another_command_starts_it_is_asked_to_end_first(state: Path) -> None:
    with (
        configuration.state_folder(state),
        pytest.raises(CommandError, match="another command uses the state folder"),
        warehouse_running(state, {}, CONSOLE, is_written=False),
    ):
        pass


@pytest.mark.parametrize(
    "text", ["", "x y", "1 2 3", "-1 -1", "99999999 1", "80 0", "80 99999999999999999999"]
)
def test_what_a_killed_command_left_is_no_warehouse(state: Path, text: str) -> None:
    data = state / LOCAL_BIGQUERY
    token_of(data)
    (data / RUNNING_FILE).write_text(text)
    assert found(data) is None


def test_the_token_goes_to_no_port_whose_server_was_killed(state: Path) -> None:
    data = state / LOCAL_BIGQUERY
    token_of(data)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with socket.create_server(("127.0.0.1", 0)) as another:
        another.settimeout(0)
        (data / RUNNING_FILE).write_text(f"{another.getsockname()[1]} {ended.pid}")
        assert found(data) is None
        with pytest.raises(BlockingIOError):
            another.accept()


def test_what_does_not_answer_is_no_warehouse(state: Path) -> None:
    data = state / LOCAL_BIGQUERY
    token_of(data)
    (data / RUNNING_FILE).write_text(f"{free_port()} {os.getpid()}")
    assert found(data) is None


def test_the_usual_port_may_be_taken_and_a_chosen_one_may_not(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(CommandError, match=f"port {port}, for the local BigQuery"),
            warehouse_running(state, {}, CONSOLE, bigquery_port=port, is_written=False),
        ):
            pass
        monkeypatch.setattr(installation, "BIGQUERY_PORT", port)
        with warehouse_running(state, {}, CONSOLE, bigquery_port=port, is_written=False) as made:
            assert [tuple(row) for row in made.client.query_and_wait("SELECT 1")] == [(1,)]
