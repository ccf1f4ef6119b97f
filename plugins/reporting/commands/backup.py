"""Keeps Airflow's metadata database in a file, or brings it back from one. Production must not run while it is brought back."""

import argparse
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg2
from sqlalchemy import URL

from reporting import redaction
from reporting.commands import database
from reporting.commands.errors import CommandError, end_on_signals, run

PATIENCE_SECONDS = 3600


def main() -> int:
    """Write the file, or read it."""
    parser = argparse.ArgumentParser("script/backup", description=__doc__)
    parser.add_argument("file", type=Path, help="where it is kept; made with mode 0600")
    parser.add_argument("--restore", action="store_true", help="replace the database by what the file holds")
    options = parser.parse_args()
    end_on_signals()
    try:
        url = database.parse(os.environ.get(database.VARIABLE, ""))
    except database.DatabaseUrlError as error:
        raise CommandError(f"{database.VARIABLE} {error}.") from None
    (restore if options.restore else dump)(url, options.file)
    return 0


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
    done = subprocess.run(
        [program, *extra, *arguments],
        env={**environment, **variables(url)},
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
