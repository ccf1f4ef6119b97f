"""Connections to DuckDB that can only read and write files in one folder.

https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
"""

from pathlib import Path
from typing import Any

import duckdb

# Only these extensions are loaded. Statements cannot load any.
EXTENSIONS = ("icu", "ducklake")
CONFINED = (
    # Otherwise DuckDB looks for secrets in HOME, which is not allowed here, and then a second lake cannot be attached.
    "SET allow_persistent_secrets = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    # Otherwise a statement could refer to Python variables of the code that runs it.
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
)


def connect(folder: Path, *arguments: Any, **options: Any) -> duckdb.DuckDBPyConnection:
    """A connection like that of `duckdb.connect`, which can only open files in `folder`.

    Call it before anything is attached, since an attached catalogue also names files, and these names may come from
    statements. Afterwards `lock` prevents changes of the configuration.
    """
    connection = duckdb.connect(*arguments, **options)
    for name in EXTENSIONS:
        connection.execute(f"LOAD {name}")
    connection.execute(f"SET temp_directory = {text(folder / 'spill')}")
    connection.execute(f"SET allowed_directories = [{text(f'{folder}/')}]")
    for statement in CONFINED:
        connection.execute(statement)
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Lock the configuration, so that no statement can change it."""
    connection.execute("SET lock_configuration = true")


def text(value: object) -> str:
    """A value as a SQL text literal."""
    return "'" + str(value).replace("'", "''") + "'"
