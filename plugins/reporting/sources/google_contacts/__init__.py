"""Reads Google Contacts through the People API: people and groups of one account, whole or since a sync token.

Facts about the API are from its reference: https://developers.google.com/people/api/rest
"""

from reporting.entities import Entity
from reporting.sources.base import Reader
from reporting.sources.google_contacts.api import Account
from reporting.sources.google_contacts.lists import ContactsReader, GroupsReader

__all__ = ["Account", "reader"]


def reader(account: Account, entity: Entity, default_region: str | None = None) -> Reader:
    """The reader of `entity`. `default_region` is that of telephone numbers, on which a row's content depends."""
    kind = ContactsReader if entity.name == "contacts" else GroupsReader
    return kind(account, entity, default_region)
