"""Where a long read can go on that was cut off: a small file beside an entity's landings.

    {landing}/{source}/{entity}/checkpoint-{refresh}.json

It is renewed whenever a part of the landing is whole, at most so often, and leads to these parts and to the reader's
position after them. A read that goes on from it is the same read, only slower: it keeps its start, from which its
tombstones and the next cursor count.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from reporting.entities import Entity
from reporting.landing import Landing, LandingWriter, Parts, Refresh
from reporting.settings import Settings
from reporting.sources.base import ResumableReader
from reporting.warehouse import drift

logger = logging.getLogger(__name__)

# Less than from one daily sweep to the next, which must not end yesterday's.
LIFETIME = timedelta(hours=20)
INTERVAL_SECONDS = 60.0
LINES_PER_CHECKPOINT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A read as far as it is kept. `started_at` and `read_at`, the source's own clock, are those of its first attempt."""

    fingerprint: str
    parts: Parts
    started_at: datetime
    read_at: datetime
    request_count: int
    position: Mapping[str, Any]
    caps_met: int = 0

    def to_json(self) -> str:
        """The checkpoint as text."""
        return json.dumps(asdict(self), default=lambda at: at.isoformat(), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Checkpoint":
        """The checkpoint that `text` holds. Raises `ValueError`, `KeyError` or `TypeError` when it holds none."""
        fields = json.loads(text)
        times = {name: datetime.fromisoformat(fields[name]) for name in ("started_at", "read_at")}
        return cls(**{**fields, **times, "parts": Parts(**fields["parts"])})


class Checkpoints:
    """The checkpoint of one entity's reads of one kind.

    `fingerprint` stands for all that must be the same for a read to go on, as `fingerprint_of` makes it.
    """

    def __init__(
        self,
        landing: Landing,
        entity: Entity,
        refresh: Refresh,
        fingerprint: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._landing = landing
        self._entity = entity
        self._path = f"{entity.source}/{entity.name}/checkpoint-{refresh}.json"
        self._fingerprint = fingerprint
        self._monotonic = monotonic
        self._kept_at = monotonic()
        self._kept_lines = 0
        self._is_there = False

    def find(self) -> Checkpoint | None:
        """Where a read that was cut off can go on; None where there is none, or it is too old, or of something else."""
        text = self._landing.note(self._path)
        if text is None:
            return None
        self._is_there = True
        found, why_not = self._usable(text)
        if found is None:
            logger.info(
                "%s: a read that was cut off does not go on: %s. This one begins anew.",
                self._entity.table,
                why_not,
            )
            return None
        logger.info(
            "%s: goes on with the read that began at %s UTC, after %d records that are kept.",
            self._entity.table,
            f"{found.started_at:%Y-%m-%d %H:%M}",
            found.parts.record_count,
        )
        self._kept_lines = found.parts.record_count + found.parts.tombstone_count
        return found

    def note(
        self,
        writer: LandingWriter,
        folder: str,
        position: Mapping[str, Any] | None,
        *,
        started_at: datetime,
        read_at: datetime,
        request_count: int,
        caps_met: int,
    ) -> None:
        """Keep where the read is, if the last time was some while ago and it can go on from there."""
        lines = writer.record_count + writer.tombstone_count
        now = self._monotonic()
        is_due = now - self._kept_at >= INTERVAL_SECONDS or lines - self._kept_lines >= LINES_PER_CHECKPOINT
        if position is None or not is_due:
            return
        writer.cut()
        checkpoint = Checkpoint(
            fingerprint=self._fingerprint,
            parts=Parts(folder, writer.part_count, writer.record_count, writer.tombstone_count),
            started_at=started_at,
            read_at=read_at,
            request_count=request_count,
            position=position,
            caps_met=caps_met,
        )
        self._landing.write_note(self._path, checkpoint.to_json())
        self._is_there = True
        self._kept_at, self._kept_lines = now, lines

    def forget(self) -> None:
        """The read came to its end, or must not go on: the next one begins anew."""
        if self._is_there:
            self._landing.remove_note(self._path)
            self._is_there = False

    def _usable(self, text: str) -> tuple[Checkpoint | None, str]:
        """The checkpoint, or why it is none to go on from."""
        try:
            found = Checkpoint.from_json(text)
        except (ValueError, KeyError, TypeError):
            return None, "its checkpoint is not readable"
        if found.fingerprint != self._fingerprint:
            return None, "the account, the configuration, the schema or the code is another one by now"
        if datetime.now(UTC) - found.started_at > LIFETIME:
            return None, f"it began at {found.started_at:%Y-%m-%d %H:%M} UTC, too long ago"
        return found, ""


def fingerprint_of(
    settings: Settings,
    entity: Entity,
    refresh: Refresh,
    reader: ResumableReader,
    description: Mapping[str, Any],
) -> str:
    """Stands for account, configuration, schema and code: a read goes on only where none of them changed."""
    parts = (
        entity.table,
        refresh,
        reader.account,
        # Of a description only what shapes the records: a database may say when it was last edited.
        description.get("id"),
        drift.digest(entity.source, description),
        dict(settings.names),
        dict(settings.date_properties),
        settings.hubspot_version,
        settings.default_region,
        _code(),
    )
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def _code() -> str:
    """A digest of the project's own code, which has no version of its own where it is deployed."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()
