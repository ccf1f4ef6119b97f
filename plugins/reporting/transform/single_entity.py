"""Transforms single entities: from records as their API returned them to rows of the raw tables and the staging models.

It uses the same landing, loader and dbt models as a sync, but in a temporary warehouse that the caller provides.
"""

import csv
import io
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from reporting.cells import csv_cell
from reporting.entity import Entity, NotionDatabase
from reporting.ingest.landing import Landing, Manifest, new_run_id
from reporting.ingest.load import load
from reporting.ingest.rows import Notes, rows_of
from reporting.settings import Settings
from reporting.sources.base import Page, Record
from reporting.transform import dbt

# A constant, so that the same records always give the same rows.
READ_AT = datetime(2000, 1, 1, tzinfo=UTC)
RAW_FILE = "raw.ndjson"


class InputError(Exception):
    """Some records cannot be used. The message says in which line and why, and quotes no part of a record."""


@dataclass(frozen=True, slots=True)
class Made:
    """The result: `files` by entity and file name, and `failures` with dbt's message for each node that failed."""

    files: Mapping[Entity, Mapping[str, bytes]]
    failures: Sequence[str] = field(default_factory=tuple)


def read_records(entity: Entity, path: Path) -> list[Record]:
    """The records of `entity` in a file with one JSON object per line. Raises `InputError`."""
    records: list[Record] = []
    lines: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    record = Record(_object(entity, path, number, line))
                    if record.id is None:
                        raise InputError(
                            f"line {number} of {path} has no key. Each record of {entity.table} needs the 'id' or "
                            "'resourceName' that its API returns."
                        )
                    if record.id in lines:
                        raise InputError(
                            f"line {number} of {path} has the same key as line {lines[record.id]}. Remove one of them."
                        )
                    lines[record.id] = number
                    records.append(record)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text ({type(error).__name__}).") from None
    if not records:
        raise InputError(f"{path} holds no record of {entity.table}. Write one JSON object per line into it.")
    return records


def run(
    client: bigquery.Client, settings: Settings, inputs: Mapping[Entity, Sequence[Record]], landing: Landing
) -> Made:
    """Load `inputs` into the raw tables, build the staging models that read them, and return the rows of both.

    The files of an entity are `raw.ndjson` (one row per line as a load job reads it, ordered by key) and `MODEL.csv` for
    each staging model (RFC 4180 in UTF-8, ordered by all columns; NULL is an empty cell, empty text is `""`). The
    warehouse must be at the newest revision, and its tables empty. Raises `InputError`, and the errors of `load`.
    """
    raw = {entity: _loaded(client, settings, entity, records, landing) for entity, records in inputs.items()}
    failures = _build(settings, inputs)
    models = _models(settings)
    return Made(
        {
            entity: {
                RAW_FILE: raw[entity],
                **{
                    f"{name}.csv": _csv(client, relation)
                    for name, relation in models.get(f"{entity.source}.{entity.name}", {}).items()
                },
            }
            for entity in inputs
        },
        failures,
    )


def _object(entity: Entity, path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        raise InputError(
            f"line {number} of {path} is not JSON. Each line holds one record of {entity.table} as a JSON object."
        ) from None
    if not isinstance(found, dict):
        raise InputError(f"line {number} of {path} is a JSON {type(found).__name__}; it must be an object.")
    return found


def _loaded(
    client: bigquery.Client,
    settings: Settings,
    entity: Entity,
    records: Sequence[Record],
    landing: Landing,
) -> bytes:
    run_id = new_run_id(entity.source, entity.name, "full", READ_AT)
    folder = landing.folder(entity.source, entity.name, run_id)
    with landing.writer(folder) as writer:
        writer.keep(Page(READ_AT, tuple(records)))
        manifest = writer.finish(
            Manifest(
                run_id=run_id,
                source=entity.source,
                entity=entity.name,
                refresh="full",
                started_at=READ_AT,
                extracted_at=READ_AT,
                window_since=None,
                cursor_at=READ_AT,
                record_count=len(records),
                tombstone_count=0,
                request_count=0,
                part_count=0,
                is_complete=True,
                schema=_described(entity, records),
            )
        )
    notes = Notes()
    rows = sorted(
        rows_of(entity, manifest, landing.pages(folder), settings, notes), key=lambda row: str(row["id"])
    )
    if notes.set_aside:
        key, why = next(iter(notes.set_aside.items()))
        raise InputError(
            f"the record {key} does not have the form that the API of {entity.table} returns ({why})."
        )
    load(client, settings, entity, landing, folder)
    return "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows).encode()


def _described(entity: Entity, records: Sequence[Record]) -> dict[str, Any]:
    """The schema that a Notion database would report, taken from its pages, since each names the types of its properties.
    Empty for other sources."""
    if not isinstance(entity, NotionDatabase):
        return {}
    properties = {
        name: {"id": value["id"], "name": name, "type": value["type"]}
        for record in records
        for name, value in record.payload["properties"].items()
    }
    return {"title": [], "properties": properties}


def _build(settings: Settings, entities: Mapping[Entity, Any]) -> list[str]:
    """Build and test the staging models that read `entities`. Returns one line per node that failed."""
    dbt.prepare(settings)
    select = [f"source:{entity.source}.{entity.name}+,tag:staging" for entity in entities]
    done = subprocess.run(
        dbt.build_command(settings, select),
        env=dbt.environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return []
    return dbt.failures(settings) or [f"dbt ended with {done.returncode}: {done.stdout.strip()[-500:]}"]


def _models(settings: Settings) -> dict[str, dict[str, str]]:
    """For each source (`notion.daily_habits`), the models of the last build that read it: name to relation."""
    built = {
        each["unique_id"]: each["relation_name"]
        for each in dbt.results(settings)
        if each["unique_id"].startswith("model.") and each["status"] == "success"
    }
    nodes = dbt.manifest(settings)["nodes"] if built else {}
    found: dict[str, dict[str, str]] = {}
    for unique_id, relation in built.items():
        for parent in nodes[unique_id]["depends_on"]["nodes"]:
            kind, _, *name = parent.split(".")
            if kind == "source":
                found.setdefault(".".join(name), {})[nodes[unique_id]["name"]] = relation
    return found


def _csv(client: bigquery.Client, relation: str) -> bytes:
    found = client.query_and_wait(f"SELECT * FROM {relation}")
    cells: Iterator[list[str | None]] = ([csv_cell(value) for value in row.values()] for row in found)
    rows = sorted(cells, key=lambda row: [(cell is not None, cell or "") for cell in row])
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NOTNULL, lineterminator="\n")
    writer.writerow([field.name for field in found.schema])
    writer.writerows(rows)
    return out.getvalue().encode()
