"""Checkpoints of long reads: a small file beside an entity's landings, from which an interrupted read continues.

    {landing}/{source}/{entity}/checkpoint-{refresh}.json

The file is rewritten when a part of the landing is complete, but not too often. It names these parts and the reader's position
after them. A read that continues from a checkpoint is still the same read: it keeps its start time, which decides about its
tombstones and the next cursor.
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

from reporting.entity import Entity
from reporting.ingest import drift
from reporting.ingest.landing import DAMAGED, Landing, LandingWriter, Parts, Refresh
from reporting.settings import Settings
from reporting.sources.base import CLOCK_TOLERANCE, ResumableReader

logger = logging.getLogger(__name__)

# Less than a day, so that a daily full refresh does not continue the one of yesterday.
LIFETIME = timedelta(hours=20)
INTERVAL_SECONDS = 60.0
LINES_PER_CHECKPOINT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The kept part of a read. `started_at`, and `read_at` by the source's own clock, are times of its first attempt."""

    fingerprint: str
    parts: Parts
    started_at: datetime
    read_at: datetime
    request_count: int
    position: Mapping[str, Any]
    caps_met: int = 0

    def to_json(self) -> str:
        """The checkpoint as JSON."""
        return json.dumps(asdict(self), default=lambda at: at.isoformat(), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Checkpoint":
        """Parse a checkpoint. Raises one of `DAMAGED` if `text` is not one."""
        fields = json.loads(text)
        times = {name: datetime.fromisoformat(fields[name]) for name in ("started_at", "read_at")}
        if any(at.tzinfo is None for at in times.values()):
            raise ValueError("a time has no time zone")
        return cls(**{**fields, **times, "parts": Parts(**fields["parts"])})


class Checkpoints:
    """The checkpoint of one entity and refresh.

    `fingerprint` is from `fingerprint_of`: a read may only continue if it is the same.
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
        """The checkpoint to continue from; None if there is none, or if it is too old or has another fingerprint."""
        try:
            text = self._landing.note(self._path)
        except UnicodeDecodeError:
            text = ""
        if text is None:
            return None
        self._is_there = True
        found, why_not = self._usable(text)
        if found is None:
            logger.info(
                "%s: an interrupted read cannot continue: %s. Everything is read from the beginning.",
                self._entity.table,
                why_not,
            )
            return None
        logger.info(
            "%s: continues the read that began at %s UTC, after %d records that were kept.",
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
        """Write a checkpoint, unless the last one is recent or the reader cannot continue from here."""
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
        """Remove the checkpoint, because the read is complete or must not continue. The next one begins from the start."""
        if self._is_there:
            self._landing.remove_note(self._path)
            self._is_there = False

    def _usable(self, text: str) -> tuple[Checkpoint | None, str]:
        """The checkpoint if a read may continue from it, or else None and the reason."""
        try:
            found = Checkpoint.from_json(text)
        except DAMAGED:
            return None, "its checkpoint cannot be read"
        if found.fingerprint != self._fingerprint:
            return None, "the account, the configuration, the schema or the code has changed since"
        now = datetime.now(UTC)
        if (max(found.started_at, found.read_at) - now).total_seconds() > CLOCK_TOLERANCE:
            return None, "its start lies in the future, so the clock of this machine is or was wrong"
        if now - found.started_at > LIFETIME:
            return None, f"it began at {found.started_at:%Y-%m-%d %H:%M} UTC, too long ago"
        return found, ""


def fingerprint_of(
    settings: Settings,
    entity: Entity,
    refresh: Refresh,
    reader: ResumableReader,
    description: Mapping[str, Any],
) -> str:
    """A digest of the account, the configuration, the schema and the code. A read continues only if none of them changed."""
    parts = (
        entity.table,
        refresh,
        reader.account,
        # Only the parts of the description that influence records; it may also say when a database was last edited.
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
    """A digest of the project's own code, since a deployed copy has no version number."""
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()
