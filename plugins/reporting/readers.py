"""From an entity and a token to what reads it."""

import json

from reporting.entity import Entity, NotionDatabase, SheetTab, SqlTable
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
    if configured is None and entity.needs_name:
        raise NotReadError(
            f"{entity.table} is not configured, and so not read: set {PREFIX}NAME_{entity.table.upper()}."
        )
    if isinstance(entity, NotionDatabase):
        from reporting.sources import notion

        source = notion.NotionSource(token, base_url or notion.DEFAULT_BASE_URL)
        return notion.NotionReader(source, entity, configured, settings.date_properties.get(entity.table))
    if isinstance(entity, SheetTab):
        from reporting.sources import google_sheets
        from reporting.sources.google_api import GoogleAccount

        sheets = GoogleAccount(google_sheets.SHEETS, json.loads(token), base_url)
        address, columns = settings.names[entity.table], settings.columns.get(entity.table)
        return google_sheets.SheetReader(sheets, entity, address, columns)
    if isinstance(entity, SqlTable):
        from reporting.sources.sql import SqlReader

        return SqlReader(token, entity, configured or entity.name)
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
