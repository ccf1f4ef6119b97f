"""Dumps and restores Airflow's metadata database, PostgreSQL or SQLite."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, make_url

from reporting import redaction
from reporting.backup.backup import kept_ids, kept_of, new_id, open_backups
from reporting.deploy import database
from reporting.deploy.errors import CommandError
from reporting.settings import DATABASE_URL, Settings
from reporting.storage.files import put_whole

PATIENCE_SECONDS = 3600
# How long a restore waits while another process writes to the database.
LOCKED_SECONDS = 10.0
SUFFIXES = {"postgresql": ".dump", "sqlite": ".sqlite"}
# How `pg_restore --list` shows a table that the database of every version of Airflow has.
AIRFLOW_TABLE = " TABLE public alembic_version "


def address_of(state: Path, variables: Mapping[str, str]) -> str | None:
    """The address of this installation's metadata database; None if there is none yet. Raises `CommandError`."""
    if given := variables.get(DATABASE_URL, "").strip():
        try:
            return database.parse(given).set(drivername="postgresql").render_as_string(hide_password=False)
        except database.DatabaseUrlError as error:
            raise CommandError(f"{DATABASE_URL} {error}.") from None
    file = state / "airflow.db"
    return f"sqlite:///{file}" if file.exists() else None


def keep(settings: Settings, address: str, now: datetime | None = None) -> str:
    """Dump the metadata database at `address` beside the warehouse's backups, and return the path. Old dumps are removed by
    the same rule as backups.

    Raises `CommandError`, and `NoBackupError` where no place is configured.
    """
    at = now or datetime.now(UTC)
    url = make_url(address)
    suffix = SUFFIXES.get(url.get_backend_name())
    if suffix is None:
        raise CommandError(
            f"the metadata database is {url.get_backend_name()}, but only PostgreSQL and SQLite can be backed up."
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
        # Only this user may read it: it holds all connections and the digests of all passwords.
        put_whole(files, file, path, 0o600)
    ids = kept_ids(files, folder, suffix)
    for each in set(ids) - kept_of(ids, at, settings.backup_days):
        files.rm_file(f"{folder}/{each}{suffix}")
    return path


def kept(settings: Settings) -> list[str]:
    """The dumps of the metadata database, the oldest first."""
    files, root = open_backups(settings)
    found = [
        f"{root}/airflow/{each}{suffix}"
        for suffix in SUFFIXES.values()
        for each in kept_ids(files, f"{root}/airflow", suffix)
    ]
    return sorted(found, key=lambda path: path.rpartition("/")[2])


def restore_kept(settings: Settings, path: str, address: str) -> None:
    """Replace the metadata database at `address` by a dump that `keep` made. Raises `CommandError`."""
    url = make_url(address)
    if SUFFIXES.get(url.get_backend_name()) != f".{path.rpartition('.')[2]}":
        raise CommandError(f"{path} is not a dump of {url.get_backend_name()}, which this installation uses.")
    files, _ = open_backups(settings)
    with tempfile.TemporaryDirectory() as made:
        file = Path(made, "metadata")
        files.get_file(path, str(file))
        if url.get_backend_name() == "sqlite":
            _restore_sqlite(file, Path(str(url.database)))
        else:
            restore(url, file)


def _dump_sqlite(source: Path, target: Path) -> None:
    """Copy a database that may be in use: https://www.sqlite.org/backup.html"""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    with _open_sqlite(source) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def _restore_sqlite(source: Path, target: Path) -> None:
    """Replace the content of a database by that of `source`, in one transaction. Raises `CommandError`.

    The content is copied into the existing file and the file is not replaced, so that it stays consistent with its journals.
    After a kill, the next program that opens the database rolls the copy back. https://www.sqlite.org/backup.html
    """
    with _open_sqlite(source) as one:
        if not target.exists():
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
        try:
            _copy_sqlite(one, target)
        except sqlite3.OperationalError as error:
            raise CommandError(f"{target} cannot be written ({error}); nothing was changed.") from None
        except sqlite3.DatabaseError:
            # The file is not a database (any more). It is moved away and not deleted.
            for name in ("-wal", "-shm", "-journal", ""):
                file = target.with_name(f"{target.name}{name}")
                if file.exists():
                    file.rename(target.with_name(f"{target.stem}.damaged{target.suffix}{name}"))
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
            _copy_sqlite(one, target)


def _copy_sqlite(one: sqlite3.Connection, target: Path) -> None:
    end = time.monotonic() + LOCKED_SECONDS

    def look(status: int, remaining: int, total: int) -> None:
        # Python itself would retry without end. https://docs.python.org/3/library/sqlite3.html#sqlite3.Connection.backup
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > end:
            raise CommandError(f"{target} is in use; nothing was changed. Stop Airflow first.")

    with closing(sqlite3.connect(target, timeout=1)) as other:
        one.backup(other, progress=look)


@contextmanager
def _open_sqlite(source: Path) -> Iterator[sqlite3.Connection]:
    """Open a complete metadata database of Airflow for reading. Raises `CommandError`."""
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as found:
            if found.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise CommandError(f"{source} is damaged; nothing was changed.")
            names = {name for (name,) in found.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "alembic_version" not in names:
                raise CommandError(f"{source} is not a metadata database of Airflow; nothing was changed.")
            yield found
    except sqlite3.Error as error:
        raise CommandError(f"{source} cannot be read ({error}); nothing was changed.") from None


def dump(url: URL, file: Path) -> None:
    """Dump the database to `file`. Raises `CommandError`.

    https://www.postgresql.org/docs/current/app-pgdump.html
    """
    part = file.with_name(f"{file.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    # The mode is set before anything is written: the file will hold all connections and the digests of all passwords.
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    _call(url, "pg_dump", "--format=custom", "--no-owner", f"--file={part}")
    part.replace(file)


def restore(url: URL, file: Path) -> None:
    """Replace the content of the database by a dump, in one transaction. Raises `CommandError`.

    It first checks that the needed programs exist and that the file can be read to its end. So after any failure the database
    is as it was. https://www.postgresql.org/docs/current/app-pgrestore.html
    """
    if not file.is_file():
        raise CommandError(f"there is no file {file}.")
    for program in ("pg_restore", "psql"):
        _find(program)
    with tempfile.TemporaryDirectory() as made:
        script = Path(made, "script.sql")
        try:
            listed = _call(url, "pg_restore", "--list", str(file))
            _call(url, "pg_restore", "--no-owner", "--schema=public", f"--file={script}", str(file))
        except CommandError as error:
            raise CommandError(f"{file} cannot be read to its end, so nothing was changed: {error}") from None
        if AIRFLOW_TABLE not in listed:
            raise CommandError(f"{file} is not a backup of Airflow's metadata database; nothing was changed.")
        # The schema is dropped because tables of a newer Airflow are not in the dump, and would be in the way when that version
        # is installed again. It is created again here, since the dump does not do that.
        _call(
            url,
            "psql",
            *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"),
            "--command=DROP SCHEMA public CASCADE",
            "--command=CREATE SCHEMA public",
            f"--file={script}",
        )


def variables(url: URL) -> dict[str, str]:
    """Environment variables for PostgreSQL's programs. A password on the command line could be seen by every process.

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


def _call(url: URL, program: str, *arguments: str, environment: Mapping[str, str] = os.environ) -> str:
    """Run one of PostgreSQL's programs and return its output. Raises `CommandError`."""
    _find(program)
    given = variables(url)
    if "PGSSLROOTCERT" in environment and not url.query.get("sslrootcert"):
        # The certificate authorities are not in Airflow's address, but only in this variable.
        given["PGSSLROOTCERT"] = environment["PGSSLROOTCERT"]
    done = subprocess.run(
        [program, *arguments],
        env={**environment, **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    if done.returncode != 0:
        output = redaction.scrub(done.stderr.strip() or "it printed no reason")
        raise CommandError(f"{program} failed with exit code {done.returncode}: {output[-1000:]}")
    return done.stdout


def _find(program: str) -> None:
    if shutil.which(program) is None:
        raise CommandError(
            f"{program} was not found, so nothing was changed. Install PostgreSQL's client in the server's version."
        )
