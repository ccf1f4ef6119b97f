"""Opens the readers of HubSpot."""

from reporting.entity import Entity
from reporting.settings import SWITCHED_OFF, Settings
from reporting.sources.base import Reader
from reporting.sources.hubspot.api import DEFAULT_BASE_URL, HubSpot
from reporting.sources.hubspot.associations import AssociationsReader
from reporting.sources.hubspot.entities import HubSpotObject
from reporting.sources.hubspot.lists import OwnersReader, PipelinesReader
from reporting.sources.hubspot.objects import ObjectReader
from reporting.sources.phones import check_region


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None) -> Reader:
    """A reader of `entity`. `token` is a service key, or the token of a private app. `base_url` is only set for a fake API."""
    check_region(settings.default_region)
    portal = HubSpot(token, base_url or DEFAULT_BASE_URL, settings.hubspot_version)
    prefix = f"{entity.source}__"
    switched_off = frozenset(
        table.removeprefix(prefix)
        for table, name in settings.names.items()
        if table.startswith(prefix) and name == SWITCHED_OFF
    )
    return reader_of(portal, entity, switched_off, settings.default_region)


def reader_of(
    portal: HubSpot,
    entity: Entity,
    switched_off: frozenset[str] = frozenset(),
    default_region: str | None = None,
) -> Reader:
    """The reader of `entity`.

    `switched_off` are types whose associations are not read. `default_region` is the country of telephone numbers without a
    country code.
    """
    if isinstance(entity, HubSpotObject):
        return ObjectReader(portal, entity, default_region)
    if entity.name == "owners":
        return OwnersReader(portal)
    if entity.name == "pipelines":
        return PipelinesReader(portal)
    return AssociationsReader(portal, switched_off)
