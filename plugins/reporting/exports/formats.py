"""The file formats of an export. Each also stores the manifest, which describes the export, as JSON."""

import csv
import io
import json
import os
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from reporting.cells import csv_cell, sqlite_cell
from reporting.exports.marts import ExportError
from reporting.exports.reading import Content

MANIFEST = "export.json"
MANIFEST_TABLE = "_export"
# The manifest names this as its maker, and an export replaces only files whose manifest does.
MAKER = "personal-reporting"
FILE = re.compile(r"[a-z_]+\.[a-z]+")

Manifest = dict[str, Any]
Counted = Callable[[int], None]


class NotInstalledError(ExportError):
    """A format needs a package that is not installed."""


class Format(ABC):
    """A file format. `suffix` is that of a single file with all marts; None means a folder with one file per mart."""

    name: str
    suffix: str | None = None

    def check_installed(self) -> None:  # noqa: B027 (most need nothing)
        """Raise `NotInstalledError` if a package that it needs is not installed."""

    @abstractmethod
    def write(self, path: Path, mart: str, content: Content, counted: Counted) -> None:
        """Add a mart to the export at `path`. `counted` is called with the number of rows of each batch."""

    @abstractmethod
    def finish(self, path: Path, manifest: Manifest) -> None:
        """Add the manifest."""

    @abstractmethod
    def manifest(self, path: Path) -> Manifest | None:
        """The manifest of the export at `path`; None if what is there is not an export in this format."""


class _Folder(Format):
    def write(self, path: Path, mart: str, content: Content, counted: Counted) -> None:
        path.mkdir(exist_ok=True)
        with (path / self.file_name(mart)).open("wb") as file:
            self.write_rows(file, content, counted)
            _sync(file)

    def finish(self, path: Path, manifest: Manifest) -> None:
        with (path / MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1)
            _sync(file)

    def manifest(self, path: Path) -> Manifest | None:
        try:
            return manifest_in((path / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return None

    def file_name(self, mart: str) -> str:
        """The file name of a mart."""
        return f"{mart}.{self.name}"

    @abstractmethod
    def write_rows(self, file: IO[bytes], content: Content, counted: Counted) -> None:
        """Write the rows to an open file. `counted` is called with the number of rows of each batch."""


class Csv(_Folder):
    """CSV (RFC 4180) in UTF-8 with every cell but NULL in quotes; `cells.py` describes the values.

    It begins with a byte order mark; without it, Excel reads the file in the code page of the user's country.
    """

    name = "csv"

    def write_rows(self, file: IO[bytes], content: Content, counted: Counted) -> None:
        """Write the rows."""
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        writer = csv.writer(text, quoting=csv.QUOTE_NOTNULL, lineterminator="\r\n")
        writer.writerow(content.schema.names)
        for batch in content.batches:
            columns = (map(csv_cell, column.to_pylist()) for column in batch.columns)
            writer.writerows(zip(*columns, strict=True))
            counted(batch.num_rows)
        # Otherwise the wrapper would close the file, which the caller does.
        text.detach()


class Parquet(_Folder):
    """Parquet with one row group per batch. It keeps every type that BigQuery has, nested ones included."""

    name = "parquet"

    def write_rows(self, file: IO[bytes], content: Content, counted: Counted) -> None:
        """Write the rows."""
        from pyarrow import parquet

        with parquet.ParquetWriter(file, content.schema, compression="zstd") as writer:
            for batch in content.batches:
                writer.write_batch(batch)
                counted(batch.num_rows)


class DuckDb(Format):
    """A DuckDB database with one table per mart. It keeps every type that BigQuery has, nested ones included."""

    name = "duckdb"
    suffix = ".duckdb"

    def check_installed(self) -> None:
        """Raise `NotInstalledError` in an installation without DuckDB."""
        if find_spec("duckdb") is None:
            raise NotInstalledError(
                "DuckDB is not installed. Run script/bootstrap --with duckdb, or choose another kind of file."
            )

    def write(self, path: Path, mart: str, content: Content, counted: Counted) -> None:
        """Add a mart."""
        import duckdb

        def batches() -> Any:
            for batch in content.batches:
                yield batch
                counted(batch.num_rows)

        try:
            with closing(_duckdb(path)) as database:
                database.register("content", pa.RecordBatchReader.from_batches(content.schema, batches()))
                database.execute(f'CREATE TABLE "{mart}" AS SELECT * FROM content')
        except duckdb.Error as error:
            # DuckDB's message may quote a value, so only its type is shown.
            raise ExportError(
                f"{mart} was not written: DuckDB failed with {type(error).__name__}. Is the disk full? Run it again."
            ) from None

    def finish(self, path: Path, manifest: Manifest) -> None:
        """Add the manifest."""
        with closing(_duckdb(path)) as database:
            database.execute(f"CREATE TABLE {MANIFEST_TABLE} (manifest VARCHAR)")
            database.execute(f"INSERT INTO {MANIFEST_TABLE} VALUES (?)", [json.dumps(manifest)])

    def manifest(self, path: Path) -> Manifest | None:
        """The manifest. Raises `ExportError` while another program writes the database."""
        if not path.is_file():
            return None
        self.check_installed()
        import duckdb

        try:
            with closing(_duckdb(path, is_read=True)) as database:
                rows = database.execute(f"SELECT manifest FROM {MANIFEST_TABLE}").fetchall()
        except duckdb.Error as error:
            if "lock" in str(error).lower():
                raise ExportError(
                    f"{path} is open in another program. Close it there, or name another file."
                ) from None
            return None
        return manifest_in(rows[0][0]) if len(rows) == 1 else None


# The files need no extension, so DuckDB downloads none; every version since 1.0 can read them.
DUCKDB: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "storage_compatibility_version": "v1.0.0",
    "threads": "1",
    "memory_limit": "256MB",
}


def _duckdb(path: Path, is_read: bool = False) -> Any:
    """Open the database at `path` for writing, or with `is_read` for reading only."""
    import duckdb

    database = duckdb.connect(str(path), read_only=is_read, config=DUCKDB)
    # The progress bar would go to standard output.
    database.execute("SET enable_progress_bar_print = false")
    return database


class Sqlite(Format):
    """An SQLite database with one table per mart; `cells.py` describes the values."""

    name = "sqlite"
    suffix = ".sqlite"

    def write(self, path: Path, mart: str, content: Content, counted: Counted) -> None:
        """Add a mart."""
        columns = ", ".join(f'"{field.name}" {_sqlite_type(field.type)}'.rstrip() for field in content.schema)
        places = ", ".join("?" * len(content.schema))
        try:
            with closing(sqlite3.connect(path)) as database, database:
                database.execute(f'CREATE TABLE "{mart}" ({columns})')
                for batch in content.batches:
                    cells = (map(sqlite_cell, column.to_pylist()) for column in batch.columns)
                    database.executemany(f'INSERT INTO "{mart}" VALUES ({places})', zip(*cells, strict=True))
                    counted(batch.num_rows)
        except sqlite3.Error as error:
            raise ExportError(f"{mart} was not written: SQLite says {error}. Run it again.") from None

    def finish(self, path: Path, manifest: Manifest) -> None:
        """Add the manifest."""
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(f"CREATE TABLE {MANIFEST_TABLE} (manifest TEXT)")
            database.execute(f"INSERT INTO {MANIFEST_TABLE} VALUES (?)", [json.dumps(manifest)])

    def manifest(self, path: Path) -> Manifest | None:
        """The manifest."""
        if not path.is_file():
            return None
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
                rows = database.execute(f"SELECT manifest FROM {MANIFEST_TABLE}").fetchall()
        except sqlite3.DatabaseError:
            return None
        return manifest_in(rows[0][0]) if len(rows) == 1 else None


FORMATS: dict[str, Format] = {each.name: each for each in (Csv(), Parquet(), DuckDb(), Sqlite())}


def manifest_in(text: str) -> Manifest | None:
    """Parse a manifest; None if `text` is not a manifest of this project."""
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict) or manifest.get("made_by") != MAKER:
        return None
    files = manifest.get("files")
    # These names are used to remove files later, so none may point outside of the folder.
    is_sound = isinstance(files, list) and all(
        isinstance(name, str) and FILE.fullmatch(name) for name in files
    )
    return manifest if is_sound else None


def _sqlite_type(kind: pa.DataType) -> str:
    """The column type, chosen so that SQLite's type affinity changes no value. https://www.sqlite.org/datatype3.html"""
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "INTEGER"
    if pa.types.is_floating(kind):
        return "REAL"
    if pa.types.is_binary(kind):
        return "BLOB"
    # A decimal is stored as a number or as text: without a declared type SQLite converts neither.
    return "" if pa.types.is_decimal(kind) else "TEXT"


def _sync(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
