"""The document about adding a source is true: its code is in the project, and a folder is all that it takes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reporting.settings import ROOT

DOCUMENT = (ROOT / "docs" / "guides" / "adding-a-source.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
SOURCES = ROOT / "plugins" / "reporting" / "sources"
INVENTED = ROOT / "tests" / "invented"
EXAMPLES = ROOT / "docs" / "examples"
# A table of a source that is there, beside those of the project.
TABLE = """
from reporting.entity import Property
from reporting.sources.sql.entities import SqlTable

COLUMNS = {"title": Property("text", "What it is called.")}
ENTITIES = (
    SqlTable(name="books", description="Books that the owner has.", columns=COLUMNS, has_changed=False),
)
"""
# None of these costs more than itself.
BROKEN = {
    "empty": "",
    "twice": "from reporting.sources.hubspot import SOURCE",
    "taken": TABLE.replace('name="books"', 'name="time_entries"'),
    "homeless": TABLE.replace("SqlTable(", 'SqlTable(source="nowhere", '),
    "wrong": "raise RuntimeError('on purpose')",
}
# What the project makes of a source's folder.
PROGRAM = """
import json
from airflow.dag_processing.dagbag import DagBag
from reporting.deploy import checks
from reporting.sources.registry import BROKEN, OWN, SOURCES
from reporting.warehouse.tables import describe
import sys

bag = DagBag(sys.argv[1])
connection = {"AIRFLOW_CONN_TIDES": json.dumps({"conn_type": "http", "password": "a token"})}
print(json.dumps({
    "broken": BROKEN,
    "errors": bag.import_errors,
    "dags": [dag_id for dag_id in bag.dags if dag_id.startswith("raw_")],
    "columns": list(describe().tables["raw.tides__heights"].columns.keys()) if "tides" in SOURCES else [],
    "doctor": [each.text for each in checks.check_sources(connection)],
    "sources": list(SOURCES),
    "own": sorted(OWN),
    "tables": sorted(name for name in describe().tables if name.startswith("raw.")),
}))
"""


def test_its_code_is_in_the_project() -> None:
    first, own, *others = BLOCKS
    assert first == (EXAMPLES / "todoist" / "__init__.py").read_text()
    assert own in TABLE
    for block, file in zip(others, ("sql/__init__.py", "sql/entities.py"), strict=True):
        assert block in (SOURCES / file).read_text()


def test_what_declares_files_is_the_example() -> None:
    document = (ROOT / "docs" / "guides" / "files.md").read_text()
    [block] = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    assert block == (EXAMPLES / "battery" / "__init__.py").read_text()


def found(tmp_path: Path, *, is_broken: bool = False) -> dict[str, Any]:
    """What is made of a copy of the plugins into which the invented source was put."""
    plugins = tmp_path / "plugins"
    shutil.copytree(ROOT / "plugins", plugins, ignore=shutil.ignore_patterns("__pycache__"))
    folder = plugins / "reporting" / "sources" / "tides"
    shutil.copytree(INVENTED / "tides", folder)
    own = plugins / "reporting" / "sources" / "own"
    for example in EXAMPLES.iterdir():
        shutil.copytree(example, own / example.name)
    packages = {"tables": TABLE} | (BROKEN if is_broken else {})
    for name, text in packages.items():
        (own / name).mkdir()
        (own / name / "__init__.py").write_text(text)
    if is_broken:
        (folder / "entities.py").write_text("import no_such_module_anywhere\n")
    environment = os.environ | {
        "AIRFLOW_HOME": str(ROOT),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "logs"),
        "PYTHONPATH": str(plugins),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(ROOT / "dags")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return found(tmp_path_factory.mktemp("source"))


def test_a_folder_makes_its_dags_and_its_table(made: dict[str, Any]) -> None:
    assert (made["broken"], made["errors"]) == ({}, {})
    assert {"raw_tides__heights__full", "raw_tides__heights__changed"} <= set(made["dags"])
    assert made["columns"][:3] == ["id", "harbour", "metres"]
    assert "_content_hash" in made["columns"]


def test_a_folder_is_asked_about_by_the_doctor(made: dict[str, Any]) -> None:
    assert "the token is good; the sea is there." in made["doctor"]


OWN = [
    "bitpanda__holdings",
    "files__battery_log",
    "files__money_lover",
    "sql__books",
    "stream__mood",
    "stripe__charges",
    "todoist__tasks",
]
OWN_DAGS = {
    "raw_bitpanda__holdings__full",
    "raw_files__battery_log__changed",
    "raw_files__battery_log__full",
    "raw_files__money_lover__changed",
    "raw_files__money_lover__full",
    "raw_sql__books__full",
    "raw_stream__mood__changed",
    "raw_stripe__charges__changed",
    "raw_stripe__charges__full",
    "raw_todoist__tasks__full",
}


def test_a_package_of_the_owners_own_makes_its_dags_and_its_tables(made: dict[str, Any]) -> None:
    assert made["own"] == OWN
    assert set(made["dags"]) >= OWN_DAGS
    # Nobody can be asked for everything.
    assert "raw_stream__mood__full" not in made["dags"]
    assert {f"raw.{name}" for name in (*OWN, "sql__time_entries")} <= set(made["tables"])
    assert "is not configured, so it is not read. Run script/connect todoist." in made["doctor"]


def test_a_folder_that_cannot_be_imported_costs_its_own_dags_only(tmp_path: Path) -> None:
    made = found(tmp_path, is_broken=True)
    assert made["errors"] == {}
    assert [dag_id for dag_id in made["dags"] if "_tides__" in dag_id] == []
    assert "raw_notion__daily_habits__full" in made["dags"]
    assert "ModuleNotFoundError" in made["broken"]["tides"]
    assert set(made["dags"]) >= OWN_DAGS
    assert made["own"] == OWN
    assert {name: text.partition(":")[0] for name, text in made["broken"].items()} == {
        "tides": "ModuleNotFoundError",
        "own/empty": "AttributeError",
        "own/twice": "ValueError",
        "own/taken": "ValueError",
        "own/homeless": "ValueError",
        "own/wrong": "RuntimeError",
    }
    assert any(text.startswith("cannot be imported (ModuleNotFoundError") for text in made["doctor"])
