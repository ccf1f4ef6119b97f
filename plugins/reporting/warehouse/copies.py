"""Copies of single tables, as a backup keeps them: Parquet files below a folder, or snapshots in another project.

Both are written once and never changed; what a purge takes rows out of is another copy. A Parquet file holds JSON as
text, and everything else in the type of Arrow that BigQuery itself gives it:
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

from reporting.files import put_whole
from reporting.settings import Settings
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
# The names of standard SQL for those of the API.
SYNONYMS = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
    "DECIMAL": "NUMERIC",
}


class DamagedCopyError(WarehouseError):
    """A copy is not there, or is not what was kept; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A table as it was at one time, and where it is kept.

    `table` is `dataset.table` without the environment's prefix. `place` is a file relative to the backup's folder, or the
    full name of a snapshot, or empty for an empty table. `checksum` stands for all rows. `modified_at` is when BigQuery says that the table was last
    changed, None where it does not. `fields` are the columns as in BigQuery's API.
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
        """Whether the checksum is of the rows as lines; of a snapshot BigQuery makes another one."""
        return self.place.startswith(FOLDER)

    @property
    def schema(self) -> list[bigquery.SchemaField]:
        """The columns."""
        return [bigquery.SchemaField.from_api_repr(each) for each in self.fields]

    def to_json(self) -> dict[str, Any]:
        """The copy as plain values."""
        return asdict(self) | {"modified_at": self.modified_at.isoformat() if self.modified_at else None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Copy":
        """The copy that `to_json` gave."""
        at = values["modified_at"]
        return cls(**{**values, "modified_at": datetime.fromisoformat(at) if at else None})


class Copies(Protocol):
    """One way to keep tables."""

    def keep(self, table: bigquery.Table, name: str, backup_id: str, before: Copy | None) -> Copy:
        """A copy of `table` as it is now: `before` if it is the same, else one of this backup."""

    def check(self, copy: Copy) -> None:
        """Read the copy to its end. Raises `DamagedCopyError`."""

    def restore(self, copy: Copy, table: bigquery.Table) -> None:
        """Fill the empty `table`, which has the copy's columns. Raises `DamagedCopyError`."""

    def without(self, copy: Copy, is_erased: Callable[[Row], bool], name: str) -> Copy | None:
        """A new copy, named after `name`, without the rows that are to be erased; None when it has none of them."""

    def rows(self, copy: Copy) -> Iterator[Row]:
        """The rows, JSON as text. Raises `DamagedCopyError`."""

    def discard(self, is_needed: Callable[[str, str], bool]) -> int:
        """Remove the copies of which that (place, id of their backup) is false, and return how many."""


def open_copies(client: bigquery.Client, settings: Settings, files: Any, root: str) -> Copies:
    """The way that `settings` choose; `files` and `root` are fsspec's of the backup's folder."""
    if settings.backup_dataset:
        return Snapshots(client, settings.backup_dataset)
    return ParquetFiles(client, files, root, has_times=settings.emulator_host is None)


def is_same(copy: Copy, table: bigquery.Table) -> bool:
    """Whether BigQuery says that the table is as it was. The local one's times tell nothing."""
    return copy.modified_at is not None and copy.modified_at == table.modified


def empty_copy(table: bigquery.Table, name: str) -> Copy:
    """Of a table without rows there is nothing to keep but its columns."""
    return Copy(
        table=name, place="", row_count=0, checksum=str(Checksum()), modified_at=None, **described(table)
    )


def described(table: bigquery.Table) -> dict[str, Any]:
    """What a copy tells of its table."""
    return {
        "fields": [field.to_api_repr() for field in table.schema],
        "clustering": table.clustering_fields,
        "description": table.description,
    }


class ParquetFiles:
    """Tables as `tables/{dataset}.{table}/{backup id}.parquet`. A file appears when it is whole."""

    def __init__(self, client: bigquery.Client, files: Any, root: str, *, has_times: bool) -> None:
        self._client = client
        self._files = files
        self._root = root
        # The time of the local one's tables does not move with their rows.
        self._has_times = has_times

    def keep(self, table: bigquery.Table, name: str, backup_id: str, before: Copy | None) -> Copy:
        """A copy of `table` as it is now, by the time that BigQuery tells or by its content."""
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
                f"{self._root}/{copy.place} should hold {copy.table} with the checksum {copy.checksum}, and has {found}. "
                "Restore to another date, or leave the table out."
            )

    def restore(self, copy: Copy, table: bigquery.Table) -> None:
        """By a load job of lines: BigQuery takes no JSON from Parquet."""
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
        """Written anew only if there is something to erase."""
        if not any(map(is_erased, self.rows(copy))):
            return None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "table.parquet")
            kept = (row for row in self.rows(copy) if not is_erased(row))
            checksum = write_parquet(file, copy.table, copy.schema, kept)
            place = f"{FOLDER}{copy.table}/{name}.parquet"
            self._upload(file, place)
        values = copy.to_json() | {"place": place, "row_count": checksum.row_count, "checksum": str(checksum)}
        # The table itself is another one by now, too: the next backup compares the content.
        return Copy.from_json(values | {"modified_at": None})

    def rows(self, copy: Copy) -> Iterator[Row]:
        """A group at a time; an empty table has no file."""
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
        """Files that were cut off go as well."""
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
    """Tables as snapshots `{dataset}__{table}__{backup id}` in a dataset of another project, in the same location.

    A snapshot costs what was changed since, and BigQuery makes it without reading a row:
    https://cloud.google.com/bigquery/docs/table-snapshots-intro
    """

    def __init__(self, client: bigquery.Client, dataset: str) -> None:
        self._client = client
        self._dataset = dataset

    def keep(self, table: bigquery.Table, name: str, backup_id: str, before: Copy | None) -> Copy:
        """A snapshot, unless the table is as it was."""
        if before and is_same(before, table):
            return before
        place = f"{self._dataset}.{name.replace('.', '__')}__{backup_id}"
        # One that a killed backup left is of the same table a moment before, and may be another by now.
        self._run(f"DROP SNAPSHOT TABLE IF EXISTS `{place}`")
        self._run(f"CREATE SNAPSHOT TABLE `{place}` CLONE `{address_of(table)}`")
        return self._copy(place, name, table.modified, described(table))

    def check(self, copy: Copy) -> None:
        """Have BigQuery count and add up the rows."""
        try:
            found = self._checksum(copy.place)
        except NotFound as error:
            raise DamagedCopyError(
                f"the snapshot {copy.place}, which holds {copy.table}, is not there. Restore to another date, or leave the "
                "table out."
            ) from error
        if found != copy.checksum:
            raise DamagedCopyError(
                f"the snapshot {copy.place} should hold {copy.table} with the checksum {copy.checksum}, and has {found}. "
                "Restore to another date, or leave the table out."
            )

    def restore(self, copy: Copy, table: bigquery.Table) -> None:
        """Within BigQuery."""
        self.check(copy)
        names = ", ".join(f"`{field.name}`" for field in copy.schema)
        self._run(f"INSERT INTO `{address_of(table)}` ({names}) SELECT {names} FROM `{copy.place}`")

    def without(self, copy: Copy, is_erased: Callable[[Row], bool], name: str) -> Copy | None:
        """A snapshot cannot be changed: another one is made of a clone that can."""
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
        """Read as a table is."""
        return read_rows(self._client, copy.place, copy.schema)

    def discard(self, is_needed: Callable[[str, str], bool]) -> int:
        """Clones that a killed purge left go as well."""
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
        row = next(iter(self._client.query(sql).result()))
        return f"{row['n']}-{row['x'] or 0}"

    def _run(self, sql: str, parameters: Iterable[Any] = ()) -> None:
        config = bigquery.QueryJobConfig(query_parameters=list(parameters))
        self._client.query(sql, job_config=config).result()


def write_parquet(
    file: Path, name: str, fields: Iterable[bigquery.SchemaField], rows: Iterable[Row]
) -> Checksum:
    """Write `rows` of the table `name` to `file`, and return their checksum. Memory does not grow with their number."""
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
            f"the column {field.name} of {table} is of type {field.field_type} ({field.mode}), and a backup has no type of "
            "Parquet for it. Add one to TYPES in reporting/warehouse/copies.py."
        )
    return pa.list_(made) if field.mode == "REPEATED" else made
