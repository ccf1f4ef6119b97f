"""Checks the whole configuration of production, and makes Airflow's environment from it. No message shows a secret."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from sqlalchemy import URL

from reporting.deploy import configuration, database, extras, sign_in
from reporting.deploy.errors import CommandError
from reporting.google_key import CONNECTION
from reporting.monitoring import alerts
from reporting.settings import (
    ADMIN_PASSWORD,
    DATABASE_URL,
    INTERNAL_ADDRESS,
    METADATA_URL,
    PING_URL,
    ROOT,
    SettingError,
    problems,
)

BASE_URL = "AIRFLOW__API__BASE_URL"
DEFAULT_PORT = 8000
LEAST_PASSWORD = 16
# Short, since a user who is signed in to Microsoft is signed in again without being asked.
ENTRA_SESSION_MINUTES = 60
# A random secret has at least so many different characters.
LEAST_VARIETY = 10
MAKE_FERNET = """python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"""
# The addresses that a front end in the same private network can have. X-Forwarded-* headers from other addresses are ignored.
PRIVATE_NETWORKS = (
    "127.0.0.1,::1,10.0.0.0/8,100.64.0.0/10,169.254.0.0/16,172.16.0.0/12,192.168.0.0/16,fc00::/7,fe80::/10"
)


def make_token(size: int) -> str:
    """The shell command that makes a secret of `size` random bytes."""
    return f"python3 -c 'import secrets; print(secrets.token_urlsafe({size}))'"


@dataclass(frozen=True, slots=True)
class Finding:
    """An error in one variable, with a shell command that makes a valid value if there is one."""

    variable: str
    text: str
    command: str | None = None

    def __str__(self) -> str:
        made = f" Make one: {self.command}" if self.command else ""
        return f"{self.variable} {self.text}.{made}"


class ConfigurationError(CommandError):
    """The configuration cannot be used. The message lists all findings, one per line."""

    def __init__(self, findings: list[Finding]) -> None:
        count = f"{len(findings)} things are" if len(findings) > 1 else "one thing is"
        lines = "\n".join(f"  - {finding}" for finding in findings)
        super().__init__(f"{count} wrong with the configuration:\n{lines}")
        self.findings = findings


def check(given: Mapping[str, str]) -> URL:
    """Check the configuration, and return the metadata database's address. Raises `ConfigurationError` with all findings."""
    findings = [
        *_secret_findings(given),
        *_base_url_findings(given),
        *(Finding(each.variable, each.text) for each in (*problems(given), *extras.missing(given))),
        *_database_findings(given),
        *_warehouse_findings(given),
        *_admin_findings(given),
        *_alert_findings(given),
        *_forbidden_findings(given),
    ]
    if findings:
        if not given.get(ADMIN_PASSWORD) and not sign_in.is_entra(given):
            text = "is not set; the first start needs it, later starts do not"
            findings.append(Finding(ADMIN_PASSWORD, text, make_token(18)))
        raise ConfigurationError(findings)
    return database.parse(given[DATABASE_URL])


def environment(given: Mapping[str, str], url: URL, host: str) -> dict[str, str]:
    """The environment of Airflow's processes: derived defaults, then `given`, then values that cannot be changed.

    `host` is the address to listen on. Variables that only the start needs are left out.
    """
    port = given.get("PORT") or str(DEFAULT_PORT)
    internal = given.get(INTERNAL_ADDRESS)
    state = Path(given.get("REPORTING_STATE") or ROOT / "var" / "production").absolute()
    is_https = given[BASE_URL].startswith("https://")
    defaults = database.environment(url) | {
        "REPORTING_STATE": str(state),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(state / "logs"),
        "FORWARDED_ALLOW_IPS": PRIVATE_NETWORKS,
        # One task at a time: a second one needs 200 MB, and brings nothing on a small instance with one core.
        "AIRFLOW__CORE__PARALLELISM": "1",
    }
    if sign_in.is_entra(given):
        # Roles are only read at sign-in, so a role that was withdrawn remains valid until the session ends.
        defaults["AIRFLOW__FAB__SESSION_MAX_LIFETIME_MINUTES"] = str(ENTRA_SESSION_MINUTES)
    fixed = {
        "AIRFLOW_HOME": str(ROOT),
        "AIRFLOW__API__HOST": host,
        "AIRFLOW__API__PORT": port,
        # Workers on other machines are recognised by the address at which their requests arrive.
        configuration.EXECUTION_URL: f"http://{internal}:{port}/execution/"
        if internal
        else configuration.execution_url(port, given["AIRFLOW__API_AUTH__JWT_SECRET"]),
        "AIRFLOW__FAB__COOKIE_SECURE": str(is_https),
        "PORT": port,
        "PATH": f"{configuration.AIRFLOW_BIN}{os.pathsep}{given.get('PATH', os.defpath)}",
    }
    kept = {
        name: value
        for name, value in given.items()
        if name not in (DATABASE_URL, ADMIN_PASSWORD, "PYTHONPATH") and value.strip()
    }
    fixed[METADATA_URL] = defaults["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    return defaults | kept | fixed


def _secret_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    secrets: tuple[tuple[str, str, Callable[[str], str | None]], ...] = (
        ("AIRFLOW__CORE__FERNET_KEY", MAKE_FERNET, _fernet_problem),
        ("AIRFLOW__API_AUTH__JWT_SECRET", make_token(64), lambda value: _weakness(value, 64)),
        ("AIRFLOW__API__SECRET_KEY", make_token(48), lambda value: _weakness(value, 32)),
    )
    seen: dict[str, str] = {}
    for name, command, problem in secrets:
        value = given.get(name, "").strip()
        if not value:
            yield Finding(name, "is not set", command)
        elif text := problem(value):
            yield Finding(name, text, command)
        elif value in seen:
            yield Finding(name, f"is the same as {seen[value]}", command)
        seen.setdefault(value, name)


def _fernet_problem(value: str) -> str | None:
    """What is wrong with the Fernet keys. There may be several, to change keys: the first encrypts, all decrypt."""
    try:
        for each in value.split(","):
            Fernet(each.strip())
    except ValueError:
        return "is not a Fernet key"
    return None


def _weakness(value: str, least: int) -> str | None:
    if len(value) < least:
        return f"is weak: it has {len(value)} characters, and needs at least {least}"
    if len(set(value)) < LEAST_VARIETY:
        return f"is weak: it has only {len(set(value))} different characters"
    if "$" in value or value.startswith("~"):
        return "has a $ or begins with ~, which Airflow would replace as a variable or a folder"
    return None


def _base_url_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    value = given.get(BASE_URL, "").strip()
    example = "such as https://my-reporting.azurewebsites.net"
    if not value:
        yield Finding(BASE_URL, f"is not set; it takes the address that people use, {example}")
        return
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        yield Finding(BASE_URL, f"is not an address; it takes one {example}")
        return
    if parts.scheme != "https" and not (parts.scheme == "http" and database.is_loopback(host)):
        yield Finding(BASE_URL, f"does not begin with https://; it takes an address {example}")
    elif parts.path.strip("/") or parts.query or parts.username:
        yield Finding(BASE_URL, f"has more than a host and a port; it takes an address {example}")
    port = given.get("PORT", "").strip()
    if port and not (port.isdigit() and 0 < int(port) < 2**16 - 300):
        yield Finding("PORT", f"is '{port}'; it takes a number of at most {2**16 - 301}")


def _database_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    value = given.get(DATABASE_URL, "").strip()
    if not value:
        yield Finding(DATABASE_URL, f"is not set; it takes {database.EXAMPLE}")
        return
    try:
        database.parse(value)
    except database.DatabaseUrlError as error:
        yield Finding(DATABASE_URL, str(error))
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"):
        if given.get(name):
            yield Finding(name, f"is set, but it is made from {DATABASE_URL}. Remove it")


def _warehouse_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    project, connection = "REPORTING_BIGQUERY_PROJECT", CONNECTION
    if given.get("BIGQUERY_EMULATOR_HOST"):
        return
    if not given.get(project):
        yield Finding(project, "is not set; it takes the Google project of the warehouse")
    if not given.get(connection) and not given.get("GOOGLE_APPLICATION_CREDENTIALS"):
        yield Finding(
            connection, "is not set; it takes the key of the service account, see docs/guides/azure.md"
        )
        return
    try:
        configuration.google_credentials(given)
    except CommandError:
        yield Finding(connection, "has a key that cannot be read; see docs/guides/azure.md")


def _admin_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    password = given.get(ADMIN_PASSWORD, "")
    if password and (problem := _weakness(password, LEAST_PASSWORD)):
        yield Finding(ADMIN_PASSWORD, problem, make_token(18))


def _alert_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    try:
        missing = alerts.read_channels(given).missing
    except SettingError:
        # These errors are reported elsewhere.
        return
    for name in missing:
        if name == PING_URL:
            yield Finding(
                name, "is not set; it takes the address of a service that notices when pings stop, or none"
            )
        else:
            yield Finding(
                name, "is not set, and no other channel is set; set one of them, or set each to none"
            )


def _forbidden_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    if given.get("AIRFLOW__FAB__AUTH_ROLE_PUBLIC"):
        yield Finding(
            "AIRFLOW__FAB__AUTH_ROLE_PUBLIC",
            "is set, but nobody may use Airflow without signing in. Remove it",
        )
    if given.get("AIRFLOW__CORE__AUTH_MANAGER"):
        yield Finding(
            "AIRFLOW__CORE__AUTH_MANAGER", "is set, but the project's airflow.cfg decides it. Remove it"
        )
    if given.get("FORWARDED_ALLOW_IPS", "").strip() == "*":
        yield Finding(
            "FORWARDED_ALLOW_IPS",
            "is *, so any client could pretend to have another address. Remove it, or name the front end's networks",
        )
