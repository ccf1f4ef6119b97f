"""A statement is one of BigQuery's, and names BigQuery's tables and functions alone.

local-bigquery 0.4.0 hands what it does not know to DuckDB as it is. So a statement could read the server's own tables and the
catalogs of its lakes, write files by COPY, end the process (`enable_logging`), or call functions that take addresses of memory
(`pandas_scan`). Drop it when upstream knows what it does not know.
"""

import importlib
import re
from itertools import pairwise
from typing import Any

import duckdb
from local_bigquery.catalog import names, tables
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import extract, query
from local_bigquery.sql import rules
from local_bigquery.sql.dialect import BigQueryDialect
from sqlglot import exp

from sandbox.bigquery.confined import EXTENSIONS

STATEMENTS = (
    exp.Query,
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Create,
    exp.Drop,
    exp.Alter,
    exp.TruncateTable,
    exp.Export,
    exp.Transaction,
    exp.Commit,
    exp.Rollback,
)
# What the parser leaves as text and upstream understands: options, row access policies and indexes.
COMMANDS = re.compile(
    r"ALTER\s+(?:SCHEMA|TABLE|VIEW|MATERIALIZED\s+VIEW)\s|(?:CREATE|DROP|ALTER)\s.*\b(?:ROW\s+ACCESS|INDEX)\b",
    re.IGNORECASE | re.DOTALL,
)
# DuckDB's databases beside the lakes: the server's own, the functions of the dialect, and those that DuckDB has anyway.
RESERVED = ("emulator", "bq", "memory", "system", "temp")
CHECKED = "is BigQuery's own language"
COMPRESSIONS = ("NONE", "GZIP", "SNAPPY", "ZSTD", "DEFLATE")
# In both languages.
BOTH = {"unnest", "generate_series", "range"}
# A name that is a scalar function, too, is one that a statement may mean.
TABLE_FUNCTIONS = """
    SELECT lower(function_name) FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro', 'pragma')
    EXCEPT SELECT lower(function_name) FROM duckdb_functions() WHERE function_type NOT IN ('table', 'table_macro', 'pragma')
"""


def apply() -> None:
    """Look at each statement before it is translated, at each name of a project, and at what is put into DuckDB's text."""
    with duckdb.connect() as connection:
        for name in EXTENSIONS:
            connection.execute(f"LOAD {name}")
        foreign = {name for (name,) in connection.execute(TABLE_FUNCTIONS).fetchall()} - BOTH
    run, reference, named, write = query._statement, tables.reference, names.reference, extract.write

    def checked(tree: Any, _: Any = None) -> Any:
        # What is looked at as a statement is translated afterwards, as it is or in parts.
        if tree.meta.get(CHECKED):
            return tree
        called = set()
        for node in tree.walk():
            if isinstance(node, exp.Func):
                called.add(_name(node))
            elif isinstance(node, exp.Command):
                called |= _called_in(f"{node.this} {node.text('expression')}")
        if unknown := sorted(called & foreign):
            raise BigQueryError("invalidQuery", f"Function not found: {unknown[0]}")
        tree.meta[CHECKED] = True
        return tree

    def statement(cursor: Any, tree: Any, *arguments: Any) -> Any:
        is_command = isinstance(tree, exp.Command) and COMMANDS.match(
            f"{tree.this} {tree.text('expression')}"
        )
        if not is_command and not isinstance(tree, STATEMENTS):
            raise BigQueryError("invalidQuery", f"Statement not supported: {type(tree).__name__}")
        return run(cursor, checked(tree), *arguments)

    module: Any = importlib.import_module("local_bigquery.app")
    project = re.compile(rf"(?!(?:{'|'.join(RESERVED)})$){module.PROJECT_ID.pattern}")

    def of_a_project(parts: tuple[str, str, str]) -> tuple[str, str, str]:
        if not project.fullmatch(parts[0]):
            raise BigQueryError("invalid", f"Invalid project ID: {parts[0]!r}")
        return parts

    def compressed(cursor: Any, sql: str, parameters: Any, config: Any) -> Any:
        if (config.compression or "NONE").upper() not in COMPRESSIONS:
            raise BigQueryError("invalid", f"Unsupported compression: {config.compression}")
        return write(cursor, sql, parameters, config)

    rules.STATEMENT_RULES.insert(0, checked)
    query._statement = statement
    tables.reference = lambda table: of_a_project(reference(table))
    names.reference = lambda *arguments: of_a_project(named(*arguments))
    extract.write = compressed
    # What is named in an address is looked at there.
    module.PROJECT_ID = project


def _name(function: Any) -> str:
    name = function.this if isinstance(function, exp.Anonymous) else function.sql_name()
    return str(getattr(name, "name", name)).casefold()


def _called_in(text: str) -> set[str]:
    """The names before a parenthesis in what the parser left as text."""
    tokens = BigQueryDialect().tokenize(text)
    return {token.text.casefold() for token, following in pairwise(tokens) if following.text == "("}
