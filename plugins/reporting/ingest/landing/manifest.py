"""The manifest: the file beside a landing's parts that says what they hold, and by which run."""

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal

from reporting.ingest.landing.lines import as_text

MANIFEST = "manifest.json"
# How a run's id ends.
RUN_TIME = "%Y%m%dT%H%M%S%f"

Refresh = Literal["full", "changed"]
# What the sync log says of a run: a replay is a load of an earlier run's landing.
Kind = Literal[Refresh, "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a landing holds. Times are UTC.

    `cursor_at` is where the next `changed` read begins, None where this read leaves that as it is. `window_since` is None
    for a full refresh, `window_until` in manifests from before there were windows. `schema` is the
    source's own description of the entity at the time. `missing_count` is how many of the tombstones are for records that
    a full refresh did not meet, `rejected_count` how many of the records have no key. `content_digest` stands for all that a
    full refresh read, and `is_unchanged` says that the warehouse holds just that already. `sync_token` is where the source says
    that the next `changed` read begins. `caps_met` is how often a query met the source's cap on what one returns, and another
    went on. `schema_digest` stands for the properties in `schema`, and `has_new_schema` says
    that they are not those of the last run. `base_run_id` is the run that was the entity's last one in the sync log when this
    read began.
    """

    run_id: str
    source: str
    entity: str
    refresh: Kind
    started_at: datetime
    extracted_at: datetime
    window_since: datetime | None
    cursor_at: datetime | None
    record_count: int
    tombstone_count: int
    request_count: int
    part_count: int
    is_complete: bool
    window_until: datetime | None = None
    missing_count: int | None = None
    rejected_count: int = 0
    content_digest: str | None = None
    is_unchanged: bool = False
    sync_token: str | None = None
    schema_digest: str | None = None
    caps_met: int = 0
    has_new_schema: bool = False
    base_run_id: str | None = None
    schema: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The manifest as text."""
        return json.dumps(asdict(self), default=as_text, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """The manifest that `text` holds, without what only a later version knows. Raises one of `DAMAGED`."""
        names = {each.name for each in fields(cls)}
        given = {name: value for name, value in json.loads(text).items() if name in names}
        times = ("started_at", "extracted_at", "window_since", "window_until", "cursor_at")
        parsed = {name: datetime.fromisoformat(given[name]) if given.get(name) else None for name in times}
        return cls(**{**given, **parsed})


def new_run_id(source: str, entity: str, refresh: Refresh, at: datetime | None = None) -> str:
    """A name for one read: sortable by time, fit for a folder and for a BigQuery job id."""
    return f"{source}-{entity}-{refresh}-{(at or datetime.now(UTC)):{RUN_TIME}}"


def begun_at(folder: str) -> datetime:
    """When the run of a landing began, by its id. What is no run's began now: it is nothing of ours to remove."""
    try:
        return datetime.strptime(f"{folder.rsplit('-', 1)[-1]}+0000", f"{RUN_TIME}%z")
    except ValueError:
        return datetime.now(UTC)
