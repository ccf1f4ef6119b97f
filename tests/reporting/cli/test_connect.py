"""What script/connect asks and says, without a source."""

import io
import sys
import warnings
from pathlib import Path

import pytest
from rich.console import Console

from reporting.cli import connect, google_login
from reporting.cli.command import call, print_steps
from reporting.deploy import errors
from reporting.deploy.errors import CommandError


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The owner's file, which is not there yet."""
    path = tmp_path / "config"
    monkeypatch.setenv("REPORTING_CONFIG", str(path))
    return path


def test_a_token_comes_through_a_pipe_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("ntn_piped\n"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert connect._ask_token() == "ntn_piped"


def test_without_a_network_it_says_which_host_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, stored: Path
) -> None:
    monkeypatch.setenv("REPORTING_HUBSPOT_HOST", "http://127.0.0.1:9")
    monkeypatch.setattr(sys, "stdin", io.StringIO("pat-piped\n"))
    with pytest.raises(CommandError) as caught:
        call("connect", ["hubspot"])
    said = str(caught.value)
    assert "cannot reach 127.0.0.1 (ConnectError, 3 times): check the network or proxy." in said
    assert "run the task again" not in said
    assert said.endswith("Nothing was stored.")
    assert not stored.exists()


@pytest.mark.parametrize("command", ["connect", "google-login"])
def test_whoever_gives_up_is_told_that_nothing_was_stored(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stored: Path
) -> None:
    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(connect, "_ask_token", interrupt)
    monkeypatch.setattr("builtins.input", interrupt)
    arguments = ["notion"] if command == "connect" else []
    with pytest.raises(SystemExit) as ended:
        errors.run(f"script/{command}", lambda: call(command, arguments))
    assert ended.value.code == 130
    assert capsys.readouterr().err == f"script/{command}: nothing was stored.\n"
    assert not stored.exists()


@pytest.mark.parametrize(
    ("name", "login"),
    [("google", "google"), ("google_sheets", "google"), ("google_calendar", "google_calendar")],
)
def test_google_is_connected_by_its_login(name: str, login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def log_in(*, source: str) -> int:
        begun.append(source)
        return 0

    monkeypatch.setattr(google_login, "main", log_in)
    assert call("connect", [name]) == 0
    assert begun == [login]


def test_a_long_step_goes_on_below_its_first_word() -> None:
    console = Console(file=io.StringIO(), width=30)
    print_steps(console, "\n1. Make an integration somewhere far away.\n2. Copy it,\n   and paste it.\n")
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == (
        "\n1. Make an integration\n   somewhere far away.\n2. Copy it, and paste it.\n"
    )
