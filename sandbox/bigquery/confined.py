"""Connections of DuckDB that read and write one folder alone.

https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
"""

from pathlib import Path
from typing import Any

import duckdb

# The only ones that are loaded; a statement loads none.
EXTENSIONS = ("icu", "ducklake")
CONFINED = (
    # Else it looks for secrets in HOME, which it may not, and then no second lake can be attached.
    "SET allow_persistent_secrets = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    # A statement names no variable of the code that runs it.
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
)


def connect(folder: Path, *arguments: Any, **options: Any) -> duckdb.DuckDBPyConnection:
    """A connection as `duckdb.connect` makes it that opens files in `folder` alone.

    Before anything is attached: what is attached names files, too, and whoever writes into the folder chooses the names.
    `lock` ends what can be set.
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
    """From now on no statement sets anything."""
    connection.execute("SET lock_configuration = true")


def text(value: object) -> str:
    """A value as a statement writes it."""
    return "'" + str(value).replace("'", "''") + "'"
