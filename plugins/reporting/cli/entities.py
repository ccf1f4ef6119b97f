"""How a command takes the name of an entity, or of a source for all of its entities."""

from dataclasses import dataclass

import typer

from reporting.cli.command import starting_with
from reporting.entity import Entity
from reporting.sources.registry import ENTITIES, SOURCES, entity_named

TABLES = tuple(each.table for each in ENTITIES)


def parsed(name: str) -> Entity:
    """The entity that an argument names. Raises `typer.BadParameter`."""
    try:
        return entity_named(name)
    except LookupError as error:
        raise typer.BadParameter(str(error.args[0])) from None


@dataclass(frozen=True, slots=True)
class Named:
    """What one argument names: an entity, or all of a source."""

    entities: tuple[Entity, ...]


def parsed_all(name: str) -> Named:
    """The entity or the source that an argument names. Raises `typer.BadParameter`."""
    if name not in SOURCES:
        return Named((parsed(name),))
    if not SOURCES[name].entities:
        raise typer.BadParameter(f"'{name}' has no table yet. {SOURCES[name].advice}")
    return Named(tuple(SOURCES[name].entities))


completed = starting_with(TABLES)
completed_all = starting_with((*SOURCES, *TABLES))
