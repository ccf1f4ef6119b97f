"""What is about to end, asked of servers on loopback."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from reporting.local.serving import free_port
from reporting.monitoring import expiry
from reporting.monitoring.expiry import CannotAskError, Lasting
from tests.support import postgres
from tests.support.certificates import certificate
from tests.support.receivers import answering

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EMAIL = "reporting@my-project.iam.gserviceaccount.com"


def lasting(left: timedelta, **fields: timedelta) -> Lasting:
    return Lasting(
        problem_key="expiry/web",
        name="the certificate of reporting.example",
        ends_at=NOW + left,
        todo="Renew it.",
        **fields,
    )


def test_nothing_is_said_long_before() -> None:
    assert list(expiry.find(lasting(timedelta(days=15)), NOW)) == []


def test_it_is_said_two_weeks_before_and_after() -> None:
    (found,) = expiry.find(lasting(timedelta(days=10)), NOW)
    assert found.subject == "the certificate of reporting.example expires in 10 days"
    assert "expires at 2026-12-01 12:00 UTC" in found.what
    (over,) = expiry.find(lasting(timedelta(days=-1)), NOW)
    assert over.subject == "the certificate of reporting.example has expired"
    # The same incident, so that it is told once.
    assert over.problem_key == found.problem_key


def test_a_login_that_lasts_for_a_week_is_not_told_at_once() -> None:
    week = lasting(timedelta(days=7), warn_before=expiry.WARN_BEFORE_LOGIN)
    assert list(expiry.find(week, NOW)) == []
    assert len(list(expiry.find(week, NOW + timedelta(days=5)))) == 1


@pytest.mark.parametrize(
    ("noted", "ends_at"),
    [
        ({"refresh_token_expires_at": "2026-11-28T12:00:00+00:00"}, NOW + timedelta(days=7)),
        ({"refresh_token_expires_at": "2026-11-28T12:00:00"}, NOW + timedelta(days=7)),
        ({"refresh_token_expires_at": "soon"}, None),
        ({}, None),
    ],
)
def test_the_end_of_a_login(noted: dict[str, str], ends_at: datetime | None) -> None:
    assert expiry.login_ends_at(noted) == ends_at


def test_a_secret_lasts_through_its_day() -> None:
    assert expiry.end_of_day(date(2026, 11, 21)) == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize("days", [30, -2])
def test_a_web_server_is_asked_also_when_its_certificate_has_ended(tmp_path: Path, days: int) -> None:
    made = certificate(tmp_path, "web", timedelta(days=days))
    with answering({}, made) as port:
        found = expiry.web_certificate("127.0.0.1", port)
    assert found == x509.load_pem_x509_certificate(made[0].read_bytes())
    assert (found.not_valid_after_utc - datetime.now(UTC)).days in (days, days - 1)


def test_a_server_that_is_not_there_cannot_be_asked() -> None:
    port = free_port()
    with pytest.raises(
        CannotAskError, match=f"127.0.0.1:{port} shows no certificate: ConnectionRefusedError"
    ):
        expiry.web_certificate("127.0.0.1", port)
    with pytest.raises(CannotAskError, match=r"the metadata database .* ConnectionRefusedError"):
        expiry.postgres_certificate("127.0.0.1", port)


def test_one_that_speaks_no_tls_has_no_certificate() -> None:
    with answering({}) as port, pytest.raises(CannotAskError, match="SSLError"):
        expiry.web_certificate("127.0.0.1", port)


def test_the_metadata_database_is_asked_as_libpq_does() -> None:
    with postgres.tls_folder() as folder:
        made = certificate(folder, "database", timedelta(days=3))
        expected = x509.load_pem_x509_certificate(made[0].read_bytes())
        with postgres.running(tls=made) as cluster:
            assert expiry.postgres_certificate("127.0.0.1", cluster.port) == expected
    with postgres.running() as cluster:
        assert expiry.postgres_certificate("127.0.0.1", cluster.port) is None


def test_the_age_of_a_key_is_googles_word(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "key", timedelta(days=3))[0].read_text()
    path = f"/{EMAIL.replace('@', '%40')}"
    with answering({path: (200, json.dumps({"one": pem}).encode())}) as port:
        address = f"http://127.0.0.1:{port}"
        found = expiry.key_certificate(EMAIL, "one", address)
        assert found is not None
        assert expiry.key_certificate(EMAIL, "other", address) is None
        assert expiry.key_certificate("nobody@example.org", "one", address) is None
    (old,) = expiry.find_old_key(EMAIL, "one", found.not_valid_before_utc, datetime.now(UTC))
    assert old.subject == f"the key of {EMAIL} is 400 days old"
    assert list(expiry.find_old_key(EMAIL, "one", NOW - timedelta(days=300), NOW)) == []


@pytest.mark.parametrize("answer", [(500, b"{}"), (200, b"<html>"), (200, b'{"one": "no certificate"}')])
def test_an_answer_that_tells_nothing_is_said(answer: tuple[int, bytes]) -> None:
    with (
        answering({f"/{EMAIL.replace('@', '%40')}": answer}) as port,
        pytest.raises(CannotAskError, match="did not answer how old the key"),
    ):
        expiry.key_certificate(EMAIL, "one", f"http://127.0.0.1:{port}")
