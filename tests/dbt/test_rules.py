"""The rules of the dbt project, over a small manifest that keeps them all and then breaks each."""

import copy
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reporting.settings import ROOT

SCRIPT = ROOT / "dbt" / "rules.py"
Manifest = dict[str, Any]


def script() -> ModuleType:
    """The script, which is in no package."""
    specification = importlib.util.spec_from_file_location("dbt_rules", SCRIPT)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules["dbt_rules"] = module
    specification.loader.exec_module(module)
    return module


RULES = script()


def model(folder: str, name: str, *parents: str, materialized: str = "view") -> Manifest:
    """A model that keeps the rules, and the test of its key."""
    key = f"model.reporting.{name}"
    last = Path(folder).name
    made = {
        "name": name,
        "resource_type": "model",
        "original_file_path": f"models/{folder}/{name}.sql",
        "patch_path": f"reporting://models/{folder}/_{last}__models.yml",
        "description": "One row per thing.",
        "config": {"enabled": True, "materialized": materialized, "contract": {"enforced": True}},
        "depends_on": {"nodes": list(parents)},
        "raw_code": f"select * from {{{{ ref('{parents[0]}') }}}} -- from some.where",
    }
    test = {
        "name": f"{name}_is_valid",
        "resource_type": "test",
        "config": {"enabled": True},
        "depends_on": {"nodes": [key]},
        "test_metadata": {"name": "valid_rows", "kwargs": {"key": ["id"]}},
        "attached_node": key,
        "raw_code": "{{ test_valid_rows(**_dbt_generic_test_kwargs) }}",
    }
    return {key: made, f"test.reporting.{name}_is_valid": test}


def source(name: str, table: str) -> Manifest:
    made = {
        "source_name": name,
        "name": table,
        "loaded_at_query": "{{ last_complete_run(source_node) }}",
        "config": {"enabled": True},
    }
    return {f"source.reporting.{name}.{table}": made}


PAGES, STAGED = "source.reporting.notion.pages", "model.reporting.stg_notion__pages"
JOINED, MART = "model.reporting.int_habits__joined", "model.reporting.habits"


def kept() -> Manifest:
    """A manifest that keeps every rule."""
    return {
        "sources": source("notion", "pages"),
        "nodes": {
            **model("staging/notion", "stg_notion__pages", PAGES),
            **model("intermediate/habits", "int_habits__joined", STAGED),
            **model("marts/habits", "habits", JOINED, materialized="table"),
        },
        "exposures": {
            "exposure.reporting.page": {
                "name": "page",
                "description": "A page.",
                "original_file_path": "models/exposures.yml",
                "depends_on": {"nodes": [MART]},
            }
        },
        "unit_tests": {
            "unit_test.reporting.habits.counts": {
                "name": "counts",
                "original_file_path": "models/marts/habits/_habits__unit_tests.yml",
                "depends_on": {"nodes": [MART]},
            }
        },
    }


def test_a_project_that_keeps_the_rules_breaks_none() -> None:
    assert RULES.check(kept(), {}) == []


def test_what_an_owner_has_of_a_table_is_in_files_of_its_own() -> None:
    manifest = kept()
    made = model("staging/own", "stg_notion__books", "source.reporting.notion.books")
    made["model.reporting.stg_notion__books"]["patch_path"] = (
        "reporting://models/staging/own/_notion__books__models.yml"
    )
    manifest["nodes"].update(made)
    manifest["sources"].update(source("notion", "books"))
    assert RULES.check(manifest, {}) == []


def put(*keys: str, value: Any) -> Callable[[Manifest], None]:
    """Set a value in the manifest."""

    def change(manifest: Manifest) -> None:
        place = manifest
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


def add(part: str, more: Manifest) -> Callable[[Manifest], None]:
    """Add to a part of the manifest."""
    return lambda manifest: manifest[part].update(copy.deepcopy(more))


def chain(manifest: Manifest) -> None:
    """More views on one another than may be."""
    parent = JOINED
    for number in range(RULES.LONGEST_CHAIN - 1):
        name = f"int_habits__{number}"
        manifest["nodes"].update(model("intermediate/habits", name, parent))
        parent = f"model.reporting.{name}"


def of_another_source(manifest: Manifest) -> None:
    """A staging model in the folder of another source."""
    manifest["sources"].update(source("hubspot", "deals"))
    manifest["nodes"].update(model("staging/hubspot", "stg_notion__x", "source.reporting.hubspot.deals"))


RAW_CODE = "select * from {{ ref('a') }} as a where a.x is distinct from a.y "
BROKEN: dict[str, tuple[str, Callable[[Manifest], None], str]] = {
    "a mart with the name of another layer": (
        "name",
        add("nodes", model("marts/habits", "int_habits__x", JOINED)),
        "int_habits__x",
    ),
    "a mart of no subject": ("name", add("nodes", model("marts", "loose", JOINED)), "loose"),
    "a mart about runs that is not called so": (
        "name",
        add("nodes", model("marts/ops", "runs", JOINED)),
        "runs",
    ),
    "a staging model of another source": ("name", of_another_source, "stg_notion__x"),
    "an intermediate model without its prefix": (
        "name",
        add("nodes", model("intermediate/habits", "joined", STAGED)),
        "joined",
    ),
    "a model that is described elsewhere": (
        "files",
        put("nodes", MART, "patch_path", value="reporting://models/marts/_marts__models.yml"),
        "habits",
    ),
    "a unit test that is elsewhere": (
        "files",
        put(
            "unit_tests",
            "unit_test.reporting.habits.counts",
            "original_file_path",
            value="models/marts/tests.yml",
        ),
        "habits",
    ),
    "a mart that reads a source": (
        "reading",
        put("nodes", MART, "depends_on", "nodes", value=[PAGES]),
        "habits",
    ),
    "an intermediate model that reads a mart": (
        "reading",
        add("nodes", model("intermediate/habits", "int_habits__back", MART)),
        "int_habits__back",
    ),
    "staging of staging": (
        "reading",
        add("nodes", model("staging/notion", "stg_notion__again", STAGED)),
        "stg_notion__again",
    ),
    "a model that reads nothing": ("reading", put("nodes", MART, "depends_on", "nodes", value=[]), "habits"),
    "a page that reads a raw table": (
        "reading",
        put("exposures", "exposure.reporting.page", "depends_on", "nodes", value=[PAGES]),
        "page",
    ),
    "a source that nothing reads": (
        "unused sources",
        add("sources", source("notion", "tasks")),
        "notion.tasks",
    ),
    "a source that two staging models read": (
        "sources read twice",
        add("nodes", model("staging/notion", "stg_notion__parts", PAGES)),
        "notion.pages",
    ),
    "a source whose freshness counts replays": (
        "freshness",
        put(
            "sources",
            PAGES,
            "loaded_at_query",
            value="select max(committed_at) from sync_runs where is_complete",
        ),
        "notion.pages",
    ),
    "a model without a description": (
        "description",
        put("nodes", STAGED, "description", value=" "),
        "stg_notion__pages",
    ),
    "a model without a test of its key": (
        "key test",
        put(
            "nodes",
            "test.reporting.int_habits__joined_is_valid",
            "test_metadata",
            "kwargs",
            value={"not_null": ["id"]},
        ),
        "int_habits__joined",
    ),
    "a mart without a contract": (
        "contract",
        put("nodes", MART, "config", "contract", "enforced", value=False),
        "habits",
    ),
    "a table by name": (
        "tables by name",
        put("nodes", MART, "raw_code", value=f"{RAW_CODE} join marts.people"),
        "habits",
    ),
    "a table by its quoted name": (
        "tables by name",
        put("nodes", MART, "raw_code", value=f"{RAW_CODE} join `project.marts.people`"),
        "habits",
    ),
    "a tower of views": ("chained views", chain, f"int_habits__{RULES.LONGEST_CHAIN - 2}"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_breaks_a_rule_is_named(what: str) -> None:
    rule, change, name = BROKEN[what]
    manifest = kept()
    change(manifest)
    lines = RULES.check(manifest, {})
    assert [line for line in lines if line.startswith(f"{name} breaks the rule `{rule}`: ")], lines
    # Nothing else is said, but that a source which is read past its staging model has none.
    assert {line.partition(":")[0] for line in lines} <= {
        f"{name} breaks the rule `{rule}`",
        "notion.tasks breaks the rule `sources without staging`",
    }


def test_every_rule_is_tried() -> None:
    names = {rule for rule, _, _ in BROKEN.values()} | {"sources without staging"}
    assert set(RULES.EXCEPTIONS) <= names
    manifest = kept()
    for _, change, _ in BROKEN.values():
        change(manifest)
    project = RULES.Project(manifest)
    assert {finding.rule for rule in RULES.RULES for finding in rule(project)} <= names


def test_an_exception_is_left_out_and_one_that_nothing_needs_is_named() -> None:
    manifest = kept()
    manifest["sources"].update(source("notion", "tasks"))
    reason = "a reason"
    exceptions = {
        "unused sources": {"notion.t*": reason},
        "sources without staging": {"notion.tasks": reason},
    }
    assert RULES.check(manifest, exceptions) == []
    [line] = RULES.check(kept(), {"unused sources": {"notion.t*": reason}})
    assert line.startswith("The exception notion.t* from the rule `unused sources` is needed no more")


def test_the_script_ends_with_an_error_when_a_rule_is_broken(tmp_path: Path) -> None:
    manifest = kept()
    del manifest["exposures"]["exposure.reporting.page"]
    manifest["nodes"][MART]["config"]["contract"]["enforced"] = False
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 1
    assert "habits breaks the rule `contract`: " in done.stderr
