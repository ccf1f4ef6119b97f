"""Finds the secrets of the environment, so that no log and no message shows one."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
LEAST_SECRET = 8
SECRET_NAME = re.compile(
    r"PASSWORD|SECRET|TOKEN|_KEY|_URL|WEBHOOK|SQL_ALCHEMY_CONN|AIRFLOW_CONN_", re.IGNORECASE
)
# Addresses that everybody may know.
PUBLIC = frozenset({"AIRFLOW__API__BASE_URL", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"})
SECRET_FIELD = re.compile(r"password|secret|token|private_key|keyfile_dict", re.IGNORECASE)


def scrub(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`text` without any secret that `environment` holds."""
    return hide(text, ordered(environment))


def ordered(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The secrets of `environment`, the longest first, since one may hold another."""
    return sorted(set(secrets_of(environment)), key=len, reverse=True)


def hide(text: str, secrets: Iterable[str]) -> str:
    """`text` without `secrets`."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def secrets_of(environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Every secret that `environment` holds: whole values, by the names of their variables, and what is secret in them."""
    for name, value in environment.items():
        if name in PUBLIC or not SECRET_NAME.search(name):
            continue
        for part in (value, *_inner(value)):
            if len(part) >= LEAST_SECRET:
                yield part


def _inner(value: str) -> Iterator[str]:
    """The password of an address, and the secret fields of a connection in JSON."""
    if "://" in value:
        try:
            password = urlsplit(value).password
        except ValueError:
            password = None
        if password:
            yield password
            yield unquote(password)
    try:
        yield from _fields(json.loads(value))
    except ValueError:
        return


def _fields(value: object, is_secret: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _fields(each, bool(SECRET_FIELD.search(str(name))))
    elif isinstance(value, str):
        if is_secret:
            yield value
        if value.startswith("{"):
            yield from _inner(value)
