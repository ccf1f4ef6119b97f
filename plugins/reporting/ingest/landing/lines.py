"""How records and tombstones are written as lines of JSON in the parts of a landing, and read again.

A part is a gzipped file of NDJSON: one line per record or tombstone.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from reporting.sources.base import Page, Record, Tombstone
from reporting.sources.fast_json import as_utf8, has_wide_integer, loads
from reporting.sources.shapes import repaired

# Level 6 is a fifth smaller and takes three times as long.
COMPRESSION = 3

TOMBSTONE_FIELDS = frozenset(each.name for each in fields(Tombstone))


def part_name(number: int) -> str:
    """The name of a landing's part; the first one is number 0."""
    return f"part-{number:05d}.ndjson.gz"


def is_part(name: str) -> bool:
    """Whether a file of that name is a part of a landing."""
    return name.startswith("part-") and name.endswith(".ndjson.gz")


def read_part(files: Any, path: str) -> Iterator[bytes]:
    """The lines of the part at `path`. Raises one of `DAMAGED_PART` where it is not what was written."""
    with files.open(path, "rb") as raw, gzip.open(raw, "rb") as lines:
        yield from lines


def as_text(value: object) -> str:
    """A time as JSON has it, for `json.dumps`. Raises `TypeError` for everything else that JSON does not know."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not kept in a landing")


def _storable(digits: str) -> int | float:
    """A whole number as a JSON column can hold it: beyond 64 bits only the nearest FLOAT64."""
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(digits)


def as_kept(page: Page) -> Iterator[Page]:
    """What a landing that kept `page` gives back: JSON changes numbers that a JSON column cannot hold."""
    return map(page_of, lines_of(page))


def lines_of(page: Page) -> Iterator[bytes]:
    """A page as lines of JSON, without their ends."""
    requested_at = page.requested_at.isoformat()
    for record in page.records:
        values = {"values": record.values} if record.values else {}
        yield _line({"requested_at": requested_at, "payload": record.payload, **values})
    for tombstone in page.tombstones:
        yield _line({"requested_at": requested_at, "tombstone": asdict(tombstone)})


def _line(content: dict[str, Any]) -> bytes:
    text = as_utf8(content)
    if text is None:
        try:
            text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
        except ValueError:
            # NaN and infinities, which JSON does not have.
            text = json.dumps(repaired(content), separators=(",", ":"), allow_nan=False).encode()
    return text


def page_of(text: str | bytes) -> Page:
    """The page of one record or tombstone that a line holds. Raises one of `DAMAGED`."""
    line = loads(text)
    if has_wide_integer(line):
        line = json.loads(text, parse_int=_storable)
    requested_at = datetime.fromisoformat(line["requested_at"])
    if "tombstone" in line:
        # A later version may have told more, and may have been taken back.
        told = {name: value for name, value in line["tombstone"].items() if name in TOMBSTONE_FIELDS}
        return Page(requested_at, tombstones=(Tombstone(**told),))
    return Page(requested_at, (Record(line["payload"], line.get("values", {})),))
