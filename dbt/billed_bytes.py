"""How much BigQuery bills for a build at least, from dbt's manifest and without a warehouse.

    billed_bytes.py TARGET     TARGET is dbt's target folder after `dbt parse`, `compile` or `build`

On demand, a query is billed for at least 10 MB for each table that it references, and a view counts as the tables
below it (https://cloud.google.com/bigquery/pricing#on_demand_pricing). Tables of a person's size are smaller than
that, so that what a build costs is how many tables its queries look at. What dbt-bigquery 1.11 runs:

- A table: one CREATE TABLE AS SELECT. A view: one CREATE VIEW, which looks at no data. A seed: a load job, which is
  free. A data test: one SELECT. Documentation and grants are API calls.
- A snapshot that is there already: one CREATE TABLE AS SELECT of its changes, from its relation and itself, and one
  MERGE of those into itself.
- A contract, and a snapshot's check_cols, look up columns by a SELECT with LIMIT 0, which is billed nothing
  (https://github.com/dbt-labs/dbt-bigquery/issues/487).

A table that a query names twice is counted once.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIB_A_TABLE = 10
LAYERS = ("staging", "marts")
BUILT = ("model", "seed", "snapshot")


@dataclass(frozen=True)
class Query:
    """A query that dbt runs for a node, and the tables that it references."""

    node: str
    tables: frozenset[str]


@dataclass(frozen=True)
class Bill:
    """What a build runs."""

    queries: tuple[Query, ...]

    @property
    def table_references(self) -> int:
        """How many tables the queries reference, each query for itself."""
        return sum(len(query.tables) for query in self.queries)

    @property
    def mebibytes(self) -> int:
        """The least that is billed."""
        return MIB_A_TABLE * self.table_references


class Project:
    """The nodes of a manifest, what they read, and which of them a build selects."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.sources: dict[str, dict[str, Any]] = manifest["sources"]
        self._nodes: dict[str, dict[str, Any]] = {
            name: node
            for name, node in manifest["nodes"].items()
            if node["resource_type"] in (*BUILT, "test") and node["config"].get("enabled", True)
        }

    def bill(self, selected: Iterable[str]) -> Bill:
        """What is run to build and test the nodes in `selected`."""
        return Bill(tuple(query for name in sorted(selected) for query in self._queries(name)))

    def full(self) -> set[str]:
        """What a build of everything selects."""
        return {name for layer in LAYERS for name in self._step(layer, set(self._nodes))}

    def changed(self, *sources: str) -> set[str]:
        """What the two steps of a build select when `sources` (`hubspot.calls`) changed."""
        changed = {
            name for name, each in self.sources.items() if f"{each['source_name']}.{each['name']}" in sources
        }
        below = {name for name in self._nodes if changed & self._ancestors(name)}
        everything = {name for layer in LAYERS for name in self._step(layer, below)}
        return {name for name in everything if "full" not in self._nodes[name]["tags"]}

    def _step(self, layer: str, included: set[str]) -> Iterator[str]:
        """What `dbt build --select source:…+,tag:LAYER --indirect-selection buildable` selects of `included`."""
        tagged = {name for name, node in self._nodes.items() if layer in node["tags"]}
        buildable = tagged.union(self.sources, *(self._ancestors(name) for name in tagged))
        for name in included:
            parents = set(self._parents(name))
            is_indirect = (
                self._nodes[name]["resource_type"] == "test" and parents & tagged and parents <= buildable
            )
            if name in tagged or is_indirect:
                yield name

    def _queries(self, name: str) -> Iterator[Query]:
        node = self._nodes[name]
        kind, materialized = node["resource_type"], node["config"].get("materialized")
        if kind == "snapshot":
            yield Query(name, self._tables_below(name) | {name})
            yield Query(name, frozenset({name, f"{name}, what changed"}))
        elif kind == "test" or (kind == "model" and materialized == "table"):
            yield Query(name, self._tables_below(name))
        elif kind == "model" and materialized == "incremental":
            # One MERGE, as long as on_schema_change is dbt's default: otherwise there is a table in between.
            yield Query(name, self._tables_below(name) | {name})
        elif kind == "model" and materialized != "view":
            raise ValueError(
                f"{name} is materialized as {materialized}; say here what dbt runs for that, and what it costs"
            )

    def _tables_below(self, name: str) -> frozenset[str]:
        """The tables that the statement of a node references, those of views included."""
        return frozenset().union(*map(self._tables, self._parents(name)))

    def _tables(self, name: str) -> frozenset[str]:
        node = self._nodes.get(name)
        if node and node["config"].get("materialized") == "view":
            return self._tables_below(name)
        return frozenset({name})

    def _parents(self, name: str) -> list[str]:
        # A source is no node, and a seed depends on no nodes.
        parents: list[str] = self._nodes.get(name, {}).get("depends_on", {}).get("nodes", [])
        return parents

    def _ancestors(self, name: str) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            for parent in self._parents(waiting.pop()):
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return found


def read(target: Path) -> Project:
    """The project as dbt left it in its target folder."""
    return Project(json.loads((target / "manifest.json").read_text()))


def main() -> int:
    """Print a line for the full build and for each source's changed build."""
    project = read(Path(sys.argv[1]))
    names = [f"{each['source_name']}.{each['name']}" for each in project.sources.values()]
    builds = {"everything": project.full()} | {name: project.changed(name) for name in names}
    print(f"{'changed':<24}{'queries':>8}{'tables':>8}{'MiB':>7}")
    for name, selected in builds.items():
        if selected:
            bill = project.bill(selected)
            print(f"{name:<24}{len(bill.queries):>8}{bill.table_references:>8}{bill.mebibytes:>7}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
