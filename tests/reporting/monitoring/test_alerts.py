"""Messages to servers on loopback: what arrives, what does not, and that nothing secret is told."""

import json
import socket
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout

from reporting import redaction
from reporting.monitoring import alerts
from reporting.monitoring import record as incidents
from reporting.monitoring.alerts import AlertError, Message
from reporting.monitoring.notifier import Notifier
from reporting.orchestration import callbacks
from reporting.orchestration.dbt import NodesFailedError, SourcesStaleError
from reporting.settings import ALERT_EMAIL, ALERT_WEBHOOK, PING_URL, SettingError
from tests.support import receivers

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MESSAGE = Message("raw_notion__daily_habits__full: load failed", "Line one\nLine two")


def channels(**variables: str) -> alerts.Channels:
    return alerts.read_channels({f"REPORTING_{name}": value for name, value in variables.items()})


def test_a_webhook_gets_what_slacks_would() -> None:
    with receivers.http_server() as server:
        url = f"http://127.0.0.1:{server.port}/services/secret-part"
        assert channels(ALERT_WEBHOOK=url).send(MESSAGE) == []
        assert server.next() == ("/services/secret-part", f"*{MESSAGE.subject}*\n{MESSAGE.text}")


def test_what_a_receiver_says_without_end_is_not_listened_to() -> None:
    with receivers.http_server() as server:
        server.endless = b" " * 2**16
        url = f"http://127.0.0.1:{server.port}/hook"
        alerts.Webhook(url).send(alerts.Message("Subject", "text"))
        server.status = 500
        with pytest.raises(alerts.AlertError, match="status 500"):
            alerts.Webhook(url).send(alerts.Message("Subject", "text"))


def test_a_name_in_a_message_is_no_command_to_slack() -> None:
    with receivers.http_server() as server:
        given = channels(ALERT_WEBHOOK=f"http://127.0.0.1:{server.port}/services/x")
        assert given.send(Message("<!channel> & all", "<https://evil.example|your bank> said <@U1>")) == []
        _, text = server.next()
    assert text == "*&lt;!channel&gt; &amp; all*\n&lt;https://evil.example|your bank&gt; said &lt;@U1&gt;"


def test_a_mail_arrives_signed_in_with_any_password() -> None:
    password = "p@ss/w:rd%"
    with receivers.mail_server(password) as server:
        url = f"smtp://robot%40example.org:p%40ss%2Fw%3Ard%25@127.0.0.1:{server.port}"
        assert channels(ALERT_EMAIL="owner@example.org", SMTP_URL=url).send(MESSAGE) == []
        receiver, text = server.next()
    assert receiver == "owner@example.org"
    assert f"Subject: {MESSAGE.subject}" in text
    assert "From: robot@example.org" in text
    assert "Line one\r\nLine two" in text


def test_a_mail_goes_to_all_receivers_from_a_sender_with_a_name() -> None:
    with receivers.mail_server() as server:
        given = channels(
            ALERT_EMAIL="a@example.org,b@example.org",
            ALERT_SENDER="Reports <reports@example.org>",
            SMTP_URL=f"smtp://127.0.0.1:{server.port}",
        )
        assert given.send(MESSAGE) == []
        to, text = server.next()
    assert to == "a@example.org,b@example.org"
    assert "From: Reports <reports@example.org>" in text


def test_a_subject_is_one_line() -> None:
    with receivers.mail_server() as server:
        given = channels(ALERT_EMAIL="owner@example.org", SMTP_URL=f"smtp://127.0.0.1:{server.port}")
        assert given.send(Message("one\nBcc: other@example.org", "text")) == []
        assert "Subject: one Bcc: other@example.org" in server.next()[1]


def test_half_a_character_in_an_error_keeps_nobody_from_hearing_of_it() -> None:
    message = Message("load \ud83d failed", "ValueError: \udcfc is no name")
    with receivers.http_server() as hook, receivers.mail_server() as mail:
        given = channels(
            ALERT_EMAIL="owner@example.org",
            SMTP_URL=f"smtp://127.0.0.1:{mail.port}",
            ALERT_WEBHOOK=f"http://127.0.0.1:{hook.port}/x",
        )
        assert given.send(message) == []
        assert "\\udcfc is no name" in mail.next()[1]
        assert hook.next()[1] == "*load \\ud83d failed*\nValueError: \\udcfc is no name"


def test_one_channel_that_fails_does_not_keep_the_other_and_tells_no_secret() -> None:
    with receivers.http_server() as hook, receivers.mail_server("right") as mail:
        hook.status = 500
        given = channels(
            ALERT_EMAIL="owner@example.org",
            SMTP_URL=f"smtp://robot:hush-hush@127.0.0.1:{mail.port}",
            ALERT_WEBHOOK=f"http://127.0.0.1:{hook.port}/hush-hush",
        )
        errors = given.send(MESSAGE)
    assert len(errors) == 2
    assert str(errors[0]) == f"e-mail by 127.0.0.1:{mail.port} failed: SMTPAuthenticationError 535"
    assert str(errors[1]) == "the webhook failed: status 500"
    assert all(error.__context__ is None or error.__suppress_context__ for error in errors)
    assert "hush" not in repr(given)


def test_a_channel_that_fails_in_any_way_does_not_keep_the_other() -> None:
    class Broken:
        name = "pigeon"

        def send(self, message: Message) -> None:
            raise RuntimeError(f"hush-hush {message.subject}")

    with receivers.http_server() as hook:
        url = f"http://127.0.0.1:{hook.port}/x"
        given = alerts.Channels((Broken(), alerts.Webhook(url)), None, ())
        assert [str(error) for error in given.send(MESSAGE)] == ["pigeon failed: RuntimeError"]
        assert MESSAGE.subject in hook.next()[1]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SMTP_URL": "smtp://robot:hush-%C3%BC@127.0.0.1:1"}, "characters outside of ASCII"),
        (
            {"SMTP_URL": "smtp://127.0.0.1:1", "ALERT_SENDER": "a@example.org\nBcc: hush@example.org"},
            "REPORTING_ALERT_SENDER is not an e-mail address",
        ),
    ],
)
def test_what_no_mail_server_takes_is_said_before_it_is_needed(variables: dict[str, str], said: str) -> None:
    with pytest.raises(SettingError, match=said) as caught:
        channels(ALERT_EMAIL="owner@example.org", **variables)
    assert "hush" not in str(caught.value)


def test_nobody_there_is_an_error_and_not_a_wait() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/hush"
        with pytest.raises(AlertError, match="the ping failed: ConnectError") as caught:
            channels(PING_URL=url).ping()
    assert "hush" not in str(caught.value)


def test_a_ping_is_a_get_and_none_is_no_ping() -> None:
    with receivers.http_server() as server:
        assert channels(PING_URL=f"http://127.0.0.1:{server.port}/p").ping()
        assert server.next() == ("/p", "")
    assert not channels(PING_URL="none").ping()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ALERT_EMAIL": "owner"}, "REPORTING_ALERT_EMAIL is not a list of e-mail addresses"),
        ({"ALERT_EMAIL": "o@example.org"}, "REPORTING_SMTP_URL is not set"),
        (
            {"ALERT_EMAIL": "o@example.org", "SMTP_URL": "http://hush"},
            "REPORTING_SMTP_URL is not the address of a mail server",
        ),
        ({"ALERT_WEBHOOK": "http://hooks.example/hush"}, "REPORTING_ALERT_WEBHOOK is not an address"),
        ({"PING_URL": "hush"}, "REPORTING_PING_URL is not an address"),
    ],
)
def test_a_wrong_setting_is_named_and_not_shown(variables: dict[str, str], said: str) -> None:
    with pytest.raises(SettingError, match=said) as caught:
        channels(**variables)
    assert "hush" not in str(caught.value)


def test_what_nobody_decided_about() -> None:
    assert channels().missing == (ALERT_EMAIL, ALERT_WEBHOOK, PING_URL)
    assert channels(ALERT_EMAIL="none", ALERT_WEBHOOK="none", PING_URL="none").missing == ()
    assert channels(ALERT_WEBHOOK="https://hooks.example/a", PING_URL="none").missing == ()


def test_scrubbing_finds_every_secret_of_the_environment() -> None:
    environment = {
        "AIRFLOW_CONN_NOTION": json.dumps({"conn_type": "http", "password": "ntn_of_notion"}),
        "AIRFLOW_CONN_BIGQUERY": json.dumps(
            {"extra": {"keyfile_dict": json.dumps({"private_key": "-----KEY"})}}
        ),
        "AIRFLOW__CORE__FERNET_KEY": "fernet-of-airflow",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://owner:of%40database@db/airflow",
        "HOME": "/home/owner-of-all",
    }
    text = "ntn_of_notion -----KEY fernet-of-airflow of%40database of@database /home/owner-of-all"
    assert redaction.scrub(text, environment) == "*** *** *** *** *** /home/owner-of-all"


def failed(error: object, dag_id: str = "raw_a__b__full") -> dict[str, object]:
    task = SimpleNamespace(dag_id=dag_id, task_id="load", run_id="scheduled__2026+1", try_number=4)
    return {"task_instance": task, "exception": error}


def test_a_failed_task_is_told_with_what_to_do() -> None:
    environment = {"X_TOKEN": "ntn_of_notion"}
    error = ValueError("no ntn_of_notion here " + "x" * 9999)
    (incident,) = callbacks.incidents(failed(error), environment)
    message = Notifier(channels(), "https://reporting.example", "UTC").opened(incident, NOW)
    assert message.subject == "raw_a__b__full: load failed"
    assert message.text.startswith("ValueError: no *** here")
    assert "Since: 2026-11-21 12:00 (UTC)" in message.text
    assert "docs/reference/errors.md" in message.text
    assert len(message.text) < 1000
    link = "https://reporting.example/dags/raw_a__b__full/runs/scheduled__2026%2B1/tasks/load"
    assert f"Link: {link}" in message.text
    # What is kept does not say what the error said.
    assert "here" not in incident.what
    assert "ValueError" in incident.what


def test_a_task_that_took_too_long_is_told_as_such() -> None:
    (incident,) = callbacks.incidents(failed(AirflowTaskTimeout("Timeout, PID: 7")), {})
    assert incident.what.startswith("It exceeded its time limit and was stopped in")
    assert incident.problem_key == "task/raw_a__b__full/load"


def test_what_dbt_says_is_wrong_is_an_incident_each_and_the_task_is_none() -> None:
    error = NodesFailedError(["test not_null_habits: Got 3 results, expected 0", "model deals: no message"])
    found = callbacks.incidents(failed(error, "mart_personal__models__changed"), {})
    assert [each.problem_key for each in found] == ["dbt/test not_null_habits", "dbt/model deals"]
    assert found[0].subject == "dbt: test not_null_habits failed"
    assert str(found[0].said).startswith("test not_null_habits: Got 3 results, expected 0")
    assert {each.dag_id for each in found} == {"mart_personal__models__changed"}
    assert "Got 3 results" in str(error)


def test_stale_sources_are_left_to_the_check_that_knows_more() -> None:
    error = SourcesStaleError(["source notion.daily_habits: last complete run 2026-11-01"])
    assert callbacks.incidents(failed(error), {}) == []


def test_one_that_was_killed_has_no_error_and_is_told() -> None:
    context = failed(None) | {"reason": "the task did not heartbeat"}
    (incident,) = callbacks.incidents(context, {})
    assert str(incident.said).startswith("the task did not heartbeat")


@pytest.fixture
def no_warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that nobody listens at, which is asked for a moment alone."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setattr(incidents, "PATIENCE_SECONDS", 0.1)


@pytest.mark.usefixtures("no_warehouse")
def test_a_failure_is_told_though_the_warehouse_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with receivers.http_server() as server:
        monkeypatch.setenv("REPORTING_ALERT_WEBHOOK", f"http://127.0.0.1:{server.port}/hook")
        callbacks.task_failed(failed(ValueError("text")))
        assert "ValueError: text" in server.next()[1]
        assert server.is_empty()


@pytest.mark.usefixtures("no_warehouse")
def test_a_callback_never_raises(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    callbacks.task_failed(failed(ValueError("text")))
    monkeypatch.setenv("REPORTING_ALERT_WEBHOOK", "hush")
    callbacks.task_failed(failed(ValueError("text")))
    monkeypatch.setenv("REPORTING_ALERT_WEBHOOK", "http://127.0.0.1:1/hush")
    callbacks.task_failed({})
    callbacks.task_failed(failed(ValueError("text")))
    assert "the webhook failed" in caplog.text
    assert "hush" not in caplog.text
