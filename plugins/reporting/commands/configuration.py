"""Where an installation keeps things, and the environment that its processes get.

    var/local/ or var/demo/              metadata database, landing, logs, keys: the state, not in git
    ~/.config/personal-reporting/        environment: connections and settings of the owner, mode 0600

A variable in the environment wins over the file.
"""

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reporting.commands.errors import CommandError
from reporting.entities import GOOGLE_SHEETS
from reporting.google_key import UNREADABLE, GoogleKey, key_of
from reporting.settings import PREFIX, ROOT, SWITCHED_OFF

AIRFLOW_BIN = ROOT / ".venv" / "airflow" / "bin"
# The metadata database's address for the one task that cleans it: Airflow takes its own variable from every task.
METADATA = "REPORTING_METADATA_URL"
LEAST_FREE_MB = 300
# How long one process of Airflow's waits while another writes to SQLite. Longer waits end nothing sooner: a request that waits in
# the api-server's event loop can be what the writer waits for, and then all of it stands until this is over.
BUSY_SECONDS = 10
GOOGLE_SCOPES = ("https://www.googleapis.com/auth/bigquery",)


def owner_file(environment: Mapping[str, str] = os.environ) -> Path:
    """The file with the owner's connections and settings."""
    home = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(environment.get("REPORTING_CONFIG") or f"{home}/personal-reporting/environment")


def read_owner_file(path: Path) -> dict[str, str]:
    """The variables in `path`, a NAME=VALUE a line; none when there is no file.

    Raises `CommandError` for a line that is neither, and for a file that others may read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode & 0o077
    except FileNotFoundError:
        return {}
    if mode:
        raise CommandError(f"{path} holds tokens and others can read it. Run: chmod 600 {path}")
    variables = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.isidentifier():
            # Not the line itself, which may hold a token.
            raise CommandError(f"line {number} of {path} is not NAME=VALUE. Mend or delete it.")
        variables[name] = value
    return variables


def is_set(name: str, variables: Mapping[str, str]) -> bool:
    """Whether the environment or `variables` hold it."""
    return bool(os.environ.get(name) or variables.get(name))


def write_owner_file(path: Path, changes: Mapping[str, str]) -> None:
    """Set variables in `path` and keep the others; an empty value takes one out. The file is 0600."""
    variables = read_owner_file(path) | dict(changes)
    for name, value in variables.items():
        if "\n" in value:
            raise CommandError(f"the value of {name} has a line break and cannot be kept in {path}.")
    lines = [f"{name}={value}" for name, value in sorted(variables.items()) if value]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(
        path, "# Written by script/connect. Not for git: it holds tokens.\n" + "\n".join(lines) + "\n"
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


@contextmanager
def state_folder(path: Path) -> Iterator[Path]:
    """A state folder of this process alone. Raises `CommandError` when another uses it or the disk is full."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (path / "lock").open("w")
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written ({error.strerror}). Make room or mend its permissions."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"another one is running on {path}. End it first.") from None
        free = os.statvfs(path)
        free_mb = free.f_bavail * free.f_frsize // 2**20
        if free_mb < LEAST_FREE_MB:
            raise CommandError(
                f"only {free_mb} MB of disk are free at {path}, and {LEAST_FREE_MB} MB are needed. Free some space."
            )
        yield path


def keys(state: Path) -> dict[str, str]:
    """The keys of one installation, made at its first start and kept in a file of mode 0600."""
    path = state / "keys.json"
    try:
        kept: dict[str, str] = json.loads(path.read_text())
    except FileNotFoundError:
        kept = {
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(48),
        }
        write_private(path, json.dumps(kept))
    except ValueError:
        raise CommandError(
            f"{path} is damaged. Delete it, and a new one is made; sign in again afterwards."
        ) from None
    return kept


def airflow_environment(
    state: Path, port: int, variables: Mapping[str, str], inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of Airflow's processes: defaults for one machine, `variables`, and what is inherited.

    Later ones win, so that the owner can set anything.
    """
    defaults = {
        **keys(state),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{state}/airflow.db?timeout={BUSY_SECONDS}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(state / "logs"),
        "REPORTING_STATE": str(state),
    }
    given = {name: value for name, value in inherited.items() if name != "PYTHONPATH"}
    merged = defaults | dict(variables) | given
    return merged | {
        METADATA: merged["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
        "AIRFLOW_HOME": str(ROOT),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": given.get("AIRFLOW__API__BASE_URL", f"http://127.0.0.1:{port}"),
        "PORT": str(port),
        "PATH": f"{AIRFLOW_BIN}{os.pathsep}{given.get('PATH', os.defpath)}",
    }


def token_connection(token: str, host: str | None = None) -> str:
    """An Airflow connection to a source that takes a token, as the value of AIRFLOW_CONN_<SOURCE>."""
    connection = {"conn_type": "http", "password": token}
    return json.dumps(connection | ({"host": host} if host else {}))


def google_scopes(variables: Mapping[str, str]) -> list[str]:
    """What a login is asked for: to read contacts, and sheets only where one is configured."""
    # Heavy: Google's client.
    from reporting.sources.google_contacts.api import PEOPLE
    from reporting.sources.google_sheets import SHEETS

    names = (f"{PREFIX}NAME_{entity.table.upper()}" for entity in GOOGLE_SHEETS)
    has_sheets = any(variables.get(name) not in (None, "", SWITCHED_OFF) for name in names)
    return [PEOPLE.scope, *([SHEETS.scope] if has_sheets else ())]


def google_connection(user: Mapping[str, str], scopes: Sequence[str], host: str | None = None) -> str:
    """The Airflow connection `google` as the value of AIRFLOW_CONN_GOOGLE; `user` is an authorized user."""
    extra = {"credential_config_file": json.dumps(dict(user)), "scope": ",".join(scopes)}
    connection = {"conn_type": "google_cloud_platform", "extra": extra}
    return json.dumps(connection | ({"host": host} if host else {}))


def local_bigquery_connection(project: str) -> str:
    """The Airflow connection `bigquery` for a local one, which checks no signature.

    The Alembic operator's hook insists on a service account's key, so one is made that opens nothing.
    """
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": base64.b16encode(os.urandom(4)).decode(),
        "private_key": private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "client_email": f"local@{project}.invalid",
        "token_uri": "http://127.0.0.1/token",
    }
    extra = {"project": project, "keyfile_dict": json.dumps(key)}
    return json.dumps({"conn_type": "gcpbigquery", "extra": extra})


def connection_fields(name: str, value: str) -> dict[str, Any]:
    """The fields of an Airflow connection in JSON. Raises `CommandError` when it is none."""
    try:
        fields = json.loads(value)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        # Not the value itself, which may be a token.
        raise CommandError(f"AIRFLOW_CONN_{name} is not a connection in JSON. {how_to_connect(name)}")
    return fields


def how_to_connect(name: str) -> str:
    """Where one gets the connection of that name."""
    if name.upper() == "SQL":
        return "What it takes is in docs/operations.md."
    return f"Run {'script/google-login' if name.upper() == 'GOOGLE' else f'script/connect {name.lower()}'}."


def google_key(variables: Mapping[str, str]) -> GoogleKey | None:
    """The key in AIRFLOW_CONN_BIGQUERY: its content, the path of its file, or None without one.

    Raises `CommandError` when there is a key that cannot be read.
    """
    try:
        return key_of(variables)
    except ValueError as error:
        said = str(error)
    # Outside the handler: what led to it may quote the key.
    raise CommandError(said)


def google_credentials(variables: Mapping[str, str]) -> Any:
    """The service account of AIRFLOW_CONN_BIGQUERY, or None for the machine's own credentials.

    Raises `CommandError` when there is a key that cannot be read.
    """
    key = google_key(variables)
    if key is None:
        return None
    # Heavy, and not for a local BigQuery.
    from google.oauth2 import service_account

    credentials: Any = service_account.Credentials
    try:
        if isinstance(key, str):
            return credentials.from_service_account_file(key, scopes=GOOGLE_SCOPES)
        return credentials.from_service_account_info(key, scopes=GOOGLE_SCOPES)
    except (ValueError, OSError, AttributeError):
        pass
    # Outside the handler: the error may quote the key.
    raise CommandError(UNREADABLE)
