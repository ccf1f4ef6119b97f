"""Checks how the dbt project is built, by dbt's manifest and without a warehouse.

    rules.py TARGET     TARGET is dbt's target folder after `dbt parse`, `compile` or `build`

The rules are those of dbt-project-evaluator (https://dbt-labs.github.io/dbt-project-evaluator/latest/rules/) that this
project keeps, and its own conventions. `EXCEPTIONS` lists what breaks a rule on purpose, each with the reason; one that
nothing breaks any more is an error too.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

LAYERS = ("staging", "intermediate", "marts")
# What each layer may read; a seed and a snapshot count as layers of their own.
MAY_READ = {
    "staging": {"source"},
    "intermediate": {"staging", "seed", "snapshot", "intermediate"},
    "snapshot": {"staging", "intermediate"},
    "marts": {"staging", "seed", "snapshot", "intermediate", "marts"},
    "exposure": {"marts", "source"},
}
# Each view more is one more statement that BigQuery opens to understand a query.
LONGEST_CHAIN = 4
# A table by name where a model belongs: from dataset.table, join `project.dataset.table`; not `is distinct from a.b`.
TABLE_BY_NAME = re.compile(r"(?<!distinct )\b(?:from|join)\s+(`[^`]+`|[\w-]+\.[\w.-]+)", re.IGNORECASE)
COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)

# By rule: the name of what breaks it, of which * stands for any part, and why.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "name": {
        "person_keys": "its name is stored in the dataset snapshots, and what it holds cannot be made again",
    },
    "key test": {
        "int_*": "a query that is billed, where the marts built from it have tests of their keys and unit tests hold it",
        "stg_ops__*": "the project writes each row once, and the marts built from them have tests of their keys",
    },
    "sources read twice": {
        "hubspot.pipelines": "a pipeline's record holds its stages, which are rows of another kind",
    },
    "sources without staging": {
        "ops.dbt_builds": "the page of data health reads it before the marts are built",
        "ops.messages_sent": "only the code that sends messages reads it",
        "ops.problems": "only the code that sends alerts reads it",
        "ops.purged_keys": "nothing but the suppression list may read who was erased",
    },
    "unused sources": {
        "ops.messages_sent": "it is declared so that a test can compare it with the table's description",
        "ops.problems": "it is declared so that a test can compare it with the table's description",
        "ops.purged_keys": "it is declared so that a test can compare it with the table's description",
    },
}

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """What breaks a rule: the rule, the name of what breaks it, and how."""

    rule: str
    name: str
    how: str

    def __str__(self) -> str:
        return f"{self.name} breaks the rule `{self.rule}`: {self.how}"


class Project:
    """The project of a manifest."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.sources: dict[str, Node] = manifest["sources"]
        self.exposures: dict[str, Node] = manifest["exposures"]
        self.unit_tests: dict[str, Node] = manifest["unit_tests"]
        self.nodes: dict[str, Node] = {
            key: node for key, node in manifest["nodes"].items() if node["config"].get("enabled", True)
        }

    def of_type(self, *kinds: str) -> Iterator[Node]:
        """The nodes of these kinds."""
        return (node for node in self.nodes.values() if node["resource_type"] in kinds)

    def parents(self, node: Node) -> list[str]:
        """What a node reads, by dbt's unique ids."""
        found: list[str] = node["depends_on"].get("nodes", [])
        return found

    def layer(self, key: str) -> str:
        """The layer of a model by its folder, and the kind of everything else."""
        if key in self.nodes and self.nodes[key]["resource_type"] == "model":
            return PurePosixPath(self.nodes[key]["original_file_path"]).parts[1]
        return key.partition(".")[0]

    def name(self, key: str) -> str:
        """The name by which exceptions know it: `habits`, `notion.daily_habits`."""
        if key in self.sources:
            return f"{self.sources[key]['source_name']}.{self.sources[key]['name']}"
        return str((self.nodes.get(key) or self.exposures[key])["name"])


def names(project: Project) -> Iterator[Finding]:
    """A model lies in a folder of its layer's, and its name says where."""
    for model in project.of_type("model"):
        path = PurePosixPath(model["original_file_path"])
        layer, folder = path.parts[1], path.parent.name
        name = model["name"]
        if layer not in LAYERS or len(path.parts) != 4:
            yield Finding(
                "name", name, f"{path} is not in models/LAYER/FOLDER, LAYER one of {', '.join(LAYERS)}"
            )
        elif layer == "staging":
            # The owner's own entities are in one folder, whatever their source.
            expected = r"stg_\w+?__\w+" if folder == "own" else rf"stg_{folder}__\w+"
            if not re.fullmatch(expected, name):
                yield Finding("name", name, f"a model in {path.parent} is called stg_SOURCE__TABLE")
        elif layer == "intermediate" and not re.fullmatch(r"int_\w+?__\w+", name):
            yield Finding("name", name, f"a model in {path.parent} is called int_SUBJECT__WHAT")
        elif layer == "marts" and (
            name.startswith(("stg_", "int_")) or (folder == "ops") != name.startswith("ops_")
        ):
            yield Finding(
                "name",
                name,
                "a mart has the name of what it holds; of the project's own records, with ops_ before",
            )


def files(project: Project) -> Iterator[Finding]:
    """What is said of a model is in its own folder, in the file of that folder; in staging one file of a table may say it."""
    for model in project.of_type("model"):
        path = PurePosixPath(model["original_file_path"])
        folder = path.parent.name
        said = PurePosixPath((model["patch_path"] or "").partition("://")[2])
        allowed = {f"_{folder}__models.yml"}
        if path.parts[1] == "staging":
            allowed.add(f"_{model['name'].removeprefix('stg_')}__models.yml")
        if said.parent != path.parent or said.name not in allowed:
            where = f"is described in {said}" if said.name else "is described nowhere"
            yield Finding("files", model["name"], f"it {where}; expected {path.parent}/_{folder}__models.yml")
    for test in project.unit_tests.values():
        model = project.nodes[project.parents(test)[0]]
        folder = PurePosixPath(model["original_file_path"]).parent
        expected = folder / f"_{folder.name}__unit_tests.yml"
        if PurePosixPath(test["original_file_path"]) != expected:
            how = f"its unit test {test['name']} is in {test['original_file_path']}; expected {expected}"
            yield Finding("files", model["name"], how)


def reading(project: Project) -> Iterator[Finding]:
    """Each layer reads the layers below it, and only staging reads sources."""
    readers = {
        key: node for key, node in project.nodes.items() if node["resource_type"] in ("model", "snapshot")
    }
    for key, node in (*readers.items(), *project.exposures.items()):
        layer = project.layer(key)
        for parent in project.parents(node):
            # The project's own records are there before any mart is built; raw tables are for staging alone.
            is_raw = parent in project.sources and not project.name(parent).startswith("ops.")
            if (is_raw and layer == "exposure") or project.layer(parent) not in MAY_READ.get(layer, set()):
                how = f"{layer} reads {project.name(parent)}, which is {project.layer(parent)}"
                yield Finding("reading", node["name"], how)
        if layer == "staging" and len(project.parents(node)) != 1:
            yield Finding("reading", node["name"], "a staging model reads one source, and no other relation")
        elif not project.parents(node):
            yield Finding(
                "reading", node["name"], "it reads nothing; use a seed for rows that are written by hand"
            )


def sources(project: Project) -> Iterator[Finding]:
    """Each source is read by one staging model, and says by the project's one definition how fresh it is."""
    everything = {**project.nodes, **project.exposures}
    for key, source in project.sources.items():
        name = project.name(key)
        readers = [each for each, node in everything.items() if key in project.parents(node)]
        staging = [each for each in readers if project.layer(each) == "staging"]
        if not readers:
            yield Finding("unused sources", name, "nothing reads it; remove it, or write what reads it")
        if not staging:
            yield Finding("sources without staging", name, "no staging model reads it")
        if len(staging) > 1:
            how = f"{' and '.join(sorted(map(project.name, staging)))} read it; read the first one from the other"
            yield Finding("sources read twice", name, how)
        query = source.get("loaded_at_query") or ""
        if source["source_name"] != "ops" and "last_complete_run(source_node)" not in query:
            how = 'its loaded_at_query is to be "{{ last_complete_run(source_node) }}", which leaves replays out'
            yield Finding("freshness", name, how)


def descriptions(project: Project) -> Iterator[Finding]:
    """Everything that has a table or view has a description."""
    described = (*project.of_type("model", "seed", "snapshot"), *project.exposures.values())
    for node in described:
        if not node["description"].strip():
            yield Finding(
                "description",
                node["name"],
                f"say in the YAML beside {node['original_file_path']} what a row is",
            )


def key_tests(project: Project) -> Iterator[Finding]:
    """Each model has a test of its key."""
    tested = set()
    for test in project.of_type("test"):
        kind = test.get("test_metadata") or {"name": "", "kwargs": {}}
        if kind["name"] == "unique" or (kind["name"] == "valid_rows" and kind["kwargs"].get("key")):
            tested.add(test["attached_node"])
    for key, node in project.nodes.items():
        if node["resource_type"] == "model" and key not in tested:
            yield Finding("key test", node["name"], "give it the data test valid_rows with its `key`")


def contracts(project: Project) -> Iterator[Finding]:
    """Each mart has a contract: reports, exports and messages rely on its columns."""
    for key, node in project.nodes.items():
        if project.layer(key) == "marts" and not node["config"]["contract"]["enforced"]:
            yield Finding(
                "contract",
                node["name"],
                "a mart has `contract: {enforced: true}` and the type of each column",
            )


def tables_by_name(project: Project) -> Iterator[Finding]:
    """Tables are named by ref and source, so that dbt knows what is built before what."""
    for node in project.of_type("model", "snapshot", "test"):
        for named in TABLE_BY_NAME.findall(COMMENT.sub("", node.get("raw_code") or "")):
            yield Finding("tables by name", node["name"], f"it reads {named}; use ref() or source()")


def chains(project: Project) -> Iterator[Finding]:
    """Views do not stand on too many views."""

    @cache
    def length(key: str) -> int:
        node = project.nodes.get(key)
        if node is None or node["config"].get("materialized") != "view":
            return 0
        return 1 + max(map(length, project.parents(node)), default=0)

    for key in project.nodes:
        if length(key) > LONGEST_CHAIN:
            how = f"{length(key)} views stand on one another, at most {LONGEST_CHAIN} may; make one of them a table"
            yield Finding("chained views", project.name(key), how)


RULES: tuple[Callable[[Project], Iterator[Finding]], ...] = (
    names,
    files,
    reading,
    sources,
    descriptions,
    key_tests,
    contracts,
    tables_by_name,
    chains,
)


def check(manifest: Mapping[str, Any], exceptions: Mapping[str, Mapping[str, str]]) -> list[str]:
    """A line for each finding that is no exception, and for each exception that nothing needs."""
    project = Project(manifest)
    used = set()
    lines = []
    for rule in RULES:
        for finding in rule(project):
            allowed = [each for each in exceptions.get(finding.rule, {}) if fnmatchcase(finding.name, each)]
            used.update((finding.rule, each) for each in allowed)
            if not allowed:
                lines.append(str(finding))
    lines += [
        f"The exception {name} from the rule `{rule}` is needed no more; remove it from dbt/rules.py"
        for rule, allowed in exceptions.items()
        for name in allowed
        if (rule, name) not in used
    ]
    return lines


def main() -> int:
    """Print what breaks the rules; 1 when anything does."""
    lines = check(json.loads((Path(sys.argv[1]) / "manifest.json").read_text()), EXCEPTIONS)
    for line in lines:
        print(line, file=sys.stderr)
    print(f"{len(RULES)} rules of the dbt project, {len(lines)} times broken.")
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
