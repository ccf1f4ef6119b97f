"""What the warehouse says of each pipeline: its tables with their rows, how fresh they are, and the rows themselves as CSV."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.entities import ENTITIES
from reporting.exports.formats import Csv
from reporting.exports.marts import MARTS, Mart
from reporting.exports.reading import Interval, read
from reporting.naming import DagId
from reporting.settings import Settings
from reporting.warehouse import builds, ledger

MARTS_PIPELINE = "mart_personal__models"
# A download is kept in memory up to so many bytes, and beyond that on the disk.
IN_MEMORY = 2**20
CHUNK = 2**16


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a pipeline. `row_count` counts tombstones too, and is None while the table is not there."""

    name: str
    row_count: int | None


@dataclass(frozen=True, slots=True)
class Contents:
    """The tables of a pipeline, and when it last brought them up to date (UTC); None where it never did."""

    tables: tuple[Table, ...]
    fresh_at: datetime | None


def pipeline_of(dag_id: str) -> str | None:
    """The pipeline of a DAG: what it is about, without how it is refreshed; None for a DAG that is not of this project."""
    try:
        parts = DagId.parse(dag_id)
    except ValueError:
        return None
    return f"{parts.layer}_{parts.source}__{parts.entity}"


def tables() -> dict[str, tuple[str, Mart]]:
    """Every table that can be taken away, by its name: its pipeline, and how it is read."""
    raw = {
        entity.table: (f"raw_{entity.source}__{entity.name}", Mart(entity.table, ("id",), dataset="raw"))
        for entity in ENTITIES
    }
    return raw | {mart.name: (MARTS_PIPELINE, mart) for mart in MARTS}


def contents(client: bigquery.Client, settings: Settings) -> dict[str, Contents]:
    """What there is, by pipeline. Raises the errors of Google's client."""
    read_at = ledger.last_reads(client, settings)
    built_at = builds.last_build(client, settings)
    counts = _counts(client, settings)
    found: dict[str, list[Table]] = {}
    for name, (pipeline, _) in tables().items():
        found.setdefault(pipeline, []).append(Table(name, counts.get(name)))
    return {
        pipeline: Contents(tuple(each), built_at if pipeline == MARTS_PIPELINE else read_at.get(each[0].name))
        for pipeline, each in found.items()
    }


def csv(client: bigquery.Client, settings: Settings, table: str, most: int | None) -> Iterator[bytes]:
    """The rows of a table as CSV, the first `most` of them by its key, in pieces.

    All of it is read before the first piece, so that what fails fails whole. Raises `KeyError` for a name that is none,
    `ExportError`, and the errors of Google's client.
    """
    _, mart = tables()[table]
    content = read(client, settings, mart, Interval(), most)
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # whoever takes the last piece closes it
    try:
        Csv().write_rows(file, content, lambda _: None)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return _pieces(file)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(CHUNK):
            yield piece


def _counts(client: bigquery.Client, settings: Settings) -> dict[str, int]:
    """How many rows each table has, in one query, of those that are there. BigQuery bills nothing for counting all rows."""
    there: dict[str, str] = {}
    for dataset in ("raw", "marts"):
        try:
            for table in client.list_tables(f"{settings.project}.{settings.dataset(dataset)}"):
                there[table.table_id] = dataset
        except NotFound:
            continue
    selects = [
        f"SELECT '{name}' AS name, COUNT(*) AS row_count "
        f"FROM `{settings.project}.{settings.dataset(dataset)}.{name}`"
        for name, dataset in there.items()
        if name in tables()
    ]
    if not selects:
        return {}
    rows = client.query(" UNION ALL ".join(selects)).result()
    return {row["name"]: row["row_count"] for row in rows}
