"""The files of an installation, and the environment of its processes.

    var/local/ or var/demo/              the state folder: metadata database, landing, logs, keys; not in git
    ~/.config/personal-reporting/        the file `environment`: connections and settings of the owner, mode 0600

A variable in the environment takes precedence over the file.
"""

import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography.fernet import Fernet

from reporting.deploy.errors import CommandError
from reporting.google_key import UNREADABLE, GoogleKey, key_of
from reporting.settings import METADATA_URL, ROOT, Commands, read

AIRFLOW_BIN = ROOT / ".venv" / "airflow" / "bin"
EXECUTION_URL = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
LEAST_FREE_MB = 300
# How long a process of Airflow waits while another one writes to SQLite. A longer time does not help: a request that waits in
# the api-server's event loop may block the writer itself, and then everything stops until this time is over.
BUSY_SECONDS = 10
GOOGLE_SCOPES = ("https://www.googleapis.com/auth/bigquery",)


def owner_file(environment: Mapping[str, str] = os.environ) -> Path:
    """The file with the owner's connections and settings."""
    home = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return read(Commands, environment).config or Path(f"{home}/personal-reporting/environment")


def read_owner_file(path: Path) -> dict[str, str]:
    """The variables in `path`, which has one NAME=VALUE per line; none if there is no file.

    Raises `CommandError` for a line of another form, and for a file that other users can read or that cannot be read.
    """
    try:
        # Some editors begin a file with a byte order mark.
        text = path.read_text(encoding="utf-8-sig")
        mode = path.stat().st_mode & 0o077
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CommandError(
            f"{path} cannot be read ({error.strerror}). Correct its permissions, or move it away."
        ) from None
    except UnicodeDecodeError as error:
        # Without the error itself, which holds the whole file.
        line_number = error.object.count(b"\n", 0, error.start) + 1
    else:
        line_number = 0
    if line_number:
        raise CommandError(f"line {line_number} of {path} is not UTF-8. Save the file as UTF-8.")
    if mode:
        raise CommandError(f"{path} holds tokens, but other users can read it. Run: chmod 600 {path}")
    variables = {}
    # Python has converted every line end to \n. `splitlines` would also split at other characters, which a token may hold.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.isidentifier():
            # Without the line itself, which may hold a token.
            raise CommandError(f"line {number} of {path} is not NAME=VALUE. Correct or delete it.")
        if "\0" in value:
            raise CommandError(
                f"the value in line {number} of {path} has a NUL character. Correct or delete it."
            )
        variables[name] = value
    return variables


def is_set(name: str, variables: Mapping[str, str]) -> bool:
    """Whether the environment or `variables` have a value for `name`."""
    return bool(os.environ.get(name) or variables.get(name))


def write_owner_file(path: Path, changes: Mapping[str, str]) -> None:
    """Set variables in the file `path` and keep all others; an empty value removes a variable. The file gets mode 0600."""
    variables = read_owner_file(path) | dict(changes)
    for name, value in variables.items():
        if any(each in value for each in "\n\r\0"):
            raise CommandError(f"the value of {name} has a line break or NUL and cannot be kept in {path}.")
    lines = [f"{name}={value}" for name, value in sorted(variables.items()) if value]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(
        path, "# Written by script/connect. Not for git: it holds tokens.\n" + "\n".join(lines) + "\n"
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all. A link stays one, and leads to what was written."""
    path = path.resolve()
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(path)
    except BaseException:
        # It may hold a token.
        part.unlink(missing_ok=True)
        raise


@contextmanager
def state_folder(path: Path) -> Iterator[Path]:
    """A state folder of this process alone.

    Raises `CommandError` when another uses it, the disk is full, or Airflow would keep its database elsewhere.
    """
    text = str(path)
    # It stands in the address of SQLite, and in variables of Airflow's, which replaces names of others in them.
    if "?" in text or unquote(text) != text or os.path.expandvars(text) != text:
        raise CommandError(
            f"the folder {path} has a name with ?, % or $ in it, by which Airflow would find another. Name another folder."
        )
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (path / "lock").open("w")
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written ({error.strerror}). Free some space, or correct its permissions."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"another command uses the state folder {path}. Stop that command first."
            ) from None
        free = os.statvfs(path)
        free_mb = free.f_bavail * free.f_frsize // 2**20
        if free_mb < LEAST_FREE_MB:
            raise CommandError(
                f"only {free_mb} MB of disk are free at {path}, and {LEAST_FREE_MB} MB are needed. Free some space."
            )
        yield path


def keys(state: Path) -> dict[str, str]:
    """The secret keys of an installation, created at its first start and kept in a file of mode 0600."""
    path = state / "keys.json"
    made = {
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(48),
    }
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        write_private(path, json.dumps(made))
        return made
    except OSError as error:
        raise CommandError(f"{path} cannot be read ({error.strerror}). Correct its permissions.") from None
    except (ValueError, RecursionError):
        kept = None
    if not isinstance(kept, dict) or not all(kept.get(name) and isinstance(kept[name], str) for name in made):
        raise CommandError(
            f"{path} is damaged. Delete it; the next start makes a new one, and everybody has to sign in again."
        )
    return {name: kept[name] for name in made}


def execution_url(port: int | str, secret: str) -> str:
    """The address of the execution API for Airflow's own tasks on this machine. Its path is secret.

    The secret is needed because requests that come through a local proxy may look like those of tasks. The path is derived
    from `secret`, the key of the tasks' tokens, which cannot be computed from it. `reporting.web.guard` reads the same
    variable.
    """
    path = hmac.digest(secret.encode(), b"the path of Airflow's own tasks", "sha256").hex()[:32]
    return f"http://127.0.0.1:{port}/execution-{path}/"


def airflow_environment(
    state: Path, port: int, variables: Mapping[str, str], inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of Airflow's processes: defaults for one machine, `variables`, and the inherited environment.

    Later ones take precedence, so that the owner can set anything.
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
        METADATA_URL: merged["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
        "AIRFLOW_HOME": str(ROOT),
        EXECUTION_URL: execution_url(port, merged["AIRFLOW__API_AUTH__JWT_SECRET"]),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": given.get("AIRFLOW__API__BASE_URL", f"http://127.0.0.1:{port}"),
        "PORT": str(port),
        "PATH": f"{AIRFLOW_BIN}{os.pathsep}{given.get('PATH', os.defpath)}",
    }


def token_connection(token: str, host: str | None = None) -> str:
    """An Airflow connection for a source that uses a token, as the value of AIRFLOW_CONN_<SOURCE>."""
    connection = {"conn_type": "http", "password": token}
    return json.dumps(connection | ({"host": host} if host else {}))


def google_connection(user: Mapping[str, str], scopes: Sequence[str], host: str | None = None) -> str:
    """An Airflow connection for a source with a login to Google, as the value of AIRFLOW_CONN_<SOURCE>; `user` is an authorized
    user."""
    extra = {"credential_config_file": json.dumps(dict(user)), "scope": ",".join(scopes)}
    connection = {"conn_type": "google_cloud_platform", "extra": extra}
    return json.dumps(connection | ({"host": host} if host else {}))


def connection_fields(variable: str, value: str, advice: str) -> dict[str, Any]:
    """The fields of an Airflow connection, the JSON `value` of `variable`. Raises `CommandError` if it is not one."""
    try:
        fields = json.loads(value)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        # Without the value itself, which may be a token.
        raise CommandError(f"{variable} is not a connection in JSON. {advice}")
    return fields


def google_key(variables: Mapping[str, str]) -> GoogleKey | None:
    """The key in AIRFLOW_CONN_BIGQUERY: its content, or the path of its file, or None if there is none.

    Raises `CommandError` when there is a key that cannot be read.
    """
    try:
        return key_of(variables)
    except ValueError as error:
        said = str(error)
    # Raised outside the handler, because the handled error may quote the key.
    raise CommandError(said)


def google_credentials(variables: Mapping[str, str]) -> Any:
    """The credentials of the service account in AIRFLOW_CONN_BIGQUERY; None for the machine's own credentials.

    Raises `CommandError` when there is a key that cannot be read.
    """
    key = google_key(variables)
    if key is None:
        return None
    # Imported here, because it is slow to import and the local BigQuery does not need it.
    from google.oauth2 import service_account

    credentials: Any = service_account.Credentials
    try:
        if isinstance(key, str):
            return credentials.from_service_account_file(key, scopes=GOOGLE_SCOPES)
        return credentials.from_service_account_info(key, scopes=GOOGLE_SCOPES)
    except (ValueError, OSError, AttributeError):
        pass
    # Raised outside the handler, because the handled error may quote the key.
    raise CommandError(UNREADABLE)
