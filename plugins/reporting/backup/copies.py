"""Copies single tables for a backup: to Parquet files in a folder, or to snapshots in another project.

A copy is written once and never changed; a purge writes a new copy without the erased rows. A Parquet file has JSON as
text, and every other column in the Arrow type that BigQuery itself uses:
https://cloud.google.com/bigquery/docs/reference/storage#arrow_schema_details
"""

import gzip
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import batched
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.settings import Settings
from reporting.storage.files import put_whole
from reporting.warehouse.client import WarehouseError
from reporting.warehouse.transfer import Checksum, Row, address_of, as_line, checksum_of, fill, read_rows

ROWS_PER_GROUP = 5_000
FOLDER = "tables/"
TYPES: dict[str, pa.DataType] = {
    "STRING": pa.string(),
    "JSON": pa.string(),
    "BYTES": pa.binary(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "DATETIME": pa.timestamp("us"),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
}
# The API's older names of types, and their names in standard SQL.
SYNONYMS = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
    "DECIMAL": "NUMERIC",
}


class DamagedCopyError(WarehouseError):
    """A copy is missing, or differs from what was kept. The message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Describes the copy of one table: what it holds, and where it is.

    `table` is `dataset.table` without the environment's prefix. `place` is the path of a file within the backups' folder, or
    the full name of a snapshot, or empty for a table without rows. `checksum` is that of all rows. `modified_at` is when the
    table last changed according to BigQuery (None: not known). `fields` are the columns as in BigQuery's API.
    """

    table: str
    place: str
    row_count: int
    checksum: str
    modified_at: datetime | None
    fields: list[dict[str, Any]]
    clustering: list[str] | None = None
    description: str | None = None

    @property
    def has_checksum_of_lines(self) -> bool:
        """Whether the checksum was made from lines of JSON; BigQuery computes that of a snapshot in another way."""
        return self.place.startswith(FOLDER)

    @property
    def schema(self) -> list[bigquery.SchemaField]:
        """The columns."""
        return [bigquery.SchemaField.from_api_repr(each) for each in self.fields]

    def to_json(self) -> dict[str, Any]:
        """The description as values that JSON has."""
        return asdict(self) | {"modified_at": self.modified_at.isoformat() if self.modified_at else None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Copy":
        """The description from the values that `to_json` returned."""
        at = values["modified_at"]
        return cls(**{**values, "modified_at": datetime.fromisoformat(at) if at else None})


class Copies(Protocol):
    """A way to keep copies of tables."""

    def keep(self, table: bigquery.Table, name: str, backup_id: str, before: Copy | None) -> Copy:
        """A copy of `table` as it is now: `before` if the table has not changed since, otherwise a new one."""

    def check(self, copy: Copy) -> None:
        """Read the copy to its end. Raises `DamagedCopyError`."""

    def restore(self, copy: Copy, table: bigquery.Table) -> None:
        """Fill the empty `table`, which has the copy's columns. Raises `DamagedCopyError`."""

    def without(self, copy: Copy, is_erased: Callable[[Row], bool], name: str) -> Copy | None:
        """A new copy, named after `name`, without the rows to be erased; None if there are no such rows in it."""

    def rows(self, copy: Copy) -> Iterator[Row]:
        """The rows, JSON as text. Raises `DamagedCopyError`."""

    def discard(self, is_needed: Callable[[str, str], bool]) -> int:
        """Remove the copies for which `is_needed(place, id of their backup)` is false, and return how many."""


def open_copies(client: bigquery.Client, settings: Settings, files: Any, root: str) -> Copies:
    """The way to keep copies that `settings` choose. `files` and `root` are the fsspec file system and folder of backups."""
    if settings.backup_dataset:
        return Snapshots(client, settings.backup_dataset)
    return ParquetFiles(client, files, root, has_times=settings.emulator_host is None)


def is_same(copy: Copy, table: bigquery.Table) -> bool:
    """Whether the table has not changed since the copy, by BigQuery's times. Those of the local BigQuery are not reliable."""
    return copy.modified_at is not None and copy.modified_at == table.modified


def empty_copy(table: bigquery.Table, name: str) -> Copy:
    """The description of a table without rows: only its columns are kept, and no file."""
    return Copy(
        table=name, place="", row_count=0, checksum=str(Checksum()), modified_at=None, **described(table)
    )


def described(table: bigquery.Table) -> dict[str, Any]:
    """The part of a copy's description that comes from the table itself."""
    return {
        "fields": [field.to_api_repr() for field in table.schema],
        "clustering": table.clustering_fields,
        "description": table.description,
    }


class ParquetFiles:
    """Keeps tables as `tables/{dataset}.{table}/{backup id}.parquet`. Files are written atomically."""

    def __init__(self, client: bigquery.Client, files: Any, root: str, *, has_times: bool) -> None:
        self._client = client
        self._files = files
        self._root = root
        # The local BigQuery does not update a table's time when its rows change.
        self._has_times = has_times

    def keep(self, table: bigquery.Table, name: str, backup_id: str, before: Copy | None) -> Copy:
        """A copy of `table` as it is now. Whether it changed is seen by BigQuery's time, or else by comparing the content."""
        about = described(table)
        is_same_shape = before is not None and before.fields == about["fields"]
        if before and is_same_shape and is_same(before, table):
            return before
        modified_at = table.modified if self._has_times else None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "table.parquet")
            rows = read_rows(self._client, address_of(table), table.schema)
            checksum = write_parquet(file, name, table.schema, rows)
            if before and is_same_shape and before.checksum == str(checksum):
                return replace(before, modified_at=modified_at)
            place = f"{FOLDER}{name}/{backup_id}.parquet"
            self._upload(file, place)
        return Copy(
            table=name,
            place=place,
            row_count=checksum.row_count,
            checksum=str(checksum),
            modified_at=modified_at,
            **about,
        )

    def check(self, copy: Copy) -> None:
        """Compare the file's rows with the checksum."""
        found = str(checksum_of(self.rows(copy)))
        if found != copy.checksum:
            raise DamagedCopyError(
                f"{self._root}/{copy.place} should hold {copy.table} with the checksum {copy.checksum}, but has {found}. "
                "Restore to another date, or leave the table out."
            )

    def restore(self, copy: Copy, table: bigquery.Table) -> None:
        """Load the rows as lines of JSON, since BigQuery cannot load a JSON column from Parquet."""
        with tempfile.TemporaryFile() as file:
            checksum = Checksum()
            with gzip.open(file, "wt", compresslevel=3, encoding="utf-8") as lines:
                for row in self.rows(copy):
                    line = as_line(row)
                    checksum.add(line)
                    lines.write(f"{line}\n")
            if str(checksum) != copy.checksum:
                self.check(copy)
            if checksum.row_count:
                file.seek(0)
                fill(self._client, table, copy.schema, file)

    def without(self, copy: Copy, is_erased: Callable[[Row], bool], name: str) -> Copy | None:
        """Write a new file, but only if there are rows to erase."""
        if not any(map(is_erased, self.rows(copy))):
            return None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "table.parquet")
            kept = (row for row in self.rows(copy) if not is_erased(row))
            checksum = write_parquet(file, copy.table, copy.schema, kept)
            place = f"{FOLDER}{copy.table}/{name}.parquet"
            self._upload(file, place)
        values = copy.to_json() | {"place": place, "row_count": checksum.row_count, "checksum": str(checksum)}
        # The purge changed the table as well, so its time says nothing: the next backup compares the content.
        return Copy.from_json(values | {"modified_at": None})

    def rows(self, copy: Copy) -> Iterator[Row]:
        """Read one row group at a time. A table without rows has no file."""
        if not copy.place:
            return
        path = f"{self._root}/{copy.place}"
        try:
            with self._files.open(path, "rb") as raw, pq.ParquetFile(raw) as file:
                for batch in file.iter_batches(ROWS_PER_GROUP):
                    yield from batch.to_pylist()
        except (OSError, EOFError, ValueError, pa.ArrowException) as error:
            reason = "is not there" if isinstance(error, FileNotFoundError) else "is damaged"
            raise DamagedCopyError(
                f"{path}, which holds {copy.table}, {reason} ({type(error).__name__}). Restore to another date, or leave "
                "the table out."
            ) from error

    def discard(self, is_needed: Callable[[str, str], bool]) -> int:
        """Remove files that are not needed, and parts that interrupted backups left."""
        discarded = 0
        for path in self._files.find(f"{self._root}/{FOLDER}"):
            place = FOLDER + path.rpartition(f"/{FOLDER}")[2]
            backup_id = place.rpartition("/")[2].partition(".")[0]
            if not is_needed(place, backup_id):
                with suppress(FileNotFoundError):
                    self._files.rm_file(path)
                discarded += 1
        return discarded

    def _upload(self, file: Path, place: str) -> None:
        put_whole(self._files, file, f"{self._root}/{place}")


class Snapshots:
    """Keeps tables as snapshots `{dataset}__{table}__{backup id}` in a dataset of another project, in the same location.

    Storage is billed only for rows that changed since, and BigQuery makes a snapshot without reading any row:
    https://cloud.google.com/bigquery/docs/table-snapshots-intro
    """

    def __init__(self, client: bigquery.Client, dataset: str) -> None:
        self._client = client
        self._dataset = dataset

    def keep(self, table: bigquery.Table, name: str, backup_id: str, before: Copy | None) -> Copy:
        """Make a snapshot, unless the table has not changed."""
        if before and is_same(before, table):
            return before
        place = f"{self._dataset}.{name.replace('.', '__')}__{backup_id}"
        # A killed backup may have left a snapshot of this name, and the table may have changed since.
        self._run(f"DROP SNAPSHOT TABLE IF EXISTS `{place}`")
        self._run(f"CREATE SNAPSHOT TABLE `{place}` CLONE `{address_of(table)}`")
        return self._copy(place, name, table.modified, described(table))

    def check(self, copy: Copy) -> None:
        """Let BigQuery compute the checksum of the rows, and compare it."""
        try:
            found = self._checksum(copy.place)
        except NotFound as error:
            raise DamagedCopyError(
                f"the snapshot {copy.place}, which holds {copy.table}, is not there. Restore to another date, or leave the "
                "table out."
            ) from error
        if found != copy.checksum:
            raise DamagedCopyError(
                f"the snapshot {copy.place} should hold {copy.table} with the checksum {copy.checksum}, but has {found}. "
                "Restore to another date, or leave the table out."
            )

    def restore(self, copy: Copy, table: bigquery.Table) -> None:
        """Within BigQuery."""
        self.check(copy)
        names = ", ".join(f"`{field.name}`" for field in copy.schema)
        self._run(f"INSERT INTO `{address_of(table)}` ({names}) SELECT {names} FROM `{copy.place}`")

    def without(self, copy: Copy, is_erased: Callable[[Row], bool], name: str) -> Copy | None:
        """A snapshot cannot be changed, so the rows are deleted from a clone, and a new snapshot is made of that."""
        column = copy.fields[0]["name"]
        erased = sorted({row[column] for row in self.rows(copy) if is_erased(row)})
        if not erased:
            return None
        clone = f"{self._dataset}.erasing__{copy.table.replace('.', '__')}"
        place = f"{self._dataset}.{copy.table.replace('.', '__')}__{name}"
        self._run(f"DROP TABLE IF EXISTS `{clone}`")
        self._run(f"CREATE TABLE `{clone}` CLONE `{copy.place}`")
        parameters = [bigquery.ArrayQueryParameter("erased", "STRING", erased)]
        self._run(f"DELETE FROM `{clone}` WHERE `{column}` IN UNNEST(@erased)", parameters)
        self._run(f"DROP SNAPSHOT TABLE IF EXISTS `{place}`")
        self._run(f"CREATE SNAPSHOT TABLE `{place}` CLONE `{clone}`")
        self._run(f"DROP TABLE `{clone}`")
        about = {name: getattr(copy, name) for name in ("fields", "clustering", "description")}
        return self._copy(place, copy.table, None, about)

    def rows(self, copy: Copy) -> Iterator[Row]:
        """Read the rows of the snapshot, as of any table."""
        return read_rows(self._client, copy.place, copy.schema)

    def discard(self, is_needed: Callable[[str, str], bool]) -> int:
        """Remove snapshots that are not needed, and clones that a killed purge left."""
        discarded = 0
        for item in self._client.list_tables(self._dataset):
            place = f"{self._dataset}.{item.table_id}"
            if not is_needed(place, item.table_id.rpartition("__")[2]):
                self._client.delete_table(place, not_found_ok=True)
                discarded += 1
        return discarded

    def _copy(self, place: str, name: str, modified_at: datetime | None, about: dict[str, Any]) -> Copy:
        checksum = self._checksum(place)
        count = int(checksum.partition("-")[0])
        return Copy(
            table=name, place=place, row_count=count, checksum=checksum, modified_at=modified_at, **about
        )

    def _checksum(self, place: str) -> str:
        sql = f"SELECT COUNT(*) AS n, BIT_XOR(FARM_FINGERPRINT(TO_JSON_STRING(t))) AS x FROM `{place}` AS t"
        row = next(iter(self._client.query_and_wait(sql)))
        return f"{row['n']}-{row['x'] or 0}"

    def _run(self, sql: str, parameters: Iterable[Any] = ()) -> None:
        config = bigquery.QueryJobConfig(query_parameters=list(parameters))
        self._client.query_and_wait(sql, job_config=config)


def write_parquet(
    file: Path, name: str, fields: Iterable[bigquery.SchemaField], rows: Iterable[Row]
) -> Checksum:
    """Write `rows` of the table `name` to `file`, and return their checksum. Memory does not grow with the number of rows."""
    schema = pa.schema([pa.field(field.name, _arrow(name, field)) for field in fields])
    checksum = Checksum()
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batched(rows, ROWS_PER_GROUP, strict=False):
            for row in batch:
                checksum.add(as_line(row))
            writer.write_table(pa.Table.from_pylist(list(batch), schema=schema))
    return checksum


def _arrow(table: str, field: bigquery.SchemaField) -> pa.DataType:
    kind = SYNONYMS.get(field.field_type, field.field_type)
    if kind == "RECORD":
        made = pa.struct([pa.field(each.name, _arrow(table, each)) for each in field.fields])
    elif kind in TYPES and not (kind == "JSON" and field.mode == "REPEATED"):
        made = TYPES[kind]
    else:
        raise WarehouseError(
            f"the column {field.name} of {table} has the type {field.field_type} ({field.mode}), for which backups have no "
            "Parquet type. Add one to TYPES in reporting/backup/copies.py."
        )
    return pa.list_(made) if field.mode == "REPEATED" else made
