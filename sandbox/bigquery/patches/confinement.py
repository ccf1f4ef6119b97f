"""A statement reads and writes the server's data folder alone.

local-bigquery 0.4.0 lets a statement read and write every file that its user can (`EXPORT DATA` to a path, `read_text`, a load
from `file://`), and load DuckDB's extensions, one of which speaks to the network. Here each of its connections is confined
before anything is attached. What the package itself opens is confined likewise, and so is a project's name, which becomes a part
of a path and of a statement. Drop it when upstream confines itself.
"""

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from local_bigquery.app import PROJECT_ID
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import storage
from local_bigquery.settings import settings

from sandbox.bigquery import confined


def apply() -> None:
    """Confine the connection that every cursor comes from, and the paths that are opened beside it."""
    # Another project's folder, or a bucket's emulator, is not for an environment to choose.
    settings.gcs_local_root = settings.storage_emulator_host = None
    connect, attach, local = database._connect, database._attach, storage._local

    def connect_within(*arguments: Any, **options: Any) -> Any:
        return confined.connect(settings.data_dir.resolve(), *arguments, **options)

    @functools.cache
    def locked() -> Any:
        connection = connect()
        confined.lock(connection)
        return connection

    def attach_named(connection: Any, project_id: str) -> None:
        if not PROJECT_ID.fullmatch(project_id):
            raise BigQueryError("invalid", f"Invalid project ID: {project_id!r}")
        attach(connection, project_id)

    def local_within(uri: str) -> str:
        path, folder = local(uri), settings.data_dir.resolve() / "gcs"
        if not Path(path).resolve().is_relative_to(folder):
            raise BigQueryError(
                "accessDenied",
                "the local BigQuery reads and writes gs:// alone, which is a folder of its data.",
            )
        return path

    database.duckdb = SimpleNamespace(connect=connect_within)
    database._connect = locked
    database._attach = attach_named
    storage._local = local_within
