"""What script/connect --webhook asks and keeps, and what script/doctor says of events."""

import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from reporting.cli import enrolment
from reporting.cli.command import call
from reporting.deploy import checks, configuration, event_store
from reporting.deploy.errors import CommandError
from reporting.sources.events import Event

Connect = Callable[..., str]


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The state folder of an installation."""
    monkeypatch.setenv("REPORTING_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(enrolment, "POLL_SECONDS", 0.0)
    engine = sa.create_engine(f"sqlite:///{tmp_path}/airflow.db")
    event_store.create(engine)
    engine.dispose()
    return tmp_path


def address(data: Path) -> str:
    return f"sqlite:///{data}/airflow.db"


def connected(data: Path, *arguments: str) -> None:
    assert call("connect", ["notion", "--webhook", *arguments, "--data", str(data)]) == 0


def sent(data: Path, key: str) -> bool:
    """What the server does with a key that comes."""
    cipher = event_store.cipher_of(configuration.keys(data))
    with event_store.connected(address(data)) as connection:
        return event_store.enrol(connection, "notion", key, cipher, datetime.now(UTC))


def answering(monkeypatch: pytest.MonkeyPatch, data: Path, answer: str, key: str = "secret_abc") -> None:
    """Notion sends its key as soon as the owner may create the webhook, and the owner answers."""
    await_key = enrolment._await_key

    def await_sent(*arguments: object) -> str:
        assert sent(data, key)
        return await_key(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(enrolment, "_await_key", await_sent)
    monkeypatch.setattr("builtins.input", lambda _: answer)


def sender(data: Path) -> event_store.Sender:
    cipher = event_store.cipher_of(configuration.keys(data))
    with event_store.connected(address(data)) as connection:
        return event_store.senders(connection, cipher)["notion"]


def test_the_owner_pastes_the_key_and_confirms_it(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://reporting.example/")
    answering(monkeypatch, data, "yes")
    connected(data)
    said = capsys.readouterr().out
    assert "https://reporting.example/reporting/events/notion" in said
    assert "secret_abc" in said
    assert (sender(data).key, sender(data).open_until) == ("secret_abc", None)
    with pytest.raises(CommandError, match="has an active key already, which stays"):
        connected(data)
    assert sender(data).key == "secret_abc"
    connected(data, "--forget")
    assert sender(data).key is None
    with pytest.raises(CommandError, match="no webhook that was enrolled"):
        connected(data, "--forget")


def test_what_the_owner_does_not_confirm_is_not_kept(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, data, "no")
    with pytest.raises(CommandError, match="nothing was stored"):
        connected(data)
    assert (sender(data).key, sender(data).pending_key, sender(data).open_until) == (None, None, None)
    assert not sent(data, "secret_late")


@pytest.mark.parametrize("end", [KeyboardInterrupt, EOFError])
def test_an_enrolment_that_is_ended_is_closed(
    data: Path, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    answering(monkeypatch, data, "yes")

    def interrupt(_: str) -> str:
        raise end

    monkeypatch.setattr("builtins.input", interrupt)
    with pytest.raises((KeyboardInterrupt, CommandError)):
        connected(data)
    assert not sent(data, "secret_late")


def test_nothing_came_within_ten_minutes(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_store, "ENROLMENT", timedelta(0))
    with pytest.raises(CommandError, match="sent nothing within ten minutes"):
        connected(data)


def test_the_key_of_hubspot_comes_from_the_owner(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("client-secret\n"))
    assert call("connect", ["hubspot", "--webhook", "--data", str(data)]) == 0
    stored = configuration.read_owner_file(data / "config")
    assert stored == {"REPORTING_HUBSPOT_WEBHOOK_SECRET": "client-secret"}
    assert call("connect", ["hubspot", "--webhook", "--forget", "--data", str(data)]) == 0
    assert configuration.read_owner_file(data / "config") == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sql", "--webhook"], "sends no events"),
        (["bigquery", "--webhook"], "--webhook is for a source"),
        (["notion", "--forget"], "--forget goes with it"),
    ],
)
def test_what_has_no_webhook_is_said(data: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call("connect", arguments)


def test_without_an_installation_nothing_is_enrolled(
    data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(CommandError, match="no installation yet"):
        connected(tmp_path_factory.mktemp("empty"))


def test_doctor_says_when_an_event_came_last(data: Path) -> None:
    variables = {"REPORTING_STATE": str(data)}

    def said(**more: str) -> list[tuple[str, str, str]]:
        return [(each.subject, each.text, each.level) for each in checks.check_events(variables | more)]

    assert said() == []
    assert said(REPORTING_HUBSPOT_WEBHOOK_SECRET="client-secret") == [
        ("events of HubSpot", "none has come yet.", "")
    ]
    at = datetime(2026, 11, 30, 12, 5, tzinfo=UTC)
    with event_store.connected(address(data)) as connection:
        event_store.note(connection, [("hubspot", Event("1", "contact.creation", None, at))], at)
        event_store.count(connection, {"hubspot": 1}, {"hubspot": 2}, at)
    came = (
        "1 came, the last at 2026-11-30 12:05 UTC; 2 requests were refused, the last at 2026-11-30 12:05 UTC"
    )
    assert said(REPORTING_HUBSPOT_WEBHOOK_SECRET="client-secret") == [("events of HubSpot", f"{came}.", "")]
    ((_, text, level),) = said()
    assert (level, "none is taken any more" in text) == ("warning", True)
    assert said(REPORTING_STATE=str(data / "nowhere")) == []
    assert "client-secret" not in json.dumps(said(REPORTING_HUBSPOT_WEBHOOK_SECRET="client-secret"))
