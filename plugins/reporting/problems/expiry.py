"""Certificates, keys and logins that are about to end, and the ways to ask until when they last."""

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote

from cryptography import x509

from reporting.reports import formats
from reporting.warehouse.problems import Problem

TIMEOUT_SECONDS = 15.0
# Who renews certificates by itself does so a month before their end.
WARN_BEFORE = timedelta(days=14)
# A login of an app in Testing lasts for seven days.
WARN_BEFORE_LOGIN = timedelta(days=2)
# Google advises to change keys of service accounts every 90 days; nobody is asked for more than once a year here.
LONGEST_KEY_AGE = timedelta(days=365)
# Answers without credentials: https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts
KEYS_ADDRESS = "https://www.googleapis.com/robot/v1/metadata/x509"
# https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class CannotAskError(Exception):
    """Nobody could be asked until when something lasts; says who, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """Something that ends: `name` begins a sentence, and `warn_before` is how long before it a person is told."""

    problem_key: str
    name: str
    ends_at: datetime
    todo: str
    warn_before: timedelta = WARN_BEFORE


def find(lasting: Lasting, now: datetime) -> Iterator[Problem]:
    """A problem if it is about to end, or has ended."""
    left = lasting.ends_at - now
    if left > lasting.warn_before:
        return
    when = f"{lasting.ends_at:%Y-%m-%d %H:%M} UTC"
    is_over = left <= timedelta(0)
    yield Problem(
        problem_key=lasting.problem_key,
        kind="expiry",
        subject=f"{lasting.name} {'has ended' if is_over else f'ends in {formats.span(left)}'}",
        what=f"{lasting.name} {'ended' if is_over else 'ends'} at {when}.",
        todo=lasting.todo,
    )


def find_old_key(email: str, key_id: str, made_at: datetime, now: datetime) -> Iterator[Problem]:
    """A problem if the key of a service account is old; it need not end by itself."""
    age = now - made_at
    if age > LONGEST_KEY_AGE:
        yield Problem(
            problem_key=f"expiry/key/age/{key_id}",
            kind="expiry",
            subject=f"the key of {email} is {formats.span(age)} old",
            what=f"The key {key_id} was made at {made_at:%Y-%m-%d}; whoever has a copy of it reads the warehouse.",
            todo=(
                "Make another key of the service account, replace it in AIRFLOW_CONN_BIGQUERY, and delete this one: see "
                "'Changing every secret' in docs/deployment.md."
            ),
        )


def web_certificate(host: str, port: int = 443) -> x509.Certificate:
    """The certificate of a web server, also one that has ended. Raises `CannotAskError`."""
    try:
        return x509.load_pem_x509_certificate(
            ssl.get_server_certificate((host, port), timeout=TIMEOUT_SECONDS).encode()
        )
    except (OSError, ValueError) as error:
        raise CannotAskError(f"{host}:{port} shows no certificate: {type(error).__name__}") from None


def postgres_certificate(host: str, port: int = 5432) -> x509.Certificate | None:
    """The certificate of a PostgreSQL server, also one that has ended; None from one that speaks no TLS.

    The server is asked to turn to TLS, as libpq does: psycopg2 does not show the certificate. Raises `CannotAskError`.
    """
    context = ssl.create_default_context()
    # What is asked is until when it lasts; the connections to the database check whose it is.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_SECONDS) as plain:
            plain.sendall(SSL_REQUEST)
            if plain.recv(1) != b"S":
                return None
            with context.wrap_socket(plain, server_hostname=host) as encrypted:
                found = encrypted.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(found) if found else None
    except (OSError, ValueError) as error:
        raise CannotAskError(
            f"the metadata database at {host}:{port} shows no certificate: {type(error).__name__}"
        ) from None


def key_certificate(email: str, key_id: str, address: str = KEYS_ADDRESS) -> x509.Certificate | None:
    """The certificate of a service account's key, which Google makes with the key; None when Google has no such key.

    Raises `CannotAskError`.
    """
    import httpx

    try:
        answer = httpx.get(f"{address}/{quote(email)}", timeout=TIMEOUT_SECONDS, follow_redirects=False)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        keys: dict[str, Any] = answer.json()
        found = keys.get(key_id)
        return x509.load_pem_x509_certificate(found.encode()) if found else None
    except (httpx.HTTPError, ValueError) as error:
        raise CannotAskError(
            f"Google does not tell the age of the key of {email}: {type(error).__name__}"
        ) from None


def login_ends_at(user: Mapping[str, Any]) -> datetime | None:
    """When the refresh token of an authorized user ends, as `script/google-login` has noted it; None where Google said
    nothing, as for an app that is published."""
    try:
        noted = datetime.fromisoformat(str(user.get("refresh_token_expires_at") or ""))
    except ValueError:
        return None
    return noted if noted.tzinfo else noted.replace(tzinfo=UTC)


def end_of_day(text: str) -> datetime:
    """The first moment (UTC) after the day of an ISO date. Raises `ValueError`."""
    return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
