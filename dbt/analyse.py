"""Checks every compiled model, snapshot and data test with the GoogleSQL analyser, without a warehouse.

    analyse.py TARGET     TARGET is dbt's target folder after `dbt compile`

The local BigQuery takes SQL that BigQuery refuses; the analyser is the real one's. The types of the sources are
those declared in their YAML, and each model's are what the analyser makes of its statement.
"""

import json
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import wasmtime


class CachingConfig(wasmtime.Config):
    """Compiling the analyser takes most of a minute; wasmtime's cache makes that once a machine."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = True


wasmtime.Config = CachingConfig

# These build an engine when they are imported.
from zetasql.api import Analyzer, CatalogBuilder, TableBuilder  # noqa: E402
from zetasql.types import (  # noqa: E402
    AnalyzerOptions,
    LanguageOptions,
    ProductMode,
    ZetaSQLBuiltinFunctionOptions,
)

Columns = list[tuple[str, Any]]

# What dbt adds to the columns of a snapshot: https://docs.getdbt.com/docs/build/snapshots#snapshot-meta-fields
SNAPSHOT_COLUMNS = {
    "dbt_scd_id": "string",
    "dbt_updated_at": "timestamp",
    "dbt_valid_from": "timestamp",
    "dbt_valid_to": "timestamp",
}


class Catalog:
    """The relations known so far, and the types of their columns."""

    def __init__(self) -> None:
        self._language = LanguageOptions.maximum_features()
        self._language.product_mode = ProductMode.PRODUCT_EXTERNAL
        self._language.reserved_keywords = ["QUALIFY"]
        self._relations: dict[str, Columns] = {}

    def add(self, relation: str, columns: Columns) -> None:
        """Make `relation` known."""
        self._relations[relation] = columns

    def add_declared(self, relation: str, types: dict[str, str]) -> None:
        """Make `relation` known by the names of its types."""
        self.add(relation, self._declared(types))

    def add_built(self, node: dict[str, Any], columns: Columns) -> None:
        """Make the relation of a model or snapshot known by what its statement gives."""
        added = self._declared(SNAPSHOT_COLUMNS) if node["resource_type"] == "snapshot" else []
        self.add(plain_name(node["relation_name"]), columns + added)

    def add_itself(self, node: dict[str, Any]) -> None:
        """Make the relation of an incremental model, which reads what it built before, known as it is declared."""
        if node["config"].get("materialized") == "incremental":
            types = {name: column["data_type"] for name, column in node["columns"].items()}
            self.add_declared(plain_name(node["relation_name"]), types)

    def columns_in(self, relation: str) -> Columns:
        """The columns of a known relation."""
        return self._relations[relation]

    def _declared(self, types: dict[str, str]) -> Columns:
        casts = ", ".join(f"CAST(NULL AS {kind}) AS `{name}`" for name, kind in types.items())
        return self.columns_of(f"SELECT {casts}")

    def columns_of(self, sql: str) -> Columns:
        """Names and types of what `sql` gives. Raises the analyser's error for what GoogleSQL refuses."""
        builder = CatalogBuilder("warehouse")
        # Every table costs a call for each column, and a statement names few of them.
        for relation, columns in self._relations.items():
            if relation not in sql:
                continue
            table = TableBuilder(relation)
            for name, kind in columns:
                table.add_column(name, kind)
            builder.add_table(table.build())
        functions = ZetaSQLBuiltinFunctionOptions(language_options=self._language)
        catalog = builder.with_builtin_functions(functions).build()
        statement = Analyzer(AnalyzerOptions(language_options=self._language), catalog).analyze_statement(sql)
        return [(column.name, column.column.type) for column in statement.output_column_list]


def plain_name(relation: str) -> str:
    """`local`.`raw`.`t` as local.raw.t."""
    return relation.replace("`", "")


def plain_sql(sql: str) -> str:
    """Every quoted relation as one quoted name, which is how the catalog knows it."""
    return re.sub(r"`([\w-]+)`\.`(\w+)`\.`(\w+)`", r"`\1.\2.\3`", sql).strip().rstrip(";")


def in_order(nodes: dict[str, dict[str, Any]]) -> list[str]:
    """The nodes, each after those that it depends on."""
    done: list[str] = []

    def visit(name: str) -> None:
        if name in nodes and name not in done:
            for parent in nodes[name]["depends_on"]["nodes"]:
                visit(parent)
            done.append(name)

    for name in nodes:
        visit(name)
    return done


def analyse(target: Path) -> tuple[int, int, list[str]]:
    """How many statements were accepted, how many wait for a refused one, and a line for each refused."""
    manifest = json.loads((target / "manifest.json").read_text())
    catalog = Catalog()
    for source in manifest["sources"].values():
        types = {name: column["data_type"] for name, column in source["columns"].items()}
        catalog.add_declared(plain_name(source["relation_name"]), types)
    nodes = {
        name: node
        for name, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "snapshot", "test") and node["config"].get("enabled", True)
    }
    for node in manifest["nodes"].values():
        if node["resource_type"] == "seed":
            catalog.add_declared(plain_name(node["relation_name"]), node["config"]["column_types"])
    accepted, refused, unknown = 0, [], set()
    for name in in_order(nodes):
        node = nodes[name]
        if unknown.intersection(node["depends_on"]["nodes"]):
            unknown.add(name)
            continue
        unknown.add(name)
        sql = plain_sql(node.get("compiled_code") or "")
        if not sql:
            refused.append(f"{node['original_file_path']}: {node['name']} was not compiled")
            continue
        catalog.add_itself(node)
        try:
            columns = catalog.columns_of(sql)
        except Exception as error:  # noqa: BLE001 (the analyser has one class an error code)
            refused.append(f"{node['original_file_path']}: {node['name']}: {str(error).splitlines()[0]}")
            continue
        accepted += 1
        unknown.remove(name)
        if node["resource_type"] != "test":
            catalog.add_built(node, columns)
    return accepted, len(unknown) - len(refused), refused


def main() -> int:
    """Print what is refused; 1 when anything is, and when there was nothing to check."""
    warnings.filterwarnings("ignore")
    accepted, waiting, refused = analyse(Path(sys.argv[1]))
    for line in refused:
        print(f"GoogleSQL refuses {line}", file=sys.stderr)
    print(f"GoogleSQL accepts {accepted} statements, refuses {len(refused)}; {waiting} build on those.")
    return 1 if refused or not accepted else 0


if __name__ == "__main__":
    raise SystemExit(main())
