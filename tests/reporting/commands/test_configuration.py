"""Where an installation keeps things: private, whole, and in plain words when something is wrong."""

import json
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from reporting.commands import configuration
from reporting.commands.errors import CommandError


def test_the_owners_file_is_private_and_keeps_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "config" / "environment"
    configuration.write_owner_file(path, {"A": "1", "TOKEN": '{"password": "x=y z"}'})
    configuration.write_owner_file(path, {"A": "", "B": "2"})
    assert configuration.read_owner_file(path) == {"TOKEN": '{"password": "x=y z"}', "B": "2"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["environment"]


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    path.write_text("A=1\n")
    path.chmod(0o644)
    with pytest.raises(CommandError, match=f"chmod 600 {path}"):
        configuration.read_owner_file(path)


def test_a_bad_line_is_named_by_number_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    configuration.write_private(path, "# ok\nntn_secret\n")
    with pytest.raises(CommandError, match="line 2 of") as caught:
        configuration.read_owner_file(path)
    assert "ntn_secret" not in str(caught.value)


def test_a_value_with_a_line_break_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    configuration.write_owner_file(path, {"A": "1"})
    with pytest.raises(CommandError, match="B has a line break"):
        configuration.write_owner_file(path, {"B": "1\n2"})
    assert configuration.read_owner_file(path) == {"A": "1"}


def test_the_keys_are_made_once_and_private(tmp_path: Path) -> None:
    first = configuration.keys(tmp_path)
    assert configuration.keys(tmp_path) == first
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64
    assert configuration.keys(_folder(tmp_path / "other")) != first


def test_damaged_keys_are_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(CommandError, match="is damaged"):
        configuration.keys(tmp_path)


def test_a_state_folder_is_one_process_s(tmp_path: Path) -> None:
    with (
        configuration.state_folder(tmp_path / "state") as path,
        pytest.raises(CommandError, match="another one is running"),
        configuration.state_folder(path),
    ):
        pass
    with configuration.state_folder(path):
        pass


def test_a_full_disk_is_a_plain_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "LEAST_FREE_MB", 10**9)
    with pytest.raises(CommandError, match="MB of disk are free"), configuration.state_folder(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(CommandError, match="cannot be written"),
        configuration.state_folder(tmp_path / "file" / "x"),
    ):
        pass


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    inherited = {"PATH": "/bin", "PYTHONPATH": "/x", "REPORTING_TIMEZONE": "Asia/Tokyo"}
    made = configuration.airflow_environment(
        tmp_path, 8081, {"REPORTING_TIMEZONE": "UTC", "AIRFLOW_CONN_NOTION": "{}"}, inherited
    )
    assert (made["REPORTING_TIMEZONE"], made["AIRFLOW_CONN_NOTION"]) == ("Asia/Tokyo", "{}")
    assert "PYTHONPATH" not in made
    # Tasks would meet a refused connection on any other port.
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8081/execution/"


@pytest.mark.parametrize("value", ["ntn_secret", "[1]"])
def test_a_connection_that_is_none_is_not_shown(value: str) -> None:
    with pytest.raises(CommandError, match="AIRFLOW_CONN_NOTION is not a connection") as caught:
        configuration.connection_fields("NOTION", value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "extra", [{"keyfile_dict": "{secret"}, {"keyfile_dict": {"a": "secret"}}, {"key_path": "/no"}]
)
def test_a_key_that_cannot_be_read_is_not_shown(extra: dict[str, object]) -> None:
    variables = {"AIRFLOW_CONN_BIGQUERY": json.dumps({"extra": extra})}
    with pytest.raises(CommandError, match="holds no key that can be read") as caught:
        configuration.google_credentials(variables)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_good_key_gives_credentials_and_a_local_bigquery_needs_none() -> None:
    variables = {"AIRFLOW_CONN_BIGQUERY": configuration.local_bigquery_connection("p")}
    assert configuration.google_credentials(variables).service_account_email == "local@p.invalid"
    assert configuration.google_credentials(variables | {"BIGQUERY_EMULATOR_HOST": "http://x"}) is None
    assert configuration.google_credentials({}) is None


def test_the_owners_file_can_be_elsewhere() -> None:
    assert configuration.owner_file({"REPORTING_CONFIG": "/a/b"}) == Path("/a/b")
    assert configuration.owner_file({"XDG_CONFIG_HOME": "/c"}) == Path("/c/personal-reporting/environment")


def _folder(path: Path) -> Path:
    path.mkdir()
    os.chmod(path, 0o700)
    return path


def test_a_process_of_airflows_waits_while_another_writes(tmp_path: Path) -> None:
    """SQLite's own five seconds are too few for a machine that is busy."""
    environment = configuration.airflow_environment(tmp_path, 8080, {}, {})
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", configuration.METADATA):
        engine = sa.create_engine(environment[name])
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        engine.dispose()
        assert found == configuration.BUSY_SECONDS * 1000
