"""Messages to servers on loopback: what arrives, what does not, and that nothing secret is told."""

import json
import socket
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from reporting import alerts, redaction
from reporting.alerts import AlertError, AlertSettingError, Message
from reporting.orchestration import callbacks
from reporting.orchestration.dbt import NodesFailedError, SourcesStaleError
from reporting.problems.telling import Teller
from reporting.warehouse import problems
from tests import receivers

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MESSAGE = Message("raw_notion__daily_habits__full: load failed", "Line one\nLine two")


def channels(**variables: str) -> alerts.Channels:
    return alerts.read_channels({f"REPORTING_{name}": value for name, value in variables.items()})


def test_a_webhook_gets_what_slacks_would() -> None:
    with receivers.http_server() as server:
        url = f"http://127.0.0.1:{server.port}/services/secret-part"
        assert channels(ALERT_WEBHOOK=url).send(MESSAGE) == []
        assert server.next() == ("/services/secret-part", f"*{MESSAGE.subject}*\n{MESSAGE.text}")


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


def test_a_subject_is_one_line() -> None:
    with receivers.mail_server() as server:
        given = channels(ALERT_EMAIL="owner@example.org", SMTP_URL=f"smtp://127.0.0.1:{server.port}")
        assert given.send(Message("one\nBcc: other@example.org", "text")) == []
        assert "Subject: one Bcc: other@example.org" in server.next()[1]


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
        ({"ALERT_EMAIL": "owner"}, "REPORTING_ALERT_EMAIL is no e-mail address"),
        ({"ALERT_EMAIL": "o@example.org"}, "REPORTING_SMTP_URL is not set"),
        (
            {"ALERT_EMAIL": "o@example.org", "SMTP_URL": "http://hush"},
            "REPORTING_SMTP_URL is not of the form",
        ),
        ({"ALERT_WEBHOOK": "http://hooks.example/hush"}, "REPORTING_ALERT_WEBHOOK is no address"),
        ({"PING_URL": "hush"}, "REPORTING_PING_URL is no address"),
    ],
)
def test_a_wrong_setting_is_named_and_not_shown(variables: dict[str, str], said: str) -> None:
    with pytest.raises(AlertSettingError, match=said) as caught:
        channels(**variables)
    assert "hush" not in str(caught.value)


def test_what_nobody_decided_about() -> None:
    assert channels().missing == (alerts.EMAIL, alerts.WEBHOOK, alerts.PING)
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
    (problem,) = callbacks.problems(failed(error), environment)
    message = Teller(channels(), "https://reporting.example", "UTC").wrong(problem, NOW)
    assert message.subject == "raw_a__b__full: load failed"
    assert message.text.startswith("ValueError: no *** here")
    assert "Since: 2026-11-21 12:00 (UTC)" in message.text
    assert "docs/operations.md" in message.text
    assert len(message.text) < 1000
    link = "https://reporting.example/dags/raw_a__b__full/runs/scheduled__2026%2B1/tasks/load"
    assert f"Link: {link}" in message.text
    # What is kept does not say what the error said.
    assert "here" not in problem.what
    assert "ValueError" in problem.what


def test_what_dbt_says_is_wrong_is_a_problem_each_and_the_task_is_none() -> None:
    error = NodesFailedError(["test not_null_habits: Got 3 results, expected 0", "model deals: no message"])
    found = callbacks.problems(failed(error, "mart_personal__models__changed"), {})
    assert [each.problem_key for each in found] == ["dbt/test not_null_habits", "dbt/model deals"]
    assert found[0].subject == "dbt: test not_null_habits failed"
    assert str(found[0].said).startswith("test not_null_habits: Got 3 results, expected 0")
    assert {each.dag_id for each in found} == {"mart_personal__models__changed"}
    assert "Got 3 results" in str(error)


def test_stale_sources_are_left_to_the_check_that_knows_more() -> None:
    error = SourcesStaleError(["source notion.daily_habits: last complete run 2026-11-01"])
    assert callbacks.problems(failed(error), {}) == []


def test_one_that_was_killed_has_no_error_and_is_told() -> None:
    context = failed(None) | {"reason": "the task did not heartbeat"}
    (problem,) = callbacks.problems(context, {})
    assert str(problem.said).startswith("the task did not heartbeat")


@pytest.fixture
def no_warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that nobody listens at, which is asked for a moment alone."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setattr(problems, "PATIENCE_SECONDS", 0.1)


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
