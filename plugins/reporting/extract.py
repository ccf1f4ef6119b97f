"""Reads one entity into the landing: from the cursor, or everything with what is gone."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import bigquery

from reporting.entities import Entity
from reporting.landing import Landing, Manifest, Refresh, new_run_id
from reporting.settings import SWITCHED_OFF, Settings
from reporting.sources import notion
from reporting.sources.base import NotFoundError
from reporting.sources.notion import NotionSource
from reporting.warehouse import ledger
from reporting.warehouse.load import check_tombstone_share, live_ids

logger = logging.getLogger(__name__)

# A sweep of more rows than this costs the API fifty answers or more, and is not made daily.
LARGE_ROW_COUNT = 5000
LARGE_SWEEP_INTERVAL = timedelta(days=6)


class NotReadError(Exception):
    """There is nothing to read, on purpose: the entity is switched off, or optional and not there."""


def is_swept_lately(client: bigquery.Client, settings: Settings, entity: Entity) -> bool:
    """Whether a scheduled sweep can wait: the entity is large and was swept within six days."""
    sweep = ledger.last_sweep(client, settings, entity)
    return (
        sweep is not None
        and sweep.rows_read > LARGE_ROW_COUNT
        and datetime.now(UTC) - sweep.started_at < LARGE_SWEEP_INTERVAL
    )


def extract(
    client: bigquery.Client,
    settings: Settings,
    entity: Entity,
    refresh: Refresh,
    source: NotionSource,
    landing: Landing,
    *,
    tombstone_share: float | None = None,
) -> str:
    """Read `entity` to its end and return the landing's folder, which `load` takes.

    A `changed` read begins at the ledger's cursor, or at the beginning when there is none. The next cursor is
    the source's own clock before its first row was read: a row edited while the read went on is read again.
    Raises the errors of `reporting.sources.base`, `NotReadError`, and `TombstoneGuardError` before it asks
    about what is gone.
    """
    started_at = datetime.now(UTC)
    since = ledger.cursor(client, settings, entity) if refresh == "changed" else None
    data_source = _find(settings, entity, source)
    if entity.is_dated:
        # Said before thousands of rows are read rather than after.
        notion.date_property(data_source, settings.date_properties.get(entity.table))
    cursor_at = (source.server_started_at or started_at).replace(second=0, microsecond=0)
    run_id = new_run_id(entity.source, entity.name, refresh, started_at)
    folder = landing.folder(entity.source, entity.name, run_id)
    with landing.writer(folder) as writer:
        seen: set[str] = set()
        for page in source.read(data_source, since):
            writer.keep(page)
            if refresh == "full":
                seen.update(record.payload["id"] for record in page.records)
        if refresh == "full":
            live = live_ids(client, settings, entity, started_at)
            missing = sorted(live - seen)
            share = settings.tombstone_share if tombstone_share is None else tombstone_share
            check_tombstone_share(entity, len(missing), len(live), share)
            for page in source.ask_about(data_source, missing):
                writer.keep(page)
        manifest = writer.finish(
            Manifest(
                run_id=run_id,
                source=entity.source,
                entity=entity.name,
                refresh=refresh,
                started_at=started_at,
                extracted_at=datetime.now(UTC),
                window_since=since,
                cursor_at=cursor_at,
                record_count=writer.record_count,
                tombstone_count=writer.tombstone_count,
                request_count=source.request_count,
                part_count=writer.part_count,
                is_complete=True,
                schema=data_source,
            )
        )
    logger.info(
        "%s: %d records and %d tombstones in %d requests, kept in %s/%s.",
        entity.table,
        manifest.record_count,
        manifest.tombstone_count,
        manifest.request_count,
        landing.uri,
        folder,
    )
    return folder


def _find(settings: Settings, entity: Entity, source: NotionSource) -> dict[str, Any]:
    configured = settings.names.get(entity.table)
    if configured == SWITCHED_OFF:
        raise NotReadError(
            f"{entity.table} is switched off by REPORTING_NAME_{entity.table.upper()}={SWITCHED_OFF}."
        )
    try:
        return source.find(configured or entity.default_name)
    except NotFoundError as error:
        if not entity.is_optional or configured or error.found_count:
            raise
        raise NotReadError(
            f"Notion has no database '{entity.default_name}' that the integration sees; it is optional, so there is "
            f"nothing to read. Make one, or name another in REPORTING_NAME_{entity.table.upper()}."
        ) from None
