"""Finds certificates, keys and logins that are about to expire, and asks servers when theirs do."""

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote

from cryptography import x509

from reporting.monitoring.record import Incident
from reporting.reports import formats

TIMEOUT_SECONDS = 15.0
# Servers that renew certificates by themselves do so a month before these expire.
WARN_BEFORE = timedelta(days=14)
# The login to a Google app in the state Testing lasts for seven days only.
WARN_BEFORE_LOGIN = timedelta(days=2)
# Google advises to change keys of service accounts every 90 days; here a year is enough.
LONGEST_KEY_AGE = timedelta(days=365)
# Needs no credentials: https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts
KEYS_ADDRESS = "https://www.googleapis.com/robot/v1/metadata/x509"
# https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class CannotAskError(Exception):
    """It is not known when something expires. The message says which server could not be asked, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """Something that expires. `name` begins a sentence; `warn_before` is how long before the end the alert is sent."""

    problem_key: str
    name: str
    ends_at: datetime
    todo: str
    warn_before: timedelta = WARN_BEFORE


def find(lasting: Lasting, now: datetime) -> Iterator[Incident]:
    """An incident if it is about to expire or has expired."""
    left = lasting.ends_at - now
    if left > lasting.warn_before:
        return
    when = f"{lasting.ends_at:%Y-%m-%d %H:%M} UTC"
    is_over = left <= timedelta(0)
    yield Incident(
        problem_key=lasting.problem_key,
        kind="expiry",
        subject=f"{lasting.name} {'has expired' if is_over else f'expires in {formats.span(left)}'}",
        what=f"{lasting.name} {'expired' if is_over else 'expires'} at {when}.",
        todo=lasting.todo,
    )


def find_old_key(email: str, key_id: str, made_at: datetime, now: datetime) -> Iterator[Incident]:
    """An incident if the key of a service account is old. Such keys may never expire by themselves."""
    age = now - made_at
    if age > LONGEST_KEY_AGE:
        yield Incident(
            problem_key=f"expiry/key/age/{key_id}",
            kind="expiry",
            subject=f"the key of {email} is {formats.span(age)} old",
            what=f"The key {key_id} was made on {made_at:%Y-%m-%d}. Anybody who has a copy of it can read the warehouse.",
            todo=(
                "Make a new key for the service account, put it into AIRFLOW_CONN_BIGQUERY, and delete this one: see "
                "docs/guides/secrets.md."
            ),
        )


def web_certificate(host: str, port: int = 443) -> x509.Certificate:
    """The certificate of a web server, even if it has expired. Raises `CannotAskError`."""
    try:
        return x509.load_pem_x509_certificate(
            ssl.get_server_certificate((host, port), timeout=TIMEOUT_SECONDS).encode()
        )
    except (OSError, ValueError) as error:
        raise CannotAskError(f"{host}:{port} shows no certificate: {type(error).__name__}") from None


def postgres_certificate(host: str, port: int = 5432) -> x509.Certificate | None:
    """The certificate of a PostgreSQL server, even if it has expired; None if the server does not use TLS.

    This starts TLS in the way of libpq, since psycopg2 does not show the certificate. Raises `CannotAskError`.
    """
    context = ssl.create_default_context()
    # Only the date is of interest here; the real connections to the database verify the certificate.
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
    """The certificate that Google made with a service account's key; None if Google does not have that key.

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
            f"Google did not answer how old the key of {email} is: {type(error).__name__}"
        ) from None


def login_ends_at(user: Mapping[str, Any]) -> datetime | None:
    """When the refresh token of an authorized user expires, as `script/google-login` noted it. None if Google named no
    time, as for a published app."""
    try:
        noted = datetime.fromisoformat(str(user.get("refresh_token_expires_at") or ""))
    except ValueError:
        return None
    return noted if noted.tzinfo else noted.replace(tzinfo=UTC)


def end_of_day(day: date) -> datetime:
    """The first moment (UTC) after `day`."""
    return datetime.combine(day, time(), UTC) + timedelta(days=1)
