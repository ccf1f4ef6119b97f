"""The configuration of production: checked as a whole, then completed for Airflow. Nothing here shows a secret."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from sqlalchemy import URL

from reporting import alerts, sign_in
from reporting.commands import configuration, database
from reporting.commands.errors import CommandError
from reporting.google_key import CONNECTION
from reporting.settings import ROOT, SettingError, read_settings
from reporting.web import guard

ADMIN_PASSWORD = "REPORTING_ADMIN_PASSWORD"  # noqa: S105  # the variable's name
BASE_URL = "AIRFLOW__API__BASE_URL"
DEFAULT_PORT = 8000
LEAST_PASSWORD = 16
# A secret with fewer different characters than this was not made by a machine.
LEAST_VARIETY = 10
MAKE_FERNET = """python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"""
# The addresses that a front end on the same private network can have; of these alone X-Forwarded-* is believed.
PRIVATE_NETWORKS = (
    "127.0.0.1,::1,10.0.0.0/8,100.64.0.0/10,169.254.0.0/16,172.16.0.0/12,192.168.0.0/16,fc00::/7,fe80::/10"
)


def make_token(size: int) -> str:
    """The command that makes a secret of `size` random bytes."""
    return f"python3 -c 'import secrets; print(secrets.token_urlsafe({size}))'"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one variable, and the command that makes a good value where there is one."""

    variable: str
    text: str
    command: str | None = None

    def __str__(self) -> str:
        made = f" Make one: {self.command}" if self.command else ""
        return f"{self.variable} {self.text}.{made}"


class ConfigurationError(CommandError):
    """The configuration cannot be used; lists every finding, one a line."""

    def __init__(self, findings: list[Finding]) -> None:
        count = f"{len(findings)} things are" if len(findings) > 1 else "one thing is"
        lines = "\n".join(f"  - {finding}" for finding in findings)
        super().__init__(f"{count} wrong with the configuration:\n{lines}")
        self.findings = findings


def check(given: Mapping[str, str]) -> URL:
    """The metadata database's address, when everything is well. Raises `ConfigurationError` with all that is not."""
    findings = [
        *_secret_findings(given),
        *_base_url_findings(given),
        *_internal_address_findings(given),
        *_database_findings(given),
        *_warehouse_findings(given),
        *_sign_in_findings(given),
        *_alert_findings(given),
        *_forbidden_findings(given),
    ]
    if findings:
        if not given.get(ADMIN_PASSWORD) and not sign_in.is_entra(given):
            text = "is not set; the first start needs it, and later ones do not"
            findings.append(Finding(ADMIN_PASSWORD, text, make_token(18)))
        raise ConfigurationError(findings)
    return database.parse(given[database.VARIABLE])


def environment(given: Mapping[str, str], url: URL, host: str) -> dict[str, str]:
    """The environment of Airflow's processes: what is derived, what is given, and what nobody may change.

    `host` is the address to listen on. What only the start needs is left out.
    """
    port = given.get("PORT") or str(DEFAULT_PORT)
    internal = given.get(guard.INTERNAL_ADDRESS) or guard.LOOPBACK
    state = Path(given.get("REPORTING_STATE") or ROOT / "var" / "production").absolute()
    is_https = given[BASE_URL].startswith("https://")
    defaults = database.environment(url) | {
        "REPORTING_STATE": str(state),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(state / "logs"),
        "FORWARDED_ALLOW_IPS": PRIVATE_NETWORKS,
        # One task at a time: a second costs 200 MB, and on the one core of a small instance wins nothing.
        "AIRFLOW__CORE__PARALLELISM": "1",
    }
    fixed = {
        "AIRFLOW_HOME": str(ROOT),
        "AIRFLOW__API__HOST": host,
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{internal}:{port}/execution/",
        "AIRFLOW__FAB__COOKIE_SECURE": str(is_https),
        "PORT": port,
        "PATH": f"{configuration.AIRFLOW_BIN}{os.pathsep}{given.get('PATH', os.defpath)}",
    }
    kept = {
        name: value
        for name, value in given.items()
        if name not in (database.VARIABLE, ADMIN_PASSWORD, "PYTHONPATH") and value.strip()
    }
    fixed[configuration.METADATA] = defaults["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
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
    """A list is for a change of keys: the first encrypts, the others still decrypt."""
    try:
        for each in value.split(","):
            Fernet(each.strip())
    except ValueError:
        return "is no Fernet key"
    return None


def _weakness(value: str, least: int) -> str | None:
    if len(value) < least:
        return f"is weak: {len(value)} characters, and it takes {least}"
    if len(set(value)) < LEAST_VARIETY:
        return f"is weak: only {len(set(value))} different characters"
    if "$" in value or value.startswith("~"):
        return "has a $ or begins with ~, which Airflow takes for a variable or a folder"
    return None


def _base_url_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    value = given.get(BASE_URL, "").strip()
    example = "such as https://my-reporting.azurewebsites.net"
    if not value:
        yield Finding(BASE_URL, f"is not set; it takes the address that people type, {example}")
        return
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        yield Finding(BASE_URL, f"is no address; it takes one {example}")
        return
    if parts.scheme != "https" and not (parts.scheme == "http" and database.is_loopback(host)):
        yield Finding(BASE_URL, f"does not begin with https://; it takes an address {example}")
    elif parts.path.strip("/") or parts.query or parts.username:
        yield Finding(BASE_URL, f"has more than a host and a port; it takes an address {example}")
    port = given.get("PORT", "").strip()
    if port and not (port.isdigit() and 0 < int(port) < 2**16 - 300):
        yield Finding("PORT", f"is '{port}'; it takes a number of at most {2**16 - 301}")


def _internal_address_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    value = given.get(guard.INTERNAL_ADDRESS, "").strip()
    try:
        is_private = not value or ip_address(value).is_private
    except ValueError:
        is_private = False
    if not is_private:
        yield Finding(guard.INTERNAL_ADDRESS, f"is '{value}'; it takes an address of a private network")


def _database_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    value = given.get(database.VARIABLE, "").strip()
    if not value:
        yield Finding(database.VARIABLE, f"is not set; it takes {database.EXAMPLE}")
        return
    try:
        database.parse(value)
    except database.DatabaseUrlError as error:
        yield Finding(database.VARIABLE, str(error))
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"):
        if given.get(name):
            yield Finding(name, f"is set, and it is made from {database.VARIABLE}. Take it out")


def _warehouse_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    try:
        read_settings(given)
    except SettingError as error:
        variable, _, text = str(error).partition(" ")
        # The key has a finding of its own.
        if variable != CONNECTION:
            yield Finding(variable, text.rstrip("."))
    project, connection = "REPORTING_BIGQUERY_PROJECT", CONNECTION
    if given.get("BIGQUERY_EMULATOR_HOST"):
        return
    if not given.get(project):
        yield Finding(project, "is not set; it takes the Google project of the warehouse")
    if not given.get(connection) and not given.get("GOOGLE_APPLICATION_CREDENTIALS"):
        yield Finding(
            connection, "is not set; it takes the key of the service account, see docs/deployment.md"
        )
        return
    try:
        configuration.google_credentials(given)
    except CommandError:
        yield Finding(connection, "holds no key that can be read; see docs/deployment.md")


def _sign_in_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    for variable, text in sign_in.problems(given):
        yield Finding(variable, text)
    password = given.get(ADMIN_PASSWORD, "")
    if password and (problem := _weakness(password, LEAST_PASSWORD)):
        yield Finding(ADMIN_PASSWORD, problem, make_token(18))


def _alert_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    try:
        missing = alerts.read_channels(given).missing
    except alerts.AlertSettingError as error:
        variable, _, text = str(error).partition(" ")
        yield Finding(variable, text.rstrip("."))
        return
    for name in missing:
        if name == alerts.PING:
            yield Finding(name, "is not set; it takes an address that notices when pings stop, or none")
        else:
            yield Finding(name, "is not set, and no other channel is; failures need one, or none for each")


def _forbidden_findings(given: Mapping[str, str]) -> Iterator[Finding]:
    if given.get("AIRFLOW__FAB__AUTH_ROLE_PUBLIC"):
        yield Finding(
            "AIRFLOW__FAB__AUTH_ROLE_PUBLIC", "is set, and nobody may enter without signing in. Take it out"
        )
    if given.get("AIRFLOW__CORE__AUTH_MANAGER"):
        yield Finding("AIRFLOW__CORE__AUTH_MANAGER", "is set, and airflow.cfg decides it. Take it out")
    if given.get("FORWARDED_ALLOW_IPS", "").strip() == "*":
        yield Finding(
            "FORWARDED_ALLOW_IPS",
            "is *, and then anyone may pretend to be another address. Take it out, or name the front end's networks",
        )
