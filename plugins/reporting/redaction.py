"""Replaces secrets from the environment by `***`, so that no log and no message shows one."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

HIDDEN = "***"
LEAST_SECRET = 8
SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|_PWD\b|_PWD_|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|_KEY|_URL|WEBHOOK|SQL_ALCHEMY_CONN|RESULT_BACKEND|AIRFLOW_CONN_",
    re.IGNORECASE,
)
# Names that look like secrets but hold addresses which everybody may know.
PUBLIC = frozenset({"AIRFLOW__API__BASE_URL"})
SECRET_FIELD = re.compile(
    r"password|passwd|pwd|passphrase|secret|token|credential|private_key|api_key|keyfile_dict", re.IGNORECASE
)
FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
PEM = re.compile(r"-----(BEGIN|END) [A-Z ]+-----")


def scrub(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`text` without any secret that `environment` holds."""
    return hide(text, ordered(environment))


def ordered(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The secrets of `environment`, the longest first, since one may contain another."""
    return sorted(set(secrets_of(environment)), key=len, reverse=True)


def hide(text: str, secrets: Iterable[str]) -> str:
    """`text` with each of `secrets` replaced. Give the longest first."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def secrets_of(environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Every secret in `environment`: the values of variables with telling names, and passwords and keys within these."""
    for name, value in environment.items():
        if name in PUBLIC or not SECRET_NAME.search(name):
            continue
        for part in (value, *_inner(value)):
            for form in _forms(part):
                if len(form) >= LEAST_SECRET:
                    yield form


def _forms(secret: str) -> Iterator[str]:
    """The ways in which a secret may appear in a text: as it is, encoded in an address, or in JSON.

    A key is hidden line by line, however the lines are joined. Its form as a whole would hide no more, and Airflow compiles all
    that it hides anew with each secret, in each task.
    """
    parts = [secret]
    if PEM.search(secret):
        # In JSON within JSON the end of a line is escaped twice.
        lines = [line.strip(" \t\\") for line in secret.replace("\\n", "\n").splitlines()]
        # The first and last line are the same in every key, so they are no secret.
        parts = [line for line in lines if line and not PEM.fullmatch(line)]
    for part in parts:
        yield part
        # A variable may hold bytes that are not text; that must not stop the other secrets from being hidden.
        yield quote(part, safe="", errors="surrogatepass")
        yield quote_plus(part, errors="surrogatepass")
        yield json.dumps(part)[1:-1]


def _inner(value: str) -> Iterator[str]:
    """Secrets within a value: the password and parameters of an address, secret fields in JSON, each of several keys."""
    keys = [each.strip() for each in value.split(",")]
    if len(keys) > 1 and all(map(FERNET_KEY.fullmatch, keys)):
        yield from keys
    if "://" in value:
        try:
            parts = urlsplit(value)
            password, parameters = parts.password, parse_qsl(parts.query)
        except ValueError:
            password, parameters = None, []
        if password:
            yield password
            yield unquote(password)
            yield from _inner(unquote(password))
        for name, each in parameters:
            if SECRET_FIELD.search(name):
                yield each
            yield from _inner(each)
    try:
        yield from _fields(json.loads(value))
    except (ValueError, RecursionError):
        return


def _fields(value: object, is_secret: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _fields(each, bool(SECRET_FIELD.search(str(name))))
    elif isinstance(value, str):
        if is_secret:
            yield value
        if value.startswith("{") or "://" in value:
            yield from _inner(value)
