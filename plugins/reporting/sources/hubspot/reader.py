"""Opens the readers of HubSpot."""

from collections.abc import Mapping

from reporting.entity import Entity
from reporting.settings import PREFIX, SWITCHED_OFF, Settings
from reporting.sources.base import NotFoundError, Reader
from reporting.sources.hubspot.api import DEFAULT_BASE_URL, HubSpot
from reporting.sources.hubspot.associations import AssociationsReader
from reporting.sources.hubspot.entities import HUBSPOT, HubSpotObject
from reporting.sources.hubspot.history import HistoryReader
from reporting.sources.hubspot.lists import (
    EVERY_LIST,
    ListsReader,
    MembershipsReader,
    OwnersReader,
    PipelinesReader,
)
from reporting.sources.hubspot.objects import ObjectReader
from reporting.sources.phones import check_region


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None) -> Reader:
    """A reader of `entity`. `token` is a service key, or the token of a private app. `base_url` is only set for a fake API."""
    # The registry imports this source, and knows what the owner has added to it.
    from reporting.sources.registry import SOURCES

    check_region(settings.default_region)
    name = settings.names.get(entity.table)
    if isinstance(entity, HubSpotObject) and entity.needs_name and name != entity.path_name:
        raise NotFoundError(
            f"{PREFIX}NAME_{entity.table.upper()} is '{name}', and HubSpot calls this type {entity.path_name}. Set it to that, or to "
            f"{SWITCHED_OFF}."
        )
    portal = HubSpot(token, base_url or DEFAULT_BASE_URL, settings.hubspot_version)
    named = {each: settings.names.get(each.table) for each in SOURCES[entity.source].entities}
    objects = {
        each: name != SWITCHED_OFF and (name is not None or not each.needs_name)
        for each, name in named.items()
        if isinstance(each, HubSpotObject)
    }
    return reader_of(
        portal, entity, objects, settings.default_region, settings.names.get(entity.table, EVERY_LIST)
    )


def reader_of(
    portal: HubSpot,
    entity: Entity,
    objects: Mapping[HubSpotObject, bool] | None = None,
    default_region: str | None = None,
    named: str = EVERY_LIST,
) -> Reader:
    """The reader of `entity`.

    `objects` are all types, each with whether it is read; without them every type of the project's own is. `default_region` is
    the country of telephone numbers without a country code. `named` says which lists are read.
    """
    if isinstance(entity, HubSpotObject):
        return ObjectReader(portal, entity, default_region)
    if objects is None:
        objects = {each: True for each in HUBSPOT if isinstance(each, HubSpotObject)}
    on = [each for each, is_read in objects.items() if is_read]
    types = {each.object_type: each.name for each in on if each.object_type}
    match entity.name:
        case "owners":
            return OwnersReader(portal)
        case "pipelines":
            return PipelinesReader(portal, [each for each in on if each.has_pipelines])
        case "property_history":
            return HistoryReader(portal, on)
        case "lists":
            return ListsReader(portal, named, types)
        case "list_memberships":
            return MembershipsReader(portal, named, types)
    return AssociationsReader(portal, frozenset(each.name for each in objects if each not in on), on)
