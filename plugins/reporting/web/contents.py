"""The data behind the page of pipelines: the tables of each pipeline, their row counts and freshness, and downloads as CSV."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.exports.formats import Csv
from reporting.exports.marts import MARTS, Mart
from reporting.exports.reading import Interval, read
from reporting.ingest import freshness
from reporting.naming import DagId
from reporting.settings import Settings
from reporting.sources.registry import ENTITIES
from reporting.transform import builds

MARTS_PIPELINE = "mart_personal__models"
# A download is kept in memory up to this size in bytes, and on the disk if it is larger.
IN_MEMORY = 2**20
CHUNK = 2**16
# Tables that are larger, or take longer to read, must be exported with script/export, since a browser would not wait.
MOST_BYTES = 2**30
MOST_SECONDS = 600.0


class TooLargeError(Exception):
    """A table is too large for a download."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a pipeline. `row_count` includes tombstones; None if the table does not exist."""

    name: str
    row_count: int | None


@dataclass(frozen=True, slots=True)
class Contents:
    """The tables of a pipeline, and when it last updated them (UTC; None: never)."""

    tables: tuple[Table, ...]
    fresh_at: datetime | None


def pipeline_of(dag_id: str) -> str | None:
    """The pipeline of a DAG: the DAG's id without the refresh. None if the DAG does not belong to this project."""
    try:
        parts = DagId.parse(dag_id)
    except ValueError:
        return None
    return f"{parts.layer}_{parts.source}__{parts.entity}"


def tables() -> dict[str, tuple[str, Mart]]:
    """Every table that can be downloaded, by name: its pipeline, and how it is read."""
    raw = {
        entity.table: (f"raw_{entity.source}__{entity.name}", Mart(entity.table, ("id",), dataset="raw"))
        for entity in ENTITIES
    }
    return raw | {mart.name: (MARTS_PIPELINE, mart) for mart in MARTS}


def contents(client: bigquery.Client, settings: Settings) -> dict[str, Contents]:
    """The contents of all pipelines. Raises the errors of Google's client."""
    read_at = {name.replace(".", "__"): at for name, at in freshness.last_reads(client, settings).items()}
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
    """The rows of a table as CSV in pieces; at most the first `most` by key.

    All rows are read before the first piece is yielded, so that an error never leaves a truncated file. Raises `KeyError` for
    an unknown table, `ExportError`, `TooLargeError`, and the errors of Google's client.
    """
    until = time.monotonic() + MOST_SECONDS
    _, mart = tables()[table]
    content = read(client, settings, mart, Interval(), most)
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # closed after the last piece
    try:
        Csv().write_rows(file, content, lambda _: _check(file, until))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return _pieces(file)


def _check(file: IO[bytes], until: float) -> None:
    if file.tell() > MOST_BYTES or time.monotonic() > until:
        raise TooLargeError


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(CHUNK):
            yield piece


def _counts(client: bigquery.Client, settings: Settings) -> dict[str, int]:
    """The number of rows of each existing table, in one query. BigQuery bills nothing for counting all rows of a table."""
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
    rows = client.query_and_wait(" UNION ALL ".join(selects))
    return {row["name"]: row["row_count"] for row in rows}
