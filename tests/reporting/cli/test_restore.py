"""The commands that make backups and bring them back, as somebody types them."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reporting.backup.backup import new_id
from reporting.cli import restore
from reporting.cli.command import call
from reporting.deploy import checks, metadata
from reporting.deploy.errors import CommandError
from reporting.orchestration import backup as orchestrated
from tests.support import postgres
from tests.support.habit_syncs import DAILY, Syncs

NOW = datetime.now(UTC)
Run = Callable[..., str]


@pytest.fixture
def say(
    habits: Syncs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command over a state folder with a metadata database; what it prints."""
    state = tmp_path / "state"
    state.mkdir()
    with closing(sqlite3.connect(state / "airflow.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("CREATE TABLE kept (said TEXT)")
        connection.execute("INSERT INTO kept VALUES ('before')")
        connection.commit()
    variables = {
        **habits.settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": habits.settings.dataset_prefix,
        "REPORTING_BACKUP_URI": str(tmp_path / "backups"),
        "REPORTING_CONFIG": "/nowhere",
        "COLUMNS": "200",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def said(command: str, *arguments: str) -> str:
        assert call(command, [*arguments, "--data", str(state)]) == 0
        return capsys.readouterr().out

    return said


def kept(state: Path) -> list[str]:
    with closing(sqlite3.connect(state / "airflow.db")) as connection:
        return [text for (text,) in connection.execute("SELECT said FROM kept")]


def test_a_backup_is_shown_asked_about_and_brought_back(habits: Syncs, say: Run, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no backup"):
        say("restore", "--yes")
    habits.run("full")
    state = tmp_path / "state"
    assert "of which" in say("backup")
    # The DAG does the same, and nothing has changed meanwhile.
    assert orchestrated.keep_warehouse()["copied"] == 0
    files = sorted((tmp_path / "backups").rglob("*.sqlite"))
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600]
    assert NOW.strftime("%Y") in say("restore", "--list")
    listed, *_ = json.loads(say("restore", "--list", "--json"))
    assert (listed["taken_at"][:4], listed["rows"] > 0) == (NOW.strftime("%Y"), True)
    before = {row["id"] for row in habits.rows()}
    assert len(list((tmp_path / "backups").rglob("*.parquet"))) == 4

    habits.query(f"DELETE FROM raw.{DAILY.table} WHERE id < 'p00004'")
    with pytest.raises(CommandError, match="there is no terminal"):
        say("restore", DAILY.table)
    with pytest.raises(CommandError, match="--at is 'yesterday'; it takes an ISO date"):
        say("restore", "--at", "yesterday")
    with pytest.raises(CommandError, match="there is no backup up to"):
        say("restore", "--at", "2020-01-01")
    tomorrow = f"{NOW + timedelta(days=1):%Y-%m-%d}"
    said = say("restore", DAILY.table, "--at", tomorrow, "--yes")
    assert "1 table with 12 rows was restored" in said
    assert "script/sync" in said
    assert {row["id"] for row in habits.rows()} == before

    # Beside it everything is made, and nothing here is touched.
    habits.query(f"DELETE FROM raw.{DAILY.table} WHERE TRUE")
    said = say("restore", "--into", "beside_", "--yes")
    assert "datasets whose names begin with beside_" in said
    assert "script/sync" not in said
    beside = habits.client.query_and_wait(f"SELECT id FROM beside_raw.{DAILY.table}")
    assert {row["id"] for row in beside} == before
    assert habits.rows() == []

    with closing(sqlite3.connect(state / "airflow.db")) as connection:
        connection.execute("UPDATE kept SET said = 'after'")
        connection.commit()
    assert str(files[0]) in say("restore", "--metadata", "--list")
    assert str(files[0]) in json.loads(say("restore", "--metadata", "--list", "--json"))
    say("restore", "--metadata", "--yes")
    assert kept(state) == ["before"]
    files[0].write_bytes(files[0].read_bytes()[:3000])
    with pytest.raises(CommandError, match="nothing was changed"):
        say("restore", "--metadata", "--yes")
    assert kept(state) == ["before"]


def test_metadata_is_kept_as_long_as_the_warehouse(habits: Syncs, say: Run, tmp_path: Path) -> None:
    settings = restore.installation.settings_of(tmp_path / "state", {})
    address = f"sqlite:///{tmp_path / 'state' / 'airflow.db'}"
    for days in (70, 69, 20, 0):
        metadata.keep(settings, address, NOW - timedelta(days=days))
    ages = [(NOW - backup_time(path)).days for path in metadata.kept(settings)]
    assert {20, 0} <= set(ages)
    assert len(ages) < 4 or (NOW - timedelta(days=69)).day == 1
    with pytest.raises(CommandError, match="is not a dump of postgresql"):
        metadata.restore_kept(settings, metadata.kept(settings)[0], "postgresql://owner@127.0.0.1/airflow")
    with pytest.raises(CommandError, match="is mysql, but only PostgreSQL and SQLite can be backed up"):
        metadata.keep(settings, "mysql://owner@127.0.0.1/airflow")


def backup_time(path: str) -> datetime:
    return restore.taken_at(Path(path).name.partition(".")[0])


def test_postgresql_is_kept_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTING_BACKUP_URI", str(tmp_path / "backups"))
    settings = restore.installation.settings_of(tmp_path, {})
    with postgres.running() as cluster:
        address = metadata.address_of(tmp_path, {"REPORTING_DATABASE_URL": cluster.url()})
        assert address
        with cluster.connect() as cursor:
            cursor.execute(
                "CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE kept (said TEXT); "
                "INSERT INTO kept VALUES ('é')"
            )
        path = metadata.keep(settings, address)
        with cluster.connect() as cursor:
            cursor.execute("DROP TABLE kept")
        metadata.restore_kept(settings, path, address)
        with cluster.connect() as cursor:
            cursor.execute("SELECT said FROM kept")
            assert cursor.fetchall() == [("é",)]


def test_the_doctor_knows_whether_there_is_a_backup(tmp_path: Path) -> None:
    def found(**variables: str) -> list[tuple[bool, str]]:
        given = {"REPORTING_STATE": str(tmp_path / "state"), **variables}
        return [(each.is_well, each.text) for each in checks.check_backup(given, NOW)]

    assert [each.level for each in checks.check_backup({"REPORTING_STATE": str(tmp_path)}, NOW)] == [
        "warning"
    ]
    assert found() == [
        (True, "is not set, so there is no backup. Set it to a folder on another disk, or to a bucket.")
    ]
    place = {"REPORTING_BACKUP_URI": str(tmp_path / "backups")}
    assert [text[:17] for is_well, text in found(**place) if not is_well] == ["there is none yet"]
    lists = tmp_path / "backups" / "warehouse" / "backups"
    lists.mkdir(parents=True)
    for days, is_well in ((3, False), (1, True)):
        (lists / f"{new_id(NOW - timedelta(days=days))}.json").write_text("{}")
        assert [each for each, _ in found(**place)] == [is_well]
    (lists / "something.json").write_text("{}")
    assert found(**place)[0][1].startswith("2 are kept, the newest of ")
    inside = {"REPORTING_BACKUP_URI": str(tmp_path / "state" / "backups")}
    assert found(**inside)[0] == (
        False,
        f"is within {tmp_path / 'state'}, so it would be lost together with it. Choose another disk.",
    )
    assert found(REPORTING_BACKUP_URI="nothing://anywhere")[0][1].startswith("cannot be read (ValueError)")


def test_a_file_to_restore_is_named() -> None:
    with pytest.raises(CommandError, match="--restore needs a FILE"):
        call("backup", ["--restore"])
    assert os.environ.get("REPORTING_DATABASE_URL") is None
