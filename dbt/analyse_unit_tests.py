"""Checks every unit test with the GoogleSQL analyser, without a warehouse.

    analyse_unit_tests.py TARGET     TARGET is dbt's target folder after `dbt compile`

dbt compiles a unit test only as it runs it, and asks the warehouse for the types of its rows. Here the compiled
model is analysed over the test's fixtures, and given and expected rows are cast to the types that the analyser
gave to the columns. Overrides are not rendered: the model is taken as it was compiled.
"""

import json
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analyse import Catalog, Columns, in_order, plain_name, plain_sql

Row = dict[str, Any]


class UnitTestError(Exception):
    """A unit test names what is not there, or cannot be checked."""


class Relations:
    """The sources, seeds, models and snapshots of a manifest with their columns."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self._columns: dict[str, Columns] = {}
        self._keys: dict[tuple[str, ...], str] = {}
        self._catalog = Catalog()
        for source in manifest["sources"].values():
            types = {name: column["data_type"] for name, column in source["columns"].items()}
            self._declare((source["source_name"], source["name"]), plain_name(source["relation_name"]), types)
        nodes = manifest["nodes"]
        for seed in _of_type(nodes, "seed").values():
            self._declare((seed["name"],), plain_name(seed["relation_name"]), seed["config"]["column_types"])
        models = _of_type(nodes, "model") | _of_type(nodes, "snapshot")
        for model in map(models.__getitem__, in_order(models)):
            self._derive(model)

    def _declare(self, key: tuple[str, ...], relation: str, types: dict[str, str]) -> None:
        self._catalog.add_declared(relation, types)
        self._keys[key] = relation
        self._columns[relation] = self._catalog.columns_in(relation)

    def _derive(self, model: dict[str, Any]) -> None:
        relation = plain_name(model["relation_name"])
        self._keys[(model["name"],)] = relation
        try:
            columns = self._catalog.columns_of(plain_sql(model["compiled_code"]))
        except Exception:  # noqa: BLE001 (the analyser has one class an error code)
            # Reported where models are checked; its unit tests say that it has no columns.
            return
        self._catalog.add_built(model, columns)
        self._columns[relation] = self._catalog.columns_in(relation)

    def relation(self, reference: str, model: str) -> str:
        """The relation behind the input `reference` (`ref('a')`, `source('a', 'b')`, `this`) of a test of `model`."""
        words = (
            (model,) if reference.strip() == "this" else tuple(re.findall(r"['\"]([^'\"]+)['\"]", reference))
        )
        # A package before the model's name, as in ref('package', 'model'), says nothing that is needed here.
        key = words[-1:] if reference.strip().startswith("ref") else words
        if key not in self._keys:
            raise UnitTestError(
                f"the input {reference} is no source, seed, model or snapshot; correct its name"
            )
        return self._keys[key]

    def columns(self, relation: str) -> Columns:
        """Names and types of the columns of `relation`."""
        if relation not in self._columns:
            raise UnitTestError(
                f"{relation} has no known columns, because its model is refused; correct that first"
            )
        return self._columns[relation]

    def cast(self, rows: list[Row], columns: Columns, place: str) -> None:
        """Analyse the values of `rows` as dbt casts them, to the types of `columns`."""
        types = {name.lower(): sql_type(kind) for name, kind in columns}
        casts = list(_casts(rows, types, place))
        if casts:
            self._catalog.columns_of(f"SELECT {', '.join(casts)}")


def _casts(rows: list[Row], types: dict[str, str], place: str) -> Iterator[str]:
    for row in rows:
        for name, value in row.items():
            if name.lower() not in types:
                raise UnitTestError(f"{place} has a column {name}, expected one of {', '.join(types)}")
            kind = types[name.lower()]
            if isinstance(value, dict) or (isinstance(value, list) and "STRUCT" in kind):
                raise UnitTestError(f"{place} has a nested value in {name}; write it with `format: sql`")
            if isinstance(value, list) and value:
                # dbt casts the elements and not the array.
                element = kind.removeprefix("ARRAY<").removesuffix(">")
                yield f"(SELECT ARRAY_AGG(SAFE_CAST(i AS {element})) FROM UNNEST({literal(value)}) AS i)"
            else:
                yield f"SAFE_CAST({literal(value)} AS {kind})"


def literal(value: str | float | list[Any] | None) -> str:
    """A value of YAML in SQL. JSON's literals are GoogleSQL's, escapes included."""
    return json.dumps(value, ensure_ascii=False)


def sql_type(kind: Any) -> str:
    """The name of an analysed type as SQL has it."""
    if kind.is_array():
        return f"ARRAY<{sql_type(kind.array_type.element_type)}>"
    if kind.is_struct():
        fields = (f"`{each.field_name}` {sql_type(each.field_type)}" for each in kind.struct_type.field)
        return f"STRUCT<{', '.join(fields)}>"
    # The analyser's own name is that of its other product.
    return "FLOAT64" if kind.is_double() else str(kind.type_name())


def check(test: dict[str, Any], model: dict[str, Any], relations: Relations) -> None:
    """Raise for a unit test that dbt or GoogleSQL would refuse."""
    fixtures = Catalog()
    for given in test["given"]:
        relation = relations.relation(given["input"], model["name"])
        if given["format"] == "sql":
            columns = fixtures.columns_of(plain_sql(given["rows"]))
        else:
            columns = relations.columns(relation)
            relations.cast(given["rows"], columns, given["input"])
        fixtures.add(relation, columns)
    actual = fixtures.columns_of(plain_sql(model["compiled_code"]))
    expected = test["expect"]
    if expected["format"] == "sql":
        fixtures.columns_of(plain_sql(expected["rows"]))
    else:
        relations.cast(expected["rows"], actual, "expect")


def analyse(target: Path) -> tuple[int, list[str]]:
    """How many unit tests were accepted, and a line for each refused."""
    manifest = json.loads((target / "manifest.json").read_text())
    relations = Relations(manifest)
    accepted, refused = 0, []
    for test in manifest["unit_tests"].values():
        model = manifest["nodes"][test["depends_on"]["nodes"][0]]
        try:
            check(test, model, relations)
        except Exception as error:  # noqa: BLE001 (the analyser has one class an error code)
            place = f"{test['original_file_path']}: {test['name']} of {model['name']}"
            refused.append(f"{place}: {str(error).splitlines()[0]}")
        else:
            accepted += 1
    return accepted, refused


def _of_type(nodes: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {name: node for name, node in nodes.items() if node["resource_type"] == kind}


def main() -> int:
    """Print what is refused; 1 when anything is, and when there was nothing to check."""
    warnings.filterwarnings("ignore")
    accepted, refused = analyse(Path(sys.argv[1]))
    for line in refused:
        print(f"Refused: {line}", file=sys.stderr)
    print(f"{accepted} unit tests accepted, {len(refused)} refused.")
    return 1 if refused or not accepted else 0


if __name__ == "__main__":
    raise SystemExit(main())
