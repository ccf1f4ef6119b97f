"""Each e-mail once: whoever asks, however often, and wherever it was cut off."""

import queue
import smtplib
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.local.bigquery import LocalBigQuery
from reporting.mail import messages
from reporting.mail.emails import Email
from reporting.mail.sending import AlreadySentError, Delivery, Post, RefusedError, SendError, send_once
from reporting.settings import Settings, read_settings
from reporting.warehouse.client import connect
from tests.support.marts import Marts

EMAIL = Email("A subject", "A text")
Warehouse = tuple[bigquery.Client, Settings]


@pytest.fixture(scope="module")
def warehouse(bigquery_endpoint: LocalBigQuery) -> Warehouse:
    """A warehouse that has the record of e-mails, and no more."""
    settings = read_settings(bigquery_endpoint.variables)
    client = connect(settings)
    Marts(client, settings).make_records()
    return client, settings


class Killed(BaseException):
    """What ends a process and not a task."""


class Box:
    """A mail server: what it took, and what it does next."""

    def __init__(self) -> None:
        self.taken: queue.Queue[EmailMessage] = queue.Queue()
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.refused: dict[str, Any] = {}

    def post(self, mail: EmailMessage) -> Mapping[str, Any]:
        self.before()
        self.taken.put(mail)
        self.after()
        return self.refused

    def ids(self) -> list[str]:
        return [mail["Message-ID"] for mail in list(self.taken.queue)]


def fail(error: BaseException) -> Callable[[], None]:
    def failing() -> None:
        raise error

    return failing


def delivery(key: str, run_id: str = "one") -> Delivery:
    return Delivery(key, run_id, "robot@example.org", ["a@example.org", "b@example.org"])


def send(warehouse: Warehouse, key: str, post: Post, run_id: str = "one") -> int:
    return send_once(*warehouse, delivery(key, run_id), lambda: EMAIL, post)


def row(warehouse: Warehouse, key: str) -> dict[str, Any]:
    client, settings = warehouse
    sql = f"SELECT * FROM `{settings.dataset('ops')}.messages_sent` WHERE message_key = '{key}'"
    (found,) = client.query_and_wait(sql)
    return dict(found)


def test_a_second_time_it_is_not_sent(warehouse: Warehouse) -> None:
    box = Box()
    size = send(warehouse, "twice", box.post)
    for run_id in ("one", "other"):
        with pytest.raises(AlreadySentError, match=r"twice was sent at 20\d\d-.* UTC"):
            send(warehouse, "twice", box.post, run_id)
    assert len(box.ids()) == 1
    held = row(warehouse, "twice")
    assert (held["run_id"], held["receiver_count"], held["size_bytes"]) == ("one", 2, size)
    assert held["claimed_at"] <= held["sent_at"]


def test_another_email_is_another_one(warehouse: Warehouse) -> None:
    box = Box()
    send(warehouse, "week 1", box.post)
    send(warehouse, "week 2", box.post)
    assert len(set(box.ids())) == 2


def test_killed_before_it_was_sent_the_same_run_sends_it(warehouse: Warehouse) -> None:
    box = Box()
    box.before = fail(Killed())
    with pytest.raises(Killed):
        send(warehouse, "killed before", box.post)
    box.before = lambda: None
    with pytest.raises(SendError, match=r"another run is sending .* in 15 minutes"):
        send(warehouse, "killed before", box.post, "other")
    send(warehouse, "killed before", box.post)
    assert len(box.ids()) == 1


def test_killed_after_it_was_sent_it_comes_again_under_the_same_id(warehouse: Warehouse) -> None:
    box = Box()
    box.after = fail(Killed())
    with pytest.raises(Killed):
        send(warehouse, "killed after", box.post)
    box.after = lambda: None
    send(warehouse, "killed after", box.post)
    first, second = box.ids()
    assert first == second
    with pytest.raises(AlreadySentError):
        send(warehouse, "killed after", box.post)


def test_a_claim_that_is_old_is_nobodys(warehouse: Warehouse) -> None:
    client, settings = warehouse
    assert messages.claim(client, settings, "old", "dead").is_ours
    assert not messages.claim(client, settings, "old", "other").is_ours
    client.query_and_wait(
        f"UPDATE `{settings.dataset('ops')}.messages_sent` SET claimed_at = TIMESTAMP_SUB(claimed_at, INTERVAL 16 MINUTE) "
        "WHERE message_key = 'old'"
    )
    assert messages.claim(client, settings, "old", "other").is_ours
    assert not messages.claim(client, settings, "old", "dead").is_ours


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (smtplib.SMTPDataError(552, b"too large for a@example.org"), "SMTPDataError 552"),
        (smtplib.SMTPServerDisconnected("gone"), "SMTPServerDisconnected"),
        (ConnectionRefusedError(111, "refused"), "ConnectionRefusedError"),
    ],
)
def test_what_failed_can_be_tried_at_once_by_anybody(
    warehouse: Warehouse, error: Exception, said: str
) -> None:
    box = Box()
    box.before = fail(error)
    key = f"failed {said}"
    with pytest.raises(SendError) as caught:
        send(warehouse, key, box.post)
    assert str(caught.value) == f"the mail server did not accept {key}: {said}"
    assert caught.value.__suppress_context__
    box.before = lambda: None
    send(warehouse, key, box.post, "other")
    assert len(box.ids()) == 1


def test_an_email_that_cannot_be_written_is_given_back(warehouse: Warehouse) -> None:
    def write() -> Email:
        raise OSError("no room")

    box = Box()
    with pytest.raises(OSError, match="no room"):
        send_once(*warehouse, delivery("unwritten"), write, box.post)
    send(warehouse, "unwritten", box.post, "other")
    assert len(box.ids()) == 1


def test_one_receiver_that_is_refused_is_said_and_the_others_are_not_sent_again(
    warehouse: Warehouse,
) -> None:
    box = Box()
    box.refused = {"b@example.org": (550, b"nobody here, b@example.org")}
    with pytest.raises(RefusedError, match="refused receiver 2 of 2 with 550") as caught:
        send(warehouse, "refused", box.post)
    assert "example.org" not in str(caught.value)
    assert row(warehouse, "refused")["receiver_count"] == 1
    with pytest.raises(AlreadySentError):
        send(warehouse, "refused", box.post)
    assert len(box.ids()) == 1
