"""Finds all sources and entities: each package of `reporting.sources` has one `Source`, each raw table is one `Entity`.

The owner's own packages are those of `reporting.sources.own`: a `SOURCE`, or `ENTITIES` of sources that are there, or both.

If a package cannot be imported, only its own entities are missing. `BROKEN` says which packages, and why.
"""

import importlib
import logging
import pkgutil
from dataclasses import replace
from typing import Any

from reporting import sources
from reporting.entity import Entity
from reporting.naming import nearest
from reporting.settings import PREFIX, SWITCHED_OFF, Settings
from reporting.sources import own
from reporting.sources.base import NotReadError, Reader, Source

logger = logging.getLogger(__name__)

BROKEN: dict[str, str] = {}
# The raw tables of the owner's own packages.
OWN: set[str] = set()
# Packages beside the sources that are none: what declared ones are made with, and the folder of the owner's own.
NO_SOURCES = ("rest", "own")


def _found() -> dict[str, Source]:
    found: dict[str, Source] = {}
    for package in (sources, own):
        for module in pkgutil.iter_modules(package.__path__):
            if not module.ispkg or (package is sources and module.name in NO_SOURCES):
                continue
            name = f"{package.__name__}.{module.name}"
            try:
                declared = importlib.import_module(name)
                _take(found, declared, is_own=package is own)
            except Exception as error:
                # As it stands below `sources`.
                folder = name.removeprefix(f"{sources.__name__}.").replace(".", "/")
                BROKEN[folder] = f"{type(error).__name__}: {error}"
                logger.exception("the source in sources/%s cannot be imported, so it is not read.", folder)
    return found


def _take(found: dict[str, Source], declared: Any, is_own: bool) -> None:
    """Add the source of a package, and to the other sources the entities of the owner's own that it has for them."""
    source: Source | None = getattr(declared, "SOURCE", None)
    entities: tuple[Entity, ...] = getattr(declared, "ENTITIES", ()) if is_own else ()
    if source is None and not entities:
        raise AttributeError("the package has no SOURCE" + (" and no ENTITIES" if is_own else ""))
    if source is not None and source.name in found:
        raise ValueError(f"there is another source named '{source.name}'")
    taken = {each.table for known in found.values() for each in known.entities}
    for each in (*entities, *(source.entities if source else ())):
        if each.table in taken:
            raise ValueError(f"there is another entity {each.table}")
        taken.add(each.table)
    if lacking := [each.table for each in entities if each.source not in found]:
        raise ValueError(f"there is no source for {lacking[0]}")
    # All or nothing, and so after everything that is checked.
    if source is not None:
        found[source.name] = source
    for each in entities:
        known = found[each.source]
        found[each.source] = replace(known, entities=(*known.entities, each))
    if is_own:
        OWN.update(each.table for each in (*entities, *(source.entities if source else ())))


SOURCES: dict[str, Source] = _found()
ENTITIES: tuple[Entity, ...] = tuple(entity for source in SOURCES.values() for entity in source.entities)


def entity_named(name: str) -> Entity:
    """The entity with the name of a raw table (`notion__daily_habits`), or with the name that dbt and the sync log use
    (`notion.daily_habits`).

    Raises `LookupError` with those whose names are near, or else with all of them.
    """
    for entity in ENTITIES:
        if name in (entity.table, f"{entity.source}.{entity.name}"):
            return entity
    tables = [each.table for each in ENTITIES]
    raise LookupError(
        f"'{name}' is not an entity.{nearest(name, tables) or f' Use one of {", ".join(tables)}.'}"
    )


def title_of(source: str) -> str:
    """The title of the source `source`, as people call it."""
    return SOURCES[source].title if source in SOURCES else source


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None = None) -> Reader:
    """A reader of `entity`. `base_url` is only set for a fake API. Raises `NotReadError` if the entity is switched off.

    `token` is the secret of the source's connection: a token, or for Google an authorized user as JSON.
    """
    configured = settings.names.get(entity.table)
    if configured == SWITCHED_OFF:
        raise NotReadError(
            f"{entity.table} is switched off by {PREFIX}NAME_{entity.table.upper()}={SWITCHED_OFF}."
        )
    if configured is None and entity.needs_name:
        raise NotReadError(
            f"{entity.table} is not configured, so it is not read. To read it, set {PREFIX}NAME_{entity.table.upper()}."
        )
    return SOURCES[entity.source].open_reader(settings, entity, token, base_url)
