"""script/query, as somebody types it."""

import io
import json
import sys
from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.cli import query
from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.settings import Settings


@pytest.fixture(autouse=True)
def environment(current_warehouse: tuple[bigquery.Client, Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment leads to the warehouse of this file. Signals stay with the tests."""
    settings = current_warehouse[1]
    variables = {**settings.emulator_variables(), "REPORTING_CONFIG": "/nowhere"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(query, "end_on_signals", lambda: None)


def test_an_answer_is_a_table_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "SELECT 1 AS one, CAST(NULL AS STRING) AS none, ['[a]', 'b'] AS list, DATE '2026-01-02' AS day;"
    assert call("query", [sql, "--data", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert [cell.strip() for cell in said.out.splitlines()[3].strip("│").split("│")] == [
        "1",
        "",
        '["[a]", "b"]',
        "2026-01-02",
    ]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"-- A question.\n{sql}\n"))
    assert call("query", ["--json", "--data", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"one": 1, "none": None, "list": ["[a]", "b"], "day": "2026-01-02"}
    ]


def test_more_rows_than_are_shown_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT number FROM UNNEST(GENERATE_ARRAY(1, 9)) AS number"
    assert call("query", [sql, "--rows", "3", "--json", "--data", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)) == 3
    assert "There are more rows than 3" in said.err
    assert call("query", [sql, "--rows", "9", "--json", "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""


def test_what_the_warehouse_refuses_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^the warehouse refuses it: .*nowhere") as caught:
        call("query", ["SELECT nowhere FROM UNNEST([1]) AS one", "--data", str(tmp_path)])
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "DELETE FROM raw.x WHERE TRUE",
        "SELECT 1; DROP TABLE raw.x",
        "-- SELECT\nDROP TABLE raw.x",
        "SELECTED",
    ],
)
def test_what_is_no_single_question_is_not_asked(sql: str) -> None:
    with pytest.raises(CommandError, match="it takes one"):
        query.checked(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ';' AS a",
        "/* why; not */ (SELECT 1)",
        "WITH a AS (SELECT 1) SELECT * FROM a -- ;",
        "SELECT '''it's; so''', \"a\\\";\" ;",
    ],
)
def test_a_semicolon_in_a_text_or_a_comment_ends_nothing(sql: str) -> None:
    assert query.checked(sql)
