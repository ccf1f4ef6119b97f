"""The checks with the GoogleSQL analyser, over a manifest as dbt writes it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reporting.settings import ROOT

PYTHON = ROOT / ".venv" / "lint" / "bin" / "python"
SOURCE = "source.reporting.notion.pages"
BASE = "select id, amount, day from `local`.`raw`.`pages`"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="needs the environment of script/lint; run script/bootstrap lint"
)


def node(name: str, sql: str, kind: str = "model", parent: str = SOURCE) -> dict[str, dict[str, Any]]:
    made = {
        "name": name,
        "resource_type": kind,
        "original_file_path": f"models/{name}.sql",
        "relation_name": f"`local`.`staging`.`{name}`",
        "config": {"enabled": True},
        "depends_on": {"nodes": [parent]},
        "compiled_code": sql,
    }
    return {f"{kind}.reporting.{name}": made}


def unit_test(name: str, given: dict[str, Any], expected: dict[str, Any]) -> dict[str, dict[str, Any]]:
    made = {
        "name": name,
        "original_file_path": "models/unit_tests.yml",
        "depends_on": {"nodes": ["model.reporting.base"]},
        "given": [{"input": "source('notion', 'pages')", "format": "dict", "rows": [], **given}],
        "expect": {"format": "dict", "rows": [expected]},
    }
    return {f"unit_test.reporting.base.{name}": made}


def analyse(script: str, folder: Path, *parts: dict[str, dict[str, Any]]) -> tuple[int, str, list[str]]:
    """Exit code, the last line, and the lines of what is refused."""
    made: dict[str, dict[str, Any]] = {}
    for part in (node("base", BASE), *parts):
        made |= part
    tests = {name: each for name, each in made.items() if name.startswith("unit_test.")}
    types = {
        "id": "string",
        "amount": "float64",
        "day": "date",
        "tags": "array<struct<id string, value json>>",
    }
    source = {
        "source_name": "notion",
        "name": "pages",
        "relation_name": "`local`.`raw`.`pages`",
        "columns": {name: {"data_type": kind} for name, kind in types.items()},
    }
    nodes = {name: each for name, each in made.items() if name not in tests}
    manifest = {"sources": {SOURCE: source}, "nodes": nodes, "unit_tests": tests}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    command = [PYTHON, ROOT / "dbt" / script, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    refused = [
        line.removeprefix("Refused: ")
        for line in done.stderr.splitlines()
        if line.startswith(("GoogleSQL refuses ", "Refused: "))
    ]
    return done.returncode, done.stdout.strip(), refused


def test_what_bigquery_refuses_is_named_with_its_model(tmp_path: Path) -> None:
    code, said, refused = analyse(
        "analyse.py",
        tmp_path,
        node("wrong_function", "select list_sum([amount]) as n from `local`.`staging`.`base`"),
        node("wrong_column", "select nme from `local`.`staging`.`base`", parent="model.reporting.base"),
        node("wrong_type", "select id from `local`.`staging`.`base` where day = current_timestamp()"),
        node("nested", "select tag.value as v from `local`.`raw`.`pages` cross join unnest(tags) as tag"),
        node("over_nested", "select cast(v as string) as v from `local`.`staging`.`nested`"),
        node(
            "waiting", "select * from `local`.`staging`.`wrong_column`", parent="model.reporting.wrong_column"
        ),
        node("a_data_test", "select id from `local`.`staging`.`base` where amount = 'a'", kind="test"),
    )
    assert code == 1
    assert said == "GoogleSQL accepts 2 statements, refuses 5; 1 build on those."
    assert [line.split(": ")[1] for line in refused] == [
        "wrong_function",
        "wrong_column",
        "wrong_type",
        "over_nested",
        "a_data_test",
    ]
    for line, why in zip(
        refused, ("list_sum", "nme", "DATE, TIMESTAMP", "JSON to STRING", "FLOAT64, STRING"), strict=True
    ):
        assert why in line.replace("DOUBLE", "FLOAT64")


def test_a_snapshot_has_its_own_columns_and_those_of_dbt(tmp_path: Path) -> None:
    history = "select id, dbt_valid_from from `local`.`staging`.`kept` where dbt_valid_to is null"
    code, said, refused = analyse(
        "analyse.py",
        tmp_path,
        node(
            "kept", "select * from `local`.`staging`.`base`", kind="snapshot", parent="model.reporting.base"
        ),
        node("history", history, parent="snapshot.reporting.kept"),
        node("wrong", history.replace("dbt_valid_to", "valid_to"), parent="snapshot.reporting.kept"),
    )
    assert (code, said) == (1, "GoogleSQL accepts 3 statements, refuses 1; 0 build on those.")
    assert "valid_to" in refused[0]


def test_a_unit_test_may_expect_an_array(tmp_path: Path) -> None:
    words = "select id, [id] as words, [struct(id as word)] as parts from `local`.`raw`.`pages`"
    code, said, refused = analyse(
        "analyse_unit_tests.py",
        tmp_path,
        node("base", words),
        unit_test("fine", {}, {"id": "a", "words": ["a", "b"]}),
        unit_test("empty", {}, {"words": []}),
        unit_test("wrong_element", {}, {"words": [True, "b"]}),
        unit_test("nested", {}, {"parts": [{"word": "a"}]}),
    )
    assert (code, said) == (1, "2 unit tests accepted, 2 refused.")
    assert [line.split(": ")[1] for line in refused] == ["wrong_element of base", "nested of base"]
    assert "format: sql" in refused[1]


def test_a_unit_test_is_refused_for_its_fixtures_and_its_expectation(tmp_path: Path) -> None:
    row = {"id": "a", "amount": 1, "day": "2026-01-01"}
    code, said, refused = analyse(
        "analyse_unit_tests.py",
        tmp_path,
        unit_test("fine", {"rows": [row, {"id": None}]}, row),
        unit_test("unknown_column", {"rows": [{"idd": "a"}]}, row),
        unit_test("wrong_value", {"rows": [{"day": True}]}, row),
        unit_test(
            "fixture_without_a_column", {"format": "sql", "rows": "select 'a' as id, 1.5 as amount"}, row
        ),
        unit_test("fixture_refused", {"format": "sql", "rows": "select parse_jsn('1') as id"}, row),
        unit_test("unknown_expectation", {}, {"total": 1}),
        unit_test("unknown_input", {"input": "ref('bse')"}, row),
    )
    assert code == 1
    assert said == "1 unit tests accepted, 6 refused."
    assert [line.split(": ")[1].removesuffix(" of base") for line in refused] == [
        "unknown_column",
        "wrong_value",
        "fixture_without_a_column",
        "fixture_refused",
        "unknown_expectation",
        "unknown_input",
    ]
    for line, why in zip(
        refused, ("column idd", "BOOL to DATE", "day", "parse_jsn", "column total", "ref('bse')"), strict=True
    ):
        assert why.lower() in line.lower()


def test_a_manifest_without_anything_to_check_is_no_success(tmp_path: Path) -> None:
    code, said, _ = analyse("analyse_unit_tests.py", tmp_path)
    assert (code, said) == (1, "0 unit tests accepted, 0 refused.")
