"""PostgreSQL as Airflow's metadata database: checks its address, makes Airflow's variables, and waits until it answers.

    REPORTING_DATABASE_URL=postgresql://user:password@host:5432/airflow?sslmode=verify-full

The parameters of the address are those of libpq: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

import ssl
import threading
import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import psycopg2
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from reporting.deploy.errors import CommandError
from reporting.settings import DATABASE_URL

EXAMPLE = "postgresql://user:password@host:5432/airflow?sslmode=verify-full"
ENCRYPTED_MODES = ("require", "verify-ca", "verify-full")
UNENCRYPTED_MODES = ("disable", "allow", "prefer")
PARAMETERS = ("sslmode", "sslrootcert")
WAIT_SECONDS = 300
PAUSE_SECONDS = 2.0
# With these, a dead connection is noticed within a minute instead of after the system's default of two hours.
LIBPQ = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# Three processes with at most eight connections each, since the smallest Azure database allows 35.
POOL = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "3",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "5",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_RECYCLE": "900",
}


class DatabaseUrlError(ValueError):
    """The address cannot be used. The message says why, and never quotes the address."""


def parse(text: str) -> URL:
    """Parse and check the address of the database. Raises `DatabaseUrlError`."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Without the text, which holds a password. The error is raised later, so that this one does not become its cause.
        url = None
    if url is None:
        raise DatabaseUrlError(
            f"is not an address. It must look like {EXAMPLE}, with special characters of the password percent-encoded"
        )
    if url.drivername not in ("postgresql", "postgres"):
        raise DatabaseUrlError(f"begins with '{url.drivername}'. It must begin with postgresql://")
    if not url.host or not url.database or not url.username:
        raise DatabaseUrlError(f"lacks a host, a user or a database. It must look like {EXAMPLE}")
    if unknown := sorted(set(url.query) - set(PARAMETERS)):
        raise DatabaseUrlError(
            f"has the parameter {', '.join(unknown)}. Only {' and '.join(PARAMETERS)} are allowed"
        )
    mode = _mode(url)
    if mode not in ENCRYPTED_MODES + UNENCRYPTED_MODES:
        raise DatabaseUrlError(
            f"has sslmode={mode}. Use {', '.join(ENCRYPTED_MODES)}, or disable if the database is on this machine"
        )
    if mode not in ENCRYPTED_MODES and not is_loopback(url.host):
        raise DatabaseUrlError(
            f"has sslmode={mode}, but {url.host} is not this machine. Use sslmode=verify-full"
        )
    if not url.password and not is_loopback(url.host):
        raise DatabaseUrlError(f"has no password, but {url.host} is not this machine. Add the password")
    return url


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def environment(url: URL) -> dict[str, str]:
    """Airflow's variables for `url`: the addresses for the synchronous and the asynchronous client, and the pools.

    Both clients, psycopg2 and asyncpg, take the certificate authorities from PGSSLROOTCERT; there is no other way that works
    for both.
    """
    mode = _mode(url)
    found = POOL | {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _render(
            url, "postgresql+psycopg2", {"sslmode": mode, **LIBPQ}
        ),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": _render(url, "postgresql+asyncpg", {"ssl": mode}),
    }
    if mode.startswith("verify"):
        found["PGSSLROOTCERT"] = _authorities(url)
    return found


def tls(url: URL) -> dict[str, str]:
    """The parameters of libpq for the encryption."""
    mode = _mode(url)
    return {"sslmode": mode, **({"sslrootcert": _authorities(url)} if mode.startswith("verify") else {})}


def await_answer(
    url: URL, seconds: float = WAIT_SECONDS, pause: float = PAUSE_SECONDS, say: Any = print
) -> None:
    """Wait until the database accepts a connection. Raises `CommandError` after `seconds`, or immediately if it refuses the
    user, the password or the database, since waiting would not help then."""
    end = time.monotonic() + seconds
    waiting = threading.Event()
    said = None
    while True:
        reason = _refusal(url)
        if reason is None:
            return
        if _is_final(reason):
            raise CommandError(
                f"the metadata database refuses the connection: {reason} Check {DATABASE_URL}."
            )
        if time.monotonic() >= end:
            raise CommandError(
                f"the metadata database has not answered for {seconds:.0f} s: {reason} Check that it runs, that "
                f"this machine may reach it, and {DATABASE_URL}."
            )
        if reason != said:
            say(f"Waiting for the metadata database: {reason}")
            said = reason
        waiting.wait(pause)


def _refusal(url: URL) -> str | None:
    options: dict[str, Any] = dict(LIBPQ)
    try:
        connection = psycopg2.connect(
            host=url.host,
            port=url.port or 5432,
            user=url.username,
            password=url.password,
            dbname=url.database,
            **tls(url),
            **options,
        )
    except psycopg2.OperationalError as error:
        # libpq names host, user and database, and never the password.
        return _sentence(str(error))
    connection.close()
    return None


def _is_final(reason: str) -> bool:
    # libpq has no error codes for refused connections, so only the text tells.
    return any(
        words in reason
        for words in (
            "authentication failed",
            "certificate verify failed",
            "does not exist",
            "does not match host name",
            "does not support SSL",
            "no pg_hba.conf entry",
        )
    )


def _sentence(text: str) -> str:
    line = (text.strip().splitlines() or ["no reason given"])[0].strip()
    return line if line.endswith(".") else f"{line}."


def _mode(url: URL) -> str:
    # libpq's own default would connect unencrypted if the server does not offer TLS.
    return str(url.query.get("sslmode") or ("prefer" if is_loopback(url.host or "") else "verify-full"))


def _authorities(url: URL) -> str:
    given = url.query.get("sslrootcert")
    if given:
        return str(given)
    system = ssl.get_default_verify_paths()
    if system.cafile:
        return system.cafile
    # If the system has no bundle of certificate authorities, use the one that Airflow's own HTTP clients use.
    import certifi

    return str(certifi.where())


def _render(url: URL, driver: str, query: Mapping[str, str]) -> str:
    return url.set(drivername=driver, query=query).render_as_string(hide_password=False)
