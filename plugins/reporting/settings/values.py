"""Checks and conversions of single values: from the text in the environment to the value that the code works with.

A function here takes the text and raises `ValueError` with what follows the variable's name or its value in a sentence.
"""

import re
from collections.abc import Callable
from datetime import date
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, SecretStr

# As the name of an entity, it means that the entity is not read; as any other value, that there is none.
SWITCHED_OFF = "none"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EXPORT_FORMATS = ("csv", "parquet", "duckdb", "sqlite")
BUCKET_SCHEMES = ("gs", "gcs")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Files beside those of the zones: whose zone they are is another on each machine, or counts leap seconds. BigQuery knows none.
NO_ZONES = re.compile(r"localtime|posixrules|Factory|(posix|right)/.*", re.DOTALL)
GUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


def is_bucket(uri: str) -> bool:
    """Whether `uri` is the address of a Google Cloud Storage bucket."""
    return uri.partition("://")[0] in BUCKET_SCHEMES


def is_address(text: str) -> bool:
    """Whether `text` has the form of one e-mail address."""
    return "@" in text.strip("@") and not re.search(r"[\s,;<>]", text)


def emails(text: str) -> tuple[str, ...]:
    """The addresses in `text`, with commas between them; none for `none`."""
    found = () if text == SWITCHED_OFF else [each.strip() for each in text.split(",") if each.strip()]
    for place, each in enumerate(found, 1):
        if not is_address(each):
            raise ValueError(
                f"is not a list of e-mail addresses: number {place} of {len(found)} is not an address"
            )
    return tuple(dict.fromkeys(found))


def _sender(text: str) -> str:
    # Imported here, so that only an installation that sets a sender pays for it.
    from email.utils import parseaddr

    if not (text.isprintable() and is_address(parseaddr(text)[1])):
        raise ValueError("is not an e-mail address")
    return text


def _cron(text: str) -> str:
    if len(text.split()) != 5:
        raise ValueError("which does not have five fields")
    # The library with which Airflow reads schedules. Imported here, so that only an installation that sets one pays for it.
    from croniter import croniter

    try:
        moments = croniter(text)
    except ValueError:
        raise ValueError("which is not a cron expression") from None
    try:
        moments.get_next()
    except ValueError:
        # Such as the 30th of February, which the scheduler would search for without end.
        raise ValueError("which is a day that never comes") from None
    return text


def is_timezone(text: str) -> bool:
    """Whether `text` is the name of a time zone that everybody knows by it."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return not NO_ZONES.fullmatch(text)


def _timezone(text: str) -> str:
    if not is_timezone(text):
        raise ValueError("which is not a known time zone")
    return text


def _weekday(text: str) -> int:
    return WEEKDAYS.index(text.lower())


def _private_address(text: str) -> str:
    if not ip_address(text).is_private:
        raise ValueError("which is not in a private network")
    return text


def _date(text: str) -> date:
    return date.fromisoformat(text)


def _parsed(text: str) -> str:
    urlsplit(text)
    return text


def _https(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        is_usable = is_usable and bool(parts.hostname)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError("is not an address that begins with https://")
    return text


def _smtp(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError("is not the address of a mail server")
    # smtplib can sign in with ASCII characters only.
    if not unquote(f"{parts.username}{parts.password}").isascii():
        raise ValueError(
            "is not usable to sign in to a mail server: its user or password has characters outside of ASCII"
        )
    return text


def _or_none[T](text: T) -> T | None:
    return None if text == SWITCHED_OFF else text


def _unless_none[T](convert: Callable[[str], T]) -> Callable[[str | None], T | None]:
    return lambda text: None if text is None else convert(text)


Emails = Annotated[tuple[str, ...], BeforeValidator(emails)]
Sender = Annotated[str, AfterValidator(_sender)]
CronOrNone = Annotated[str | None, AfterValidator(_unless_none(_cron)), BeforeValidator(_or_none)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Weekday = Annotated[int, BeforeValidator(_weekday)]
LowerCase = BeforeValidator(str.lower)
UpperCase = BeforeValidator(str.upper)
PrivateAddress = Annotated[str, AfterValidator(_private_address)]
Date = Annotated[date, BeforeValidator(_date)]
Address = Annotated[str, AfterValidator(_parsed)]
Folder = Annotated[str, AfterValidator(lambda text: text.rstrip("/") or text)]
IntOrNone = Annotated[int | None, BeforeValidator(_or_none)]
HttpsOrNone = Annotated[SecretStr | None, BeforeValidator(_unless_none(_https)), BeforeValidator(_or_none)]
MailServerUrl = Annotated[SecretStr, BeforeValidator(_smtp)]
