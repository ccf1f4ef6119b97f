"""Opens the readers of Google Contacts."""

import json

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Reader
from reporting.sources.google_contacts.api import Account
from reporting.sources.google_contacts.lists import ContactsReader, GroupsReader
from reporting.sources.phones import check_region


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None) -> Reader:
    """A reader of `entity`. `token` is an authorized user as JSON. `base_url` is only set for a fake API."""
    check_region(settings.default_region)
    return reader_of(Account(json.loads(token), base_url), entity, settings.default_region)


def reader_of(account: Account, entity: Entity, default_region: str | None = None) -> Reader:
    """The reader of `entity`. `default_region` is the country of telephone numbers without a country code."""
    kind = ContactsReader if entity.name == "contacts" else GroupsReader
    return kind(account, entity, default_region)
