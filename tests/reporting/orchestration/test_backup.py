"""When the tasks of the daily backup skip, and what they say then."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from reporting.orchestration import backup
from reporting.settings import METADATA_URL


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REPORTING_BACKUP_URI", str(tmp_path / "backups"))
    monkeypatch.delenv(METADATA_URL, raising=False)
    return tmp_path / "backups"


def test_without_a_place_nothing_is_kept_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPORTING_BACKUP_URI", raising=False)
    for task in (backup.keep_warehouse, backup.keep_metadata):
        with pytest.raises(AirflowSkipException, match="There is no backup: REPORTING_BACKUP_URI is not set"):
            task()


def test_a_metadata_database_that_cannot_be_dumped_is_no_failure(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AirflowSkipException, match=f"{METADATA_URL} is not set"):
        backup.keep_metadata()
    monkeypatch.setenv(METADATA_URL, "postgresql+psycopg2://owner:hidden@127.0.0.1:1/airflow?sslmode=disable")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AirflowSkipException, match="pg_dump is not installed here") as said:
        backup.keep_metadata()
    assert "hidden" not in str(said.value)
    assert not place.exists()


def test_the_metadata_database_of_the_task_is_kept(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "airflow.db"
    monkeypatch.setenv(METADATA_URL, f"sqlite:///{file}")
    with pytest.raises(AirflowException, match="cannot be read"):
        backup.keep_metadata()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    backup.keep_metadata()
    assert [path.suffix for path in (place / "airflow").iterdir()] == [".sqlite"]
