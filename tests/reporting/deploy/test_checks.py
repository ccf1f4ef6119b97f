"""What script/doctor says of a database that is read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reporting.deploy import checks, configuration
from reporting.sources.registry import SOURCES
from sandbox import sql

SECRET = "of-the-database"


def said(**variables: str) -> list[tuple[str, bool, str]]:
    return [
        (each.subject, each.is_well, each.text) for each in checks.check_source(SOURCES["sql"], variables)
    ]


def connection(path: Path) -> str:
    return configuration.token_connection(sql.address(path))


def test_a_table_that_can_be_read_is_well(tmp_path: Path) -> None:
    path = tmp_path / "hours.sqlite"
    sql.create(path, datetime.now(UTC).date())
    ((subject, is_well, text),) = said(AIRFLOW_CONN_SQL=connection(path))
    assert (subject, is_well) == ("sql__time_entries", True)
    assert "can be read; the table has" in text


def test_what_is_not_configured_or_switched_off_is_well(tmp_path: Path) -> None:
    assert [is_well for _, is_well, _ in said()] == [True]
    assert [each.level for each in checks.check_source(SOURCES["sql"], {})] == ["note"]
    path = tmp_path / "hours.sqlite"
    sql.create(path, datetime.now(UTC).date())
    off = said(AIRFLOW_CONN_SQL=connection(path), REPORTING_NAME_SQL__TIME_ENTRIES="none")
    assert off == [("sql__time_entries", True, "is switched off.")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (configuration.token_connection(f"nothing://user:{SECRET}@127.0.0.1/db"), "does not hold an address"),
        (
            configuration.token_connection(f"postgresql+psycopg2://user:{SECRET}@127.0.0.1:1/db"),
            "cannot be read",
        ),
        (f"nothing {SECRET}", "is not a connection in JSON. Run script/connect sql"),
        ('{"conn_type": "generic"}', "does not hold the database's address"),
    ],
)
def test_what_is_wrong_is_said_without_the_address(value: str, expected: str) -> None:
    ((_, is_well, text),) = said(AIRFLOW_CONN_SQL=value)
    assert not is_well
    assert expected in text
    assert SECRET not in text


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "hours.sqlite"
    sql.create(path, datetime.now(UTC).date())
    ((_, is_well, text),) = said(
        AIRFLOW_CONN_SQL=connection(path), REPORTING_NAME_SQL__TIME_ENTRIES="no_such_table"
    )
    assert not is_well
    assert "no table 'no_such_table'" in text
