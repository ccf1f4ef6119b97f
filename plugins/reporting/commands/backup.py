"""Makes a backup of the warehouse and of Airflow's metadata database now, in REPORTING_BACKUP_URI, as the DAG does daily.

With FILE it keeps the metadata database alone in that file, or brings it back from it. Production must not run while it is
brought back.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
from rich.console import Console
from sqlalchemy import URL, make_url

from reporting import redaction
from reporting.commands import configuration, database, installation
from reporting.commands.errors import CommandError, end_on_signals, run
from reporting.commands.installation import BIGQUERY_PORT
from reporting.files import put_whole
from reporting.settings import Settings
from reporting.warehouse.backup import NoBackupError, back_up, kept_ids, kept_of, new_id, open_backups
from reporting.warehouse.client import WarehouseError

PATIENCE_SECONDS = 3600
SUFFIXES = {"postgresql": ".dump", "sqlite": ".sqlite"}


def main() -> int:
    """Make the backup, or write the file, or read it."""
    parser = argparse.ArgumentParser("script/backup", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", help="where it is kept; made with mode 0600")
    parser.add_argument("--restore", action="store_true", help="replace the database by what the file holds")
    parser.add_argument(
        "--bigquery-port", type=int, default=BIGQUERY_PORT, help="local BigQuery (%(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    options = parser.parse_args()
    if options.restore and not options.file:
        parser.error("--restore takes a FILE; script/restore brings back the warehouse")
    end_on_signals()
    if options.file is None:
        return _back_up(options.data.resolve(), options.bigquery_port)
    try:
        url = database.parse(os.environ.get(database.VARIABLE, ""))
    except database.DatabaseUrlError as error:
        raise CommandError(f"{database.VARIABLE} {error}.") from None
    (restore if options.restore else dump)(url, options.file)
    return 0


def _back_up(state: Path, bigquery_port: int) -> int:
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    with installation.warehouse_running(
        state, variables, console, bigquery_port=bigquery_port, is_written=False
    ) as warehouse:
        try:
            backup, copied = back_up(warehouse.client, warehouse.settings)
        except (NoBackupError, WarehouseError) as error:
            raise CommandError(str(error)) from None
        console.print(
            f"The backup {backup.backup_id} has {backup.row_count} rows in {len(backup.copies)} tables, of which {copied} "
            "had changed."
        )
        address = metadata_address(state, dict(variables) | dict(os.environ))
        if address is None:
            console.print("There is no metadata database here.")
        else:
            console.print(
                f"The metadata database is in {keep_metadata(warehouse.settings, address)}.", soft_wrap=True
            )
    return 0


def metadata_address(state: Path, variables: Mapping[str, str]) -> str | None:
    """Where the metadata database of this installation is, None where there is none. Raises `CommandError`."""
    if given := variables.get(database.VARIABLE, "").strip():
        try:
            return database.parse(given).set(drivername="postgresql").render_as_string(hide_password=False)
        except database.DatabaseUrlError as error:
            raise CommandError(f"{database.VARIABLE} {error}.") from None
    file = state / "airflow.db"
    return f"sqlite:///{file}" if file.exists() else None


def keep_metadata(settings: Settings, address: str, now: datetime | None = None) -> str:
    """Keep the metadata database at `address` beside the warehouse's backups, as long as these; returns where.

    Raises `CommandError`, and `NoBackupError` where no place is configured.
    """
    at = now or datetime.now(UTC)
    url = make_url(address)
    suffix = SUFFIXES.get(url.get_backend_name())
    if suffix is None:
        raise CommandError(
            f"the metadata database is {url.get_backend_name()}, and a backup takes PostgreSQL or SQLite."
        )
    files, root = open_backups(settings)
    folder = f"{root}/airflow"
    path = f"{folder}/{new_id(at)}{suffix}"
    with tempfile.TemporaryDirectory() as made:
        file = Path(made, "metadata")
        if suffix == ".sqlite":
            _dump_sqlite(Path(str(url.database)), file)
        else:
            dump(url, file)
        # It holds every connection and the digest of every password.
        put_whole(files, file, path, 0o600)
    ids = kept_ids(files, folder, suffix)
    for each in set(ids) - kept_of(ids, at, settings.backup_days):
        files.rm_file(f"{folder}/{each}{suffix}")
    return path


def kept_metadata(settings: Settings) -> list[str]:
    """The kept metadata databases, the oldest first."""
    files, root = open_backups(settings)
    found = [
        f"{root}/airflow/{each}{suffix}"
        for suffix in SUFFIXES.values()
        for each in kept_ids(files, f"{root}/airflow", suffix)
    ]
    return sorted(found, key=lambda path: path.rpartition("/")[2])


def restore_metadata(settings: Settings, path: str, address: str) -> None:
    """Replace the metadata database at `address` by a kept one. Raises `CommandError`."""
    url = make_url(address)
    if SUFFIXES.get(url.get_backend_name()) != f".{path.rpartition('.')[2]}":
        raise CommandError(
            f"{path} is no metadata database of {url.get_backend_name()}, which this installation has."
        )
    files, _ = open_backups(settings)
    with tempfile.TemporaryDirectory() as made:
        file = Path(made, "metadata")
        files.get_file(path, str(file))
        if url.get_backend_name() == "sqlite":
            _dump_sqlite(file, Path(str(url.database)))
        else:
            restore(url, file)


def _dump_sqlite(source: Path, target: Path) -> None:
    """A copy of a database that may be in use, whole or not at all: https://www.sqlite.org/backup.html"""
    part = target.with_name(f"{target.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as one,
            closing(sqlite3.connect(part)) as other,
        ):
            one.backup(other)
            if other.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise CommandError(f"{source} is damaged; nothing was changed.")
    except sqlite3.Error as error:
        raise CommandError(f"{source} cannot be read ({error}); nothing was changed.") from None
    for name in ("-wal", "-shm"):
        target.with_name(f"{target.name}{name}").unlink(missing_ok=True)
    part.replace(target)


def dump(url: URL, file: Path) -> None:
    """Write the database to `file`. Raises `CommandError`.

    https://www.postgresql.org/docs/current/app-pgdump.html
    """
    part = file.with_name(f"{file.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    # Before anything is in it: who may read it has every connection and the digest of every password.
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    _call(url, "pg_dump", "--format=custom", "--no-owner", f"--file={part}")
    part.replace(file)


def restore(url: URL, file: Path) -> None:
    """Replace all that is in the database by what `file` holds. Raises `CommandError`.

    https://www.postgresql.org/docs/current/app-pgrestore.html
    """
    if not file.is_file():
        raise CommandError(f"there is no {file}.")
    # Tables of a newer version are not in the file, and would be in that version's way when it comes again.
    connection = psycopg2.connect(
        host=url.host, port=url.port or 5432, user=url.username, password=url.password, dbname=url.database,
        **database.tls(url),
    )  # fmt: skip
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        connection.close()
    # The schema was just made, and the file would make it again.
    _call(
        url,
        "pg_restore",
        "--no-owner",
        "--exit-on-error",
        "--single-transaction",
        "--schema=public",
        str(file),
    )


def variables(url: URL) -> dict[str, str]:
    """How PostgreSQL's programs are told: a password in the command would be seen by every process.

    https://www.postgresql.org/docs/current/libpq-envars.html
    """
    given = {
        "PGHOST": url.host,
        "PGPORT": str(url.port or 5432),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
    }
    ssl = {f"PG{name.upper()}": value for name, value in database.tls(url).items()}
    return {name: value for name, value in (given | ssl).items() if value}


def _call(url: URL, program: str, *arguments: str, environment: Mapping[str, str] = os.environ) -> None:
    if shutil.which(program) is None:
        raise CommandError(f"{program} was not found. Install PostgreSQL's client of the server's version.")
    extra = ["--dbname", str(url.database)] if program == "pg_restore" else []
    given = variables(url)
    if "PGSSLROOTCERT" in environment and not url.query.get("sslrootcert"):
        # Airflow's own address tells of the authorities by this variable alone.
        given["PGSSLROOTCERT"] = environment["PGSSLROOTCERT"]
    done = subprocess.run(
        [program, *extra, *arguments],
        env={**environment, **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    if done.returncode != 0:
        said = redaction.scrub(done.stderr.strip() or "it said nothing")
        raise CommandError(f"{program} ended with {done.returncode}: {said[-1000:]}")


if __name__ == "__main__":
    run("script/backup", main)
