"""From an entity and a token to what reads it."""

import json

from reporting.entities import Entity, NotionDatabase
from reporting.settings import PREFIX, SWITCHED_OFF, Settings
from reporting.sources.base import NotReadError, Reader


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None = None) -> Reader:
    """A reader of `entity`; `base_url` is another server's for a stand-in. Raises `NotReadError` if switched off.

    `token` is the secret of the source's connection: a token, or for Google the JSON of an authorized user.
    """
    configured = settings.names.get(entity.table)
    if configured == SWITCHED_OFF:
        raise NotReadError(
            f"{entity.table} is switched off by {PREFIX}NAME_{entity.table.upper()}={SWITCHED_OFF}."
        )
    if isinstance(entity, NotionDatabase):
        from reporting.sources import notion

        source = notion.NotionSource(token, base_url or notion.DEFAULT_BASE_URL)
        return notion.NotionReader(source, entity, configured, settings.date_properties.get(entity.table))
    # Heavy: the plans of every country.
    from reporting.warehouse.phones import check_region

    check_region(settings.default_region)
    if entity.source == "google":
        from reporting.sources import google_contacts

        account = google_contacts.Account(json.loads(token), base_url)
        return google_contacts.reader(account, entity, settings.default_region)
    from reporting.sources import hubspot
    from reporting.sources.hubspot.api import DEFAULT_BASE_URL, HubSpot

    portal = HubSpot(token, base_url or DEFAULT_BASE_URL, settings.hubspot_version)
    prefix = f"{entity.source}__"
    switched_off = frozenset(
        table.removeprefix(prefix)
        for table, name in settings.names.items()
        if table.startswith(prefix) and name == SWITCHED_OFF
    )
    return hubspot.reader(portal, entity, switched_off, settings.default_region)
