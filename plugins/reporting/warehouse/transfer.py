"""Reads and replaces all rows of a table. JSON columns are read and written as text, so that no value changes on the way.

A load job may store a string for a JSON column as a JSON string or parse it, and a client that parses JSON may round its
numbers. So the JSON is text in both directions, and only BigQuery itself converts it.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import IO, Any

from google.cloud import bigquery

Row = dict[str, Any]
# So many rows with their payloads make an answer of about ten megabytes.
ROWS_PER_PAGE = 5_000


def staged_field(field: bigquery.SchemaField) -> bigquery.SchemaField:
    """The column of a stage table for `field`: the same, but STRING instead of JSON."""
    kind = "STRING" if field.field_type == "JSON" else field.field_type
    inner = tuple(staged_field(each) for each in field.fields)
    return bigquery.SchemaField(field.name, kind, field.mode, fields=inner)


def merged_value(field: bigquery.SchemaField) -> str:
    """A SQL expression that converts a value of the stage table into the type of the table itself."""
    return _converted(field, lambda value: f"PARSE_JSON({value})")


def staged_value(field: bigquery.SchemaField) -> str:
    """A SQL expression that converts a value into that of a stage table. A JSON null stays different from a SQL NULL."""
    return _converted(field, lambda value: f"IF({value} IS NULL, NULL, TO_JSON_STRING({value}))")


def read_rows(
    client: bigquery.Client,
    table: str,
    fields: Sequence[bigquery.SchemaField],
    where: str = "TRUE",
    also: Sequence[str] = (),
) -> Iterator[Row]:
    """Every row of `table` (project.dataset.table) with these fields, JSON as text, and what else is selected, in no order."""
    sql = f"SELECT {', '.join((*map(staged_value, fields), *also))} FROM `{table}` WHERE {where}"
    for row in client.query(sql).result(page_size=ROWS_PER_PAGE):
        yield dict(row.items())


def address_of(table: bigquery.Table | bigquery.TableReference) -> str:
    """The full name of a table: `project.dataset.table`."""
    return f"{table.project}.{table.dataset_id}.{table.table_id}"


def as_line(row: Row) -> str:
    """A row as one line of JSON. Equal rows give equal lines, whether they were read from BigQuery or from a file."""
    return json.dumps(row, default=_plain, sort_keys=True, separators=(",", ":"))


class Checksum:
    """A checksum of rows that does not depend on their order. Its text begins with the number of rows."""

    def __init__(self) -> None:
        self.row_count = 0
        self._sum = 0

    def add(self, line: str) -> None:
        """Add one row, as `as_line` writes it."""
        self.row_count += 1
        self._sum += int.from_bytes(hashlib.sha256(line.encode()).digest()[:16])

    def __str__(self) -> str:
        return f"{self.row_count}-{self._sum % 2**128:032x}"


def checksum_of(rows: Iterable[Row]) -> Checksum:
    """The checksum of all rows."""
    found = Checksum()
    for row in rows:
        found.add(as_line(row))
    return found


def fill(
    client: bigquery.Client, table: bigquery.Table, fields: Sequence[bigquery.SchemaField], lines: IO[bytes]
) -> None:
    """Replace all rows of `table` by those in a gzipped file of JSON lines with these fields.

    The rows are first loaded into a stage table beside it, which is removed afterwards.
    """
    reference = bigquery.DatasetReference(table.project, table.dataset_id).table(f"stage__{table.table_id}")
    config = bigquery.LoadJobConfig(
        schema=[staged_field(field) for field in fields],
        source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
    )
    client.load_table_from_file(lines, reference, job_config=config).result()
    replace_rows(
        client, str(table.reference), str(reference), [(each.name, merged_value(each)) for each in fields]
    )
    client.delete_table(reference, not_found_ok=True)


def replace_rows(client: bigquery.Client, table: str, source: str, values: Sequence[tuple[str, str]]) -> None:
    """Replace all rows of `table` by the rows of `source` in one statement. Columns that are not in `values` become null.

    `values` are pairs: a column of `table`, and a SQL expression over the columns of `source`.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#merge_statement (the constant false)
    """
    names = ", ".join(f"`{name}`" for name, _ in values)
    sql = f"""
        MERGE `{table}` T
        USING (SELECT {", ".join(value for _, value in values)} FROM `{source}`) S
        ON FALSE
        WHEN NOT MATCHED BY TARGET THEN INSERT ({names}) VALUES ({", ".join(f"S.`{name}`" for name, _ in values)})
        WHEN NOT MATCHED BY SOURCE THEN DELETE
    """
    client.query_and_wait(sql)


def _converted(field: bigquery.SchemaField, convert: Any) -> str:
    if field.field_type == "JSON":
        return f"{convert(field.name)} AS {field.name}"
    if field.field_type == "RECORD" and field.mode == "REPEATED":
        parts = [
            f"{convert(f'p.{each.name}')} AS {each.name}" if each.field_type == "JSON" else f"p.{each.name}"
            for each in field.fields
        ]
        return (
            f"ARRAY(SELECT AS STRUCT {', '.join(parts)} FROM UNNEST({field.name}) AS p WITH OFFSET AS o ORDER BY o) "
            f"AS {field.name}"
        )
    return str(field.name)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not kept in a backup")
