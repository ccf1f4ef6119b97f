"""PostgreSQL as Airflow's metadata database: both of Airflow's addresses from one, and the wait until it answers.

    REPORTING_DATABASE_URL=postgresql://user:password@host:5432/airflow?sslmode=verify-full

Words in an address are libpq's: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
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

from reporting.commands.errors import CommandError

VARIABLE = "REPORTING_DATABASE_URL"
EXAMPLE = "postgresql://user:password@host:5432/airflow?sslmode=verify-full"
ENCRYPTED_MODES = ("require", "verify-ca", "verify-full")
UNENCRYPTED_MODES = ("disable", "allow", "prefer")
PARAMETERS = ("sslmode", "sslrootcert")
WAIT_SECONDS = 300
PAUSE_SECONDS = 2.0
# A connection that died without a word is noticed within a minute and not after the system's two hours.
LIBPQ = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# Three processes of at most eight connections each: the smallest Azure database takes 35.
POOL = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "3",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "5",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_RECYCLE": "900",
}


class DatabaseUrlError(ValueError):
    """The address cannot be used; the message says why and never quotes it."""


def parse(text: str) -> URL:
    """The address in `text`, checked. Raises `DatabaseUrlError`."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Not the text itself, which holds a password. Outside the handler, so that the cause is not kept either.
        url = None
    if url is None:
        raise DatabaseUrlError(
            f"is no address. It looks like {EXAMPLE}, with special characters of the password percent-encoded"
        )
    if url.drivername not in ("postgresql", "postgres"):
        raise DatabaseUrlError(f"begins with '{url.drivername}'. It begins with postgresql://")
    if not url.host or not url.database or not url.username:
        raise DatabaseUrlError(f"lacks a host, a user or a database. It looks like {EXAMPLE}")
    if unknown := sorted(set(url.query) - set(PARAMETERS)):
        raise DatabaseUrlError(f"has the parameter {', '.join(unknown)}. It takes {' and '.join(PARAMETERS)}")
    mode = _mode(url)
    if mode not in ENCRYPTED_MODES + UNENCRYPTED_MODES:
        raise DatabaseUrlError(
            f"has sslmode={mode}. It takes {', '.join(ENCRYPTED_MODES)}, or disable on this machine"
        )
    if mode not in ENCRYPTED_MODES and not is_loopback(url.host):
        raise DatabaseUrlError(
            f"has sslmode={mode}, and {url.host} is not this machine. Use sslmode=verify-full"
        )
    if not url.password and not is_loopback(url.host):
        raise DatabaseUrlError(f"has no password, and {url.host} is not this machine")
    return url


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def environment(url: URL) -> dict[str, str]:
    """Airflow's variables for `url`: the blocking client's address, the asynchronous one's, and the pools.

    The authorities that a server's certificate is checked against go to both in PGSSLROOTCERT, which is the one
    way that psycopg2 and asyncpg share.
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
    """What libpq is told of the encryption."""
    mode = _mode(url)
    return {"sslmode": mode, **({"sslrootcert": _authorities(url)} if mode.startswith("verify") else {})}


def await_answer(
    url: URL, seconds: float = WAIT_SECONDS, pause: float = PAUSE_SECONDS, say: Any = print
) -> None:
    """Wait until the database takes a connection. Raises `CommandError` after `seconds`, or at once when it
    refuses the user, the password or the database, which waiting does not mend."""
    end = time.monotonic() + seconds
    waiting = threading.Event()
    said = None
    while True:
        reason = _refusal(url)
        if reason is None:
            return
        if _is_final(reason):
            raise CommandError(f"the metadata database refuses: {reason} Check {VARIABLE}.")
        if time.monotonic() >= end:
            raise CommandError(
                f"the metadata database has not answered for {seconds:.0f} s: {reason} Check that it runs, that "
                f"this machine may reach it, and {VARIABLE}."
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
    # libpq gives no code for a refused connection, so its words are all there is.
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
    # As libpq's own default is to go on in clear where the server offers nothing better.
    return str(url.query.get("sslmode") or ("prefer" if is_loopback(url.host or "") else "verify-full"))


def _authorities(url: URL) -> str:
    given = url.query.get("sslrootcert")
    if given:
        return str(given)
    system = ssl.get_default_verify_paths()
    if system.cafile:
        return system.cafile
    # What Airflow's own clients trust, where the system keeps no bundle.
    import certifi

    return str(certifi.where())


def _render(url: URL, driver: str, query: Mapping[str, str]) -> str:
    return url.set(drivername=driver, query=query).render_as_string(hide_password=False)
