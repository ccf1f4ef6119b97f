"""Where an installation keeps things: private, whole, and in plain words when something is wrong."""

import errno
import json
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from reporting.deploy import configuration
from reporting.deploy.errors import CommandError
from reporting.settings import METADATA_URL
from tests.support import bucket


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


@pytest.mark.parametrize("value", ["1\r2", "1\x002"])
def test_a_value_that_could_not_be_read_back_changes_nothing(tmp_path: Path, value: str) -> None:
    path = tmp_path / "environment"
    configuration.write_owner_file(path, {"A": "1"})
    with pytest.raises(CommandError, match="B has a line break or NUL"):
        configuration.write_owner_file(path, {"B": value})
    assert configuration.read_owner_file(path) == {"A": "1"}


@pytest.mark.parametrize("sign", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_token_may_hold_what_else_splits_lines(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "environment"
    configuration.write_owner_file(path, {"TOKEN": f"a{sign}b"})
    assert configuration.read_owner_file(path) == {"TOKEN": f"a{sign}b"}


def test_the_owners_file_may_come_from_another_editor(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    configuration.write_private(path, "\ufeffA=1\r\nB=2\r\n")
    assert configuration.read_owner_file(path) == {"A": "1", "B": "2"}


def test_an_owners_file_that_is_no_utf_8_is_a_plain_sentence_without_a_token(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    configuration.write_private(path, "")
    path.write_bytes("A=1\nTOKEN=hush-hush-\xfc\n".encode("latin-1"))
    with pytest.raises(CommandError, match=r"line 2 of .* is not UTF-8") as caught:
        configuration.read_owner_file(path)
    assert "hush" not in str(caught.value)
    # A traceback would show what led to it, and that holds the file.
    assert caught.value.__context__ is None


def test_an_owners_file_that_is_a_folder_or_has_a_nul_is_a_plain_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot be read \(Is a directory\)"):
        configuration.read_owner_file(tmp_path)
    path = tmp_path / "environment"
    configuration.write_private(path, "A=1\nTOKEN=hush\0hush\n")
    with pytest.raises(CommandError, match=r"the value in line 2 of .* has a NUL") as caught:
        configuration.read_owner_file(path)
    assert "hush" not in str(caught.value)


def test_the_keys_are_made_once_and_private(tmp_path: Path) -> None:
    first = configuration.keys(tmp_path)
    assert configuration.keys(tmp_path) == first
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64
    assert configuration.keys(_folder(tmp_path / "other")) != first


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "",
        "\0",
        "[]",
        "null",
        "{}",
        '{"AIRFLOW__CORE__FERNET_KEY": "x"}',
        '{"AIRFLOW__CORE__FERNET_KEY": "x", "AIRFLOW__API_AUTH__JWT_SECRET": 1, "AIRFLOW__API__SECRET_KEY": ""}',
        "[" * 100_000,
    ],
    ids=["cut", "empty", "nul", "list", "null", "none", "one", "others", "deep"],
)
def test_damaged_keys_are_a_plain_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(CommandError, match="is damaged"):
        configuration.keys(tmp_path)


def test_keys_that_are_a_folder_are_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "keys.json").mkdir()
    with pytest.raises(CommandError, match=r"cannot be read \(Is a directory\)"):
        configuration.keys(tmp_path)


def test_a_state_folder_is_one_process_s(tmp_path: Path) -> None:
    with (
        configuration.state_folder(tmp_path / "state") as path,
        pytest.raises(CommandError, match="another command uses the state folder"),
        configuration.state_folder(path),
    ):
        pass
    with configuration.state_folder(path):
        pass


@pytest.mark.parametrize("name", ["is it mine?", "a%20b", "$HOME", "${HOME}x"])
def test_a_state_folder_in_which_airflow_would_find_another_is_refused(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(CommandError, match="Name another folder"),
        configuration.state_folder(tmp_path / name / "state"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["100%", "a b", "\u00fc", "a&b#c", "$"])
def test_a_state_folder_may_have_most_names(tmp_path: Path, name: str) -> None:
    with configuration.state_folder(tmp_path / name) as state:
        address = configuration.airflow_environment(state, 1, {}, {})["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        with sa.create_engine(address).connect() as connection:
            connection.exec_driver_sql("CREATE TABLE here (id INTEGER)")
    assert (state / "airflow.db").is_file()


def test_a_link_to_the_owners_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    kept = tmp_path / "dotfiles" / "environment"
    configuration.write_owner_file(kept, {"A": "1"})
    link = tmp_path / "environment"
    link.symlink_to("dotfiles/environment")
    configuration.write_owner_file(link, {"B": "2"})
    assert link.is_symlink()
    assert configuration.read_owner_file(kept) == {"A": "1", "B": "2"}
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_private_file_that_cannot_be_written_leaves_no_part_of_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "environment"
    configuration.write_private(path, "A=1\n")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        configuration.write_private(path, "TOKEN=hush\n")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("environment", "A=1\n")]


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
    secret = made["AIRFLOW__API_AUTH__JWT_SECRET"]
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == configuration.execution_url(8081, secret)


@pytest.mark.parametrize("value", ["ntn_secret", "[1]"])
def test_a_connection_that_is_none_is_not_shown(value: str) -> None:
    with pytest.raises(CommandError, match="AIRFLOW_CONN_NOTION is not a connection") as caught:
        configuration.connection_fields("AIRFLOW_CONN_NOTION", value, "Run script/connect notion.")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "extra", [{"keyfile_dict": "{secret"}, {"keyfile_dict": {"a": "secret"}}, {"key_path": "/no"}]
)
def test_a_key_that_cannot_be_read_is_not_shown(extra: dict[str, object]) -> None:
    variables = {"AIRFLOW_CONN_BIGQUERY": json.dumps({"extra": extra})}
    with pytest.raises(CommandError, match="has a key that cannot be read") as caught:
        configuration.google_credentials(variables)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_good_key_gives_credentials_and_a_local_bigquery_needs_none() -> None:
    variables = {"AIRFLOW_CONN_BIGQUERY": bucket.service_account("http://127.0.0.1/token")}
    assert configuration.google_credentials(variables).service_account_email == bucket.ACCOUNT
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
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", METADATA_URL):
        engine = sa.create_engine(environment[name])
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        engine.dispose()
        assert found == configuration.BUSY_SECONDS * 1000
