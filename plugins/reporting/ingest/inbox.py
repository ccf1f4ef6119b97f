"""Keeps accepted records of a stream, before their sender is told so: each request is a landing of its own in the inbox."""

from collections.abc import Sequence
from datetime import UTC, datetime

from reporting.entity import Entity
from reporting.ingest.landing import RUN_TIME, Landing, Manifest
from reporting.sources.base import Page, Record
from reporting.sources.stream.inbox import INBOX


def keep(
    landing: Landing, entity: Entity, records: Sequence[Record], request_id: str, received_at: datetime
) -> str:
    """Write the records of one request whole, and return the folder. A machine that loses its power does not lose them.

    `request_id` (lower-case letters and digits) tells requests of the same moment apart.
    """
    run_id = f"{INBOX}-{entity.name}-{request_id}-{received_at.astimezone(UTC):{RUN_TIME}}"
    folder = landing.folder(INBOX, entity.name, run_id)
    with landing.writer(folder) as writer:
        writer.keep(Page(received_at, tuple(records)))
        writer.finish(
            Manifest(
                run_id=run_id,
                source=INBOX,
                entity=entity.name,
                refresh="changed",
                started_at=received_at,
                extracted_at=received_at,
                window_since=None,
                cursor_at=None,
                record_count=0,
                tombstone_count=0,
                request_count=0,
                part_count=0,
                is_complete=True,
            )
        )
    landing.settle(folder)
    return folder
