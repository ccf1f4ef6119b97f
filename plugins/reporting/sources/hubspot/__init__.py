"""Reads HubSpot's CRM: objects with their merges and deletes, associations, owners and pipelines.

Facts about the API are from its reference: https://developers.hubspot.com/docs/api-reference (objects, search,
associations, properties, owners, pipelines, usage guidelines).
"""

from reporting.entities import Entity, HubSpotObject
from reporting.sources.base import Reader
from reporting.sources.hubspot.api import HubSpot
from reporting.sources.hubspot.associations import AssociationsReader
from reporting.sources.hubspot.lists import OwnersReader, PipelinesReader
from reporting.sources.hubspot.objects import ObjectReader

__all__ = ["HubSpot", "reader"]


def reader(portal: HubSpot, entity: Entity, switched_off: frozenset[str] = frozenset()) -> Reader:
    """The reader of `entity`. `switched_off` are types whose associations are not read."""
    if isinstance(entity, HubSpotObject):
        return ObjectReader(portal, entity)
    if entity.name == "owners":
        return OwnersReader(portal)
    if entity.name == "pipelines":
        return PipelinesReader(portal)
    return AssociationsReader(portal, switched_off)
