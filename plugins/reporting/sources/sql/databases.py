"""Handles the differences between databases: encryption of connections, clocks and time zones, and types of values."""

import base64
import json
import math
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from reporting.settings import is_timezone
from reporting.sources.base import SourceError

# The values of libpq's `sslmode` with which it never connects unencrypted.
ENCRYPTED_MODES = ("require", "verify-ca", "verify-full")
# A year, which includes every change to and from summer time.
WEEKS = 54


def engine_of(address: str) -> sa.Engine:
    """An SQLAlchemy engine for `address`, which is a secret. Connections to other machines must use TLS.

    Raises `SourceError` if it is not an address, or does not make sure that TLS is used.
    """
    try:
        url = sa.make_url(address)
        backend = url.get_backend_name()
        arguments = encryption(url, backend)
        engine = sa.create_engine(url, hide_parameters=True, connect_args=arguments)
    except (sa.exc.ArgumentError, ImportError, ValueError) as error:
        raise SourceError(
            f"the connection 'sql' does not hold an address in SQLAlchemy's form, such as sqlite:///FILE "
            f"({type(error).__name__}). Run script/connect sql."
        ) from None
    if backend == "sqlite":
        # Otherwise a text that is not UTF-8 would stop the read, with an error that quotes the text.
        sa.event.listen(engine, "connect", _read_leniently)
    return engine


def clock(connection: sa.Connection) -> tuple[datetime | None, timedelta]:
    """The database's own time (UTC; None if this machine's clock is the right one), and the smallest offset of its local time
    from UTC.

    A column without a time zone does not say in which zone its times were written: by default in the database's own, but an
    application may write UTC. So the offset is the smallest of both at any time of a year. With it a read returns too much
    rather than too little, also when the clocks change.
    """
    zones: list[str] = []
    match connection.dialect.name:
        case "postgresql":
            now, local = _one(
                connection, "SELECT clock_timestamp() AT TIME ZONE 'UTC', clock_timestamp()::timestamp"
            )
            zones = _zones(connection)
        case "mysql" | "mariadb":
            # https://dev.mysql.com/doc/refman/8.4/en/time-zone-support.html
            now, local, *zones = _one(
                connection, "SELECT UTC_TIMESTAMP(6), NOW(6), @@global.time_zone, @@session.time_zone"
            )
        case "mssql":
            # https://learn.microsoft.com/sql/t-sql/functions/sysdatetime-transact-sql
            now, local = _one(connection, "SELECT SYSUTCDATETIME(), SYSDATETIME()")
        case _:
            # SQLite's own functions return UTC.
            return None, timedelta()
    # Whole minutes, since the two clocks are read one after the other.
    offset = timedelta(minutes=round((local - now).total_seconds() / 60))
    known = [found for each in zones if (found := _least_offset(each, now)) is not None]
    # If the zone's name is not known, allow one hour for a change to winter time.
    offset = min([offset, *known]) if len(known) == len(zones) and zones else offset - timedelta(hours=1)
    return now.replace(tzinfo=UTC), min(offset, timedelta())


def prepare(connection: sa.Connection) -> None:
    """Set the session so that the database's own settings do not change the format of values."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET intervalstyle = 'iso_8601'")


def selected(connection: sa.Connection, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """An expression for the column without conversions in the driver, which could fail for one value and stop the read."""
    if _comes_as_json(connection, column):
        return sa.cast(sa.func.to_json(column), sa.Text).label(column.name)
    return sa.type_coerce(column, sa.types.NullType()).label(column.name)


def value_of(connection: sa.Connection, column: sa.Column[Any], value: Any) -> Any:
    """Convert a value that `selected` returned for JSON. A value that does not fit the column's type stays as it is, and
    staging reports it."""
    kind = column.type
    if isinstance(value, str) and (isinstance(kind, sa.JSON) or _comes_as_json(connection, column)):
        try:
            value = json.loads(value, parse_float=_exact, parse_constant=str)
        except ValueError:
            return plain(value)
    if isinstance(kind, sa.Boolean) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and isinstance(kind, sa.DateTime | sa.Date):
        try:
            value = (date if isinstance(kind, sa.Date) else datetime).fromisoformat(value)
        except ValueError:
            return plain(value)
    return plain(value)


def plain(value: Any) -> Any:
    """Convert any value from a driver to a value for JSON.

    A time without an offset becomes UTC, a decimal number its digits, `NaN` and `Infinity` text, bytes base64, and a duration
    ISO 8601.
    """
    match value:
        case None | bool() | int():
            return value
        case Enum():
            return plain(value.value)
        case str():
            # Half of a surrogate pair cannot be encoded as UTF-8.
            return str(value).encode(errors="replace").decode()
        case float():
            return value if math.isfinite(value) else str(Decimal(value))
        case Decimal():
            return f"{value:f}"
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
        case date() | time():
            return value.isoformat()
        case timedelta():
            return f"PT{Decimal(value // timedelta(microseconds=1)).scaleb(-6).normalize():f}S"
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case Mapping():
            return {str(plain(name)): plain(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(each) for each in value]
        case _:
            return plain(str(value))


def changed_since(
    connection: sa.Connection, column: sa.Column[Any], start: datetime, offset: timedelta
) -> sa.ColumnElement[bool] | None:
    """A SQL condition for rows that may have changed at or after `start` (UTC), by the column with the time of the change;
    None if the type of that column does not allow it.

    `offset` is from `clock`, for columns without a time zone. In doubt a row is read.
    """
    naive = (start + offset).replace(tzinfo=None)
    unknown = column.is_(None)
    if connection.dialect.name == "sqlite":
        # A text column may hold anything: a text with the form of a time in UTC is compared, and all other rows are read.
        text = sa.type_coerce(column, sa.Text())
        is_time = text.bool_op("GLOB")("[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*")
        has_offset = text.bool_op("GLOB")("*[+-][0-9][0-9]:[0-9][0-9]")
        # A date without a time may be any time of that day.
        earliest = sa.case((sa.func.length(text) == 10, str(naive.date())), else_=str(naive))
        is_none = sa.func.julianday(text).is_(None)
        return sa.or_(unknown, sa.not_(is_time), is_none, has_offset, text >= earliest)
    if isinstance(column.type, sa.Date):
        return sa.or_(unknown, column >= naive.date())
    if isinstance(column.type, sa.DateTime):
        is_aware = getattr(column.type, "timezone", False)
        return sa.or_(unknown, column >= (start if is_aware else naive))
    return None


def _exact(digits: str) -> float | str:
    """A number from a JSON document: a float if that is exactly the same number, otherwise its digits as text."""
    number = float(digits)
    return number if math.isfinite(number) and Decimal(repr(number)) == Decimal(digits) else digits


def _comes_as_json(connection: sa.Connection, column: sa.Column[Any]) -> bool:
    """Whether the database itself should convert the values to JSON: times, arrays, ranges, and user-defined types."""
    as_it_is = (sa.Numeric, sa.Integer, sa.String, sa.Boolean, sa.LargeBinary)
    return connection.dialect.name == "postgresql" and not isinstance(column.type, as_it_is)


def encryption(url: sa.URL, backend: str) -> dict[str, Any]:
    """Arguments for the driver that make sure that connections to other machines are encrypted. Raises `SourceError`."""
    if backend == "postgresql":
        mode = url.query.get("sslmode") or os.environ.get("PGSSLMODE")
        if all(map(_is_here, _hosts(url))) or mode in (*ENCRYPTED_MODES, "disable"):
            return {}
        if not url.get_driver_name().startswith("psycopg"):
            raise _in_clear("sslmode=require, and the driver of postgresql+psycopg2://,", "sslmode=disable")
        if mode is None:
            return {"sslmode": "require"}
        raise _in_clear("sslmode=require, or better sslmode=verify-full", "sslmode=disable")
    if backend in ("mysql", "mariadb"):
        said = {name.casefold(): value for name, value in url.query.items()}
        is_named = any(name in said for name in ("ssl_ca", "ssl_capath", "ssl_mode", "ssl_disabled"))
        if not is_named and not all(map(_is_here, _hosts(url))):
            raise _in_clear(
                "ssl_ca=FILE, with the certificate authorities of the server,", "ssl_disabled=true"
            )
    if backend == "mssql":
        said = {name.casefold(): str(value).casefold() for name, value in url.query.items()}
        is_named = said.get("encrypt") in ("yes", "mandatory", "strict", "true", "no", "optional", "false")
        if not is_named and not all(map(_is_here, _hosts(url))):
            raise _in_clear("Encrypt=yes", "Encrypt=no")
    return {}


def _in_clear(wanted: str, unwanted: str) -> SourceError:
    return SourceError(
        "the address in the connection 'sql' leads to another machine, but does not require encryption. "
        f"Add {wanted} to its parameters (after a question mark). To allow an unencrypted connection, add {unwanted}."
    )


def _hosts(url: sa.URL) -> list[str]:
    """The hosts in the address; an empty one means a socket of this machine."""
    named: list[str] = []
    for name in ("host", "hostaddr", "unix_socket"):
        value = url.query.get(name, ())
        named += [value] if isinstance(value, str) else value
    if url.query.get("service") or url.query.get("odbc_connect"):
        # The host is in a configuration file or in another syntax, so it is not known.
        return ["?"]
    hosts = [url.host or "", *named]
    if not any(hosts) and url.get_backend_name() == "postgresql":
        hosts = [os.environ.get("PGHOSTADDR") or os.environ.get("PGHOST") or ""]
    return [_without_port(each.strip()) for host in hosts for each in host.split(",")]


def _without_port(host: str) -> str:
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_here(host: str) -> bool:
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _read_leniently(connection: Any, _record: Any) -> None:
    connection.text_factory = lambda data: data.decode(errors="replace")


def _one(connection: sa.Connection, statement: str) -> tuple[Any, ...]:
    return tuple(connection.exec_driver_sql(statement).one())


def _zones(connection: sa.Connection) -> list[str]:
    """The time zones that sessions of this database may have: that of this session, and those set for the database or users."""
    found = connection.exec_driver_sql(
        "SELECT current_setting('TimeZone') UNION SELECT split_part(each, '=', 2) "
        "FROM pg_db_role_setting, unnest(setconfig) AS each WHERE lower(split_part(each, '=', 1)) = 'timezone' "
        "AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    return list(found.scalars())


def _least_offset(zone: str, now: datetime) -> timedelta | None:
    """How far the zone's time is at least from UTC within a year; None where no such zone is known here."""
    if not is_timezone(zone):
        return None
    there = ZoneInfo(zone)
    days = (now.replace(tzinfo=UTC) + timedelta(weeks=each) for each in range(-WEEKS, WEEKS + 1))
    return min((day.astimezone(there).utcoffset() or timedelta() for day in days), default=None)
