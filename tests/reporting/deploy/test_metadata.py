"""The metadata database in a file and back, with a real PostgreSQL and a real SQLite."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL

from reporting.deploy import database, metadata
from reporting.deploy.errors import CommandError
from reporting.settings import DATABASE_URL, ROOT
from tests.support import postgres


@pytest.fixture
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.running() as cluster:
        yield cluster


def test_what_was_is_what_comes_back(cluster: postgres.Cluster, tmp_path: Path) -> None:
    url = database.parse(cluster.url())
    file = tmp_path / "backups" / "airflow.dump"
    with cluster.connect() as cursor:
        cursor.execute(
            "CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE kept (id SERIAL PRIMARY KEY, said TEXT); INSERT INTO kept (said) VALUES ('é')"
        )
    metadata.dump(url, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["airflow.dump"]
    with cluster.connect() as cursor:
        cursor.execute(
            "DELETE FROM kept; ALTER TABLE kept ADD later INT; CREATE TABLE of_a_newer_version (id INT)"
        )
    metadata.restore(url, file)
    with cluster.connect() as cursor:
        cursor.execute("SELECT * FROM kept")
        assert cursor.fetchall() == [(1, "é")]
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        assert cursor.fetchall() == [("alembic_version",), ("kept",)]


def test_a_password_is_in_no_command_and_in_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    password = "database-password"
    commands: list[list[str]] = []

    def refuse(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", f"refused {password}")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr("shutil.which", lambda name: name)
    address = f"postgresql://owner:{password}@127.0.0.1:5432/airflow"
    monkeypatch.setenv(DATABASE_URL, address)
    with pytest.raises(CommandError, match=r"pg_dump failed with exit code 1: refused [*]{3}"):
        metadata.dump(database.parse(address), tmp_path / "airflow.dump")
    assert password not in " ".join(map(str, commands[0]))
    assert not (tmp_path / "airflow.dump").exists()


def test_a_file_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    url = database.parse("postgresql://owner:secret@127.0.0.1:1/airflow")
    with pytest.raises(CommandError, match="there is no"):
        metadata.restore(url, tmp_path / "nowhere.dump")


@pytest.fixture
def kept(cluster: postgres.Cluster, tmp_path: Path) -> tuple[URL, Path]:
    """A database and its dump, after which it got a row more."""
    url, file = database.parse(cluster.url()), tmp_path / "airflow.dump"
    with cluster.connect() as cursor:
        cursor.execute("CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE kept (said TEXT)")
        cursor.execute("INSERT INTO kept SELECT repeat(md5(n::text), 40) FROM generate_series(1, 5000) AS n")
    metadata.dump(url, file)
    with cluster.connect() as cursor:
        cursor.execute("INSERT INTO kept VALUES ('later')")
    return url, file


def rows(cluster: postgres.Cluster) -> int:
    with cluster.connect() as cursor:
        cursor.execute("SELECT count(*) FROM kept")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("missing", ["pg_restore", "psql"])
def test_without_its_programs_nothing_is_changed(
    cluster: postgres.Cluster, kept: tuple[URL, Path], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr("shutil.which", lambda name: None if name == missing else which(name))
    with pytest.raises(CommandError, match=f"{missing} was not found, so nothing was changed"):
        metadata.restore(*kept)
    assert rows(cluster) == 5001


@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_file_that_cannot_be_read_to_its_end_changes_nothing(
    cluster: postgres.Cluster, kept: tuple[URL, Path], damage: str
) -> None:
    url, file = kept
    content = {"cut": file.read_bytes()[: file.stat().st_size // 2], "empty": b"", "text": b"no dump at all"}
    file.write_bytes(content[damage])
    with pytest.raises(CommandError, match="cannot be read to its end, so nothing was changed"):
        metadata.restore(url, file)
    assert rows(cluster) == 5001


def test_the_dump_of_another_database_changes_nothing(
    cluster: postgres.Cluster, kept: tuple[URL, Path], tmp_path: Path
) -> None:
    with cluster.connect() as cursor:
        cursor.execute("ALTER TABLE alembic_version RENAME TO of_something_else")
    metadata.dump(kept[0], tmp_path / "other.dump")
    with pytest.raises(
        CommandError, match="is not a backup of Airflow's metadata database; nothing was changed"
    ):
        metadata.restore(kept[0], tmp_path / "other.dump")
    assert rows(cluster) == 5001


def test_a_restore_that_fails_in_the_middle_changes_nothing(
    cluster: postgres.Cluster, kept: tuple[URL, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    called = metadata._call

    def broken(url: URL, program: str, *arguments: str) -> str:
        for argument in arguments:
            if program == "psql" and argument.startswith("--file="):
                script = Path(argument.removeprefix("--file="))
                script.write_text(script.read_text() + "SELECT 1 / 0;")
        return called(url, program, *arguments)

    monkeypatch.setattr(metadata, "_call", broken)
    with pytest.raises(CommandError, match=r"(?s)psql failed with exit code 3: .*division by zero"):
        metadata.restore(*kept)
    assert rows(cluster) == 5001
    monkeypatch.undo()
    metadata.restore(*kept)
    assert rows(cluster) == 5000


def make_sqlite(file: Path, said: str, rows: int = 3, journal: str = "wal") -> None:
    """A database of SQLite's as Airflow's is, as far as a restore looks at it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("CREATE TABLE kept (said TEXT, filling TEXT)")
        connection.executemany("INSERT INTO kept VALUES (?, ?)", [(said, "x" * 1000)] * rows)
        connection.commit()


def said_by(file: Path) -> dict[str, int]:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return dict(connection.execute("SELECT said, COUNT(*) FROM kept GROUP BY said"))


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_sqlite_comes_back_over_what_a_killed_program_left(tmp_path: Path, journal: str) -> None:
    """Its last rows are in a journal beside the file, which must neither be lost before nor come back after."""
    kept, live = tmp_path / "kept.sqlite", tmp_path / "airflow.db"
    make_sqlite(kept, "before")
    make_sqlite(live, "after", rows=500, journal=journal)
    # A program that ended in the middle: its journal is there, and with it what it had not finished.
    program = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute(\"UPDATE kept SET said = 'unfinished'\")\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, live], check=True)
    assert live.with_name(f"airflow.db-{'wal' if journal == 'wal' else 'journal'}").stat().st_size > 0
    metadata._restore_sqlite(kept, live)
    assert said_by(live) == {"before": 3}


@pytest.mark.parametrize("source", ["empty", "nothing in it", "another program's", "cut", "text", "missing"])
def test_what_is_no_metadata_database_changes_nothing_in_sqlite(tmp_path: Path, source: str) -> None:
    kept, live = tmp_path / "kept.sqlite", tmp_path / "airflow.db"
    make_sqlite(live, "after")
    if source == "cut":
        make_sqlite(kept, "before", rows=100, journal="delete")
        kept.write_bytes(kept.read_bytes()[:8192])
    elif source in ("nothing in it", "another program's"):
        with closing(sqlite3.connect(kept)) as connection:
            connection.execute("CREATE TABLE other (id INT)")
            if source == "nothing in it":
                connection.execute("DROP TABLE other")
            connection.commit()
    elif source != "missing":
        kept.write_text("" if source == "empty" else "no database at all, and long enough for a header" * 30)
    with pytest.raises(CommandError, match="nothing was changed"):
        metadata._restore_sqlite(kept, live)
    assert said_by(live) == {"after": 3}


def test_sqlite_that_is_damaged_is_replaced_and_kept_beside(tmp_path: Path) -> None:
    kept, live = tmp_path / "kept.sqlite", tmp_path / "airflow.db"
    make_sqlite(kept, "before")
    live.write_text("what a failing disk left" * 500)
    live.with_name("airflow.db-journal").write_text("and its journal")
    metadata._restore_sqlite(kept, live)
    assert said_by(live) == {"before": 3}
    assert live.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "airflow.damaged.db").read_text().startswith("what a failing disk left")


def test_sqlite_that_is_in_use_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "LOCKED_SECONDS", 0.1)
    kept, live = tmp_path / "kept.sqlite", tmp_path / "airflow.db"
    make_sqlite(kept, "before")
    make_sqlite(live, "after")
    with closing(sqlite3.connect(live)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(CommandError, match="is in use; nothing was changed"):
            metadata._restore_sqlite(kept, live)
    assert said_by(live) == {"after": 3}


def test_a_restore_of_sqlite_that_is_killed_is_whole_or_not_at_all(tmp_path: Path) -> None:
    kept, live = tmp_path / "kept.sqlite", tmp_path / "airflow.db"
    make_sqlite(kept, "before", rows=6_000)
    make_sqlite(live, "after", rows=6_000)
    program = (
        "import sys; from pathlib import Path; from reporting.deploy import metadata\n"
        "print('ready', flush=True)\n"
        "metadata._restore_sqlite(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "plugins")}
    pause = threading.Event()
    for hundredths in range(0, 20, 3):
        with subprocess.Popen(
            [sys.executable, "-c", program, kept, live], stdout=subprocess.PIPE, env=environment
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            pause.wait(hundredths / 100)
            process.kill()
        assert said_by(live) in ({"before": 6_000}, {"after": 6_000})
    metadata._restore_sqlite(kept, live)
    assert said_by(live) == {"before": 6_000}
