"""The metadata database in a file and back, with a real PostgreSQL."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reporting.commands import backup, database
from reporting.commands.errors import CommandError
from tests import postgres


@pytest.fixture
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.running() as cluster:
        yield cluster


def test_what_was_is_what_comes_back(cluster: postgres.Cluster, tmp_path: Path) -> None:
    url = database.parse(cluster.url())
    file = tmp_path / "backups" / "airflow.dump"
    with cluster.connect() as cursor:
        cursor.execute(
            "CREATE TABLE kept (id SERIAL PRIMARY KEY, said TEXT); INSERT INTO kept (said) VALUES ('é')"
        )
    backup.dump(url, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["airflow.dump"]
    with cluster.connect() as cursor:
        cursor.execute(
            "DELETE FROM kept; ALTER TABLE kept ADD later INT; CREATE TABLE of_a_newer_version (id INT)"
        )
    backup.restore(url, file)
    with cluster.connect() as cursor:
        cursor.execute("SELECT * FROM kept")
        assert cursor.fetchall() == [(1, "é")]
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchall() == [("kept",)]


def test_a_password_is_in_no_command_and_in_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    password = "database-password"
    commands: list[list[str]] = []

    def refuse(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", f"refused {password}")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr("shutil.which", lambda name: name)
    address = f"postgresql://owner:{password}@127.0.0.1:5432/airflow"
    monkeypatch.setenv(database.VARIABLE, address)
    with pytest.raises(CommandError, match=r"pg_dump ended with 1: refused [*]{3}"):
        backup.dump(database.parse(address), tmp_path / "airflow.dump")
    assert password not in " ".join(map(str, commands[0]))
    assert not (tmp_path / "airflow.dump").exists()


def test_a_file_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    url = database.parse("postgresql://owner:secret@127.0.0.1:1/airflow")
    with pytest.raises(CommandError, match="there is no"):
        backup.restore(url, tmp_path / "nowhere.dump")
