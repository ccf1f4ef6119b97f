"""Adds a type of HubSpot's objects: its declaration, raw table, staging model and docs, with a column for each property.

The type is read from the configured portal: a custom object by its id (2-123456) or name, or one of HubSpot's own such as quotes,
leads or postal_mail.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from reporting import scaffold
from reporting.cli import new_entity
from reporting.deploy import checks, configuration
from reporting.deploy.errors import CommandError
from reporting.entity import Property
from reporting.naming import DagId, nearest
from reporting.scaffold import ScaffoldError, StagingColumn, column_name
from reporting.settings import ROOT, read_settings
from reporting.sources.base import AccessDeniedError, NotFoundError, SourceError
from reporting.sources.http import IMPATIENT
from reporting.sources.hubspot.api import DEFAULT_BASE_URL, HubSpot
from reporting.sources.hubspot.entities import HubSpotObject
from reporting.sources.hubspot.objects import KINDS
from reporting.sources.registry import SOURCES
from reporting.sources.shapes import mapping, mappings
from reporting.warehouse.tables import describe

TYPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
COLUMN = re.compile(r"[a-z][a-z0-9_]{0,199}")
MOST_COLUMNS = 60
# What HubSpot itself gives to a type that somebody has defined, and people ask for.
SHARED = ("hubspot_owner_id", "hs_pipeline", "hs_pipeline_stage")
HISTORY = ("hs_pipeline", "hs_pipeline_stage", "hubspot_owner_id")
# The types of the macro hubspot_value by those of HubSpot.
CASTS = {"number": "numeric", "datetime": "timestamp", "date": "date", "bool": "bool"}
PACKAGE = '''\
"""{title} in HubSpot, a type of objects that the owner has added."""

from reporting.entity import Property
from reporting.sources.hubspot.entities import HubSpotObject

OBJECT = HubSpotObject(
    name={name},
    object_type={object_type},
    description={description},
    properties={{
{properties}
    }},
    history={history},
    associations={associations},
)
ENTITIES = (OBJECT,)
'''


def main(names: list[str], called: str | None, root: Path = ROOT) -> int:
    """Write what is not there yet, and say what to do next. `names` are the type and, if not all, its properties."""
    if not names:
        raise CommandError("it takes hubspot TYPE, such as hubspot 2-123456 or hubspot quotes.")
    variables = configuration.read_owner_file(configuration.owner_file()) | dict(os.environ)
    try:
        _add(Console(highlight=False), new_entity.Places(root), variables, names[0], names[1:], called)
    except (ScaffoldError, SourceError) as error:
        raise CommandError(f"{str(error).rstrip('.')}. Nothing was written.") from None
    return 0


def _add(
    console: Console,
    places: new_entity.Places,
    variables: Mapping[str, str],
    given: str,
    wanted: list[str],
    called: str | None,
) -> None:
    connection = variables.get("AIRFLOW_CONN_HUBSPOT")
    if not connection:
        raise CommandError("HubSpot is not configured. Run script/connect hubspot first.")
    if not TYPE.fullmatch(given):
        raise CommandError(f"'{given}' is no type of HubSpot's: give an id such as 2-123456, or a name.")
    token, host = checks.token_of(connection, SOURCES["hubspot"])
    version = read_settings(variables).hubspot_version
    portal = HubSpot(token, host or DEFAULT_BASE_URL, version, IMPATIENT)
    try:
        object_type, title = _named(portal, given)
        found = portal.call(f"the properties of {given}", "GET", portal.path("properties", object_type))[
            "results"
        ]
    finally:
        portal.close()
    name = _name(called or column_name(title))
    described = {each["name"]: each for each in mappings(found) if COLUMN.fullmatch(str(each.get("name")))}
    chosen, left_out = _chosen(name, described, wanted, is_custom=object_type.startswith("2-"))
    entity = HubSpotObject(
        name=name,
        object_type=object_type,
        description=f"{title} in HubSpot.",
        properties={each: _property(described[each]) for each in chosen},
        history=tuple(each for each in HISTORY if each in chosen),
        associations=("contacts", "companies", "deals") if object_type.startswith("2-") else (),
    )
    package = places.root / "plugins" / "reporting" / "sources" / "own" / f"hubspot_{name}" / "__init__.py"
    _check_free(entity, package)
    columns = _columns(entity, described)
    is_castable = columns[-1].name == "uncastable_columns"
    folder = places.staging / "own"
    files = scaffold.files(entity, places.migrations, folder, new_entity.OWN, columns, is_castable)
    # Last, so that a kill before leaves nothing that is read and has no table.
    new_entity.write(console, {**files, package: _package(entity, title)})
    _say_next(console, entity, left_out)


def _named(portal: HubSpot, given: str) -> tuple[str, str]:
    """The type in the API's paths, and what people call its objects."""
    try:
        path = (
            "/crm/v3/schemas" if portal.version == "v3" else f"/crm-object-schemas/{portal.version}/schemas"
        )
        schemas = mappings(portal.call("schemas of custom objects", "GET", path)["results"])
    except (AccessDeniedError, NotFoundError):
        # A type of HubSpot's own needs none, and a custom one is known by its id.
        schemas = []
    for each in schemas:
        if given in (each.get("objectTypeId"), each.get("fullyQualifiedName"), each.get("name")):
            title = mapping(each.get("labels")).get("plural") or each.get("name") or given
            return str(each["objectTypeId"]), " ".join(str(title).split())
    return given, given.replace("_", " ").capitalize()


def _name(name: str) -> str:
    try:
        DagId("raw", "hubspot", name, "full")
    except ValueError:
        raise CommandError(
            f"'{name}' is no name for an entity: letters, digits and single underscores in lower case, beginning with a "
            "letter. Choose one with --as NAME."
        ) from None
    return name


def _chosen(
    name: str, described: Mapping[str, Any], wanted: list[str], is_custom: bool
) -> tuple[list[str], int]:
    """The properties that get a column, and how many others there are."""
    plain = HubSpotObject(name=name, description="", properties={})
    taken = {column.name for column in SOURCES["hubspot"].rows.columns(plain)}
    for each in wanted:
        if each not in described:
            raise CommandError(
                f"{name} has no property '{each}'.{nearest(each, described)} Nothing was written."
            )
        if each in taken:
            raise CommandError(f"every table has a column '{each}' already. Nothing was written.")
    usual = [
        each
        for each, how in sorted(described.items())
        if each not in taken
        and not how.get("hidden")
        and not how.get("calculated")
        and (not is_custom or not how.get("hubspotDefined") or each in SHARED)
        and each
        not in ("hs_object_id", "createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate")
    ]
    chosen = list(dict.fromkeys(wanted)) or usual[:MOST_COLUMNS]
    return chosen, len(described) - len(chosen)


def _property(described: Mapping[str, Any]) -> Property:
    kind: Any = KINDS.get(str(described.get("type")), "text")
    label = " ".join(str(described.get("label") or described["name"]).split()).rstrip(".")
    return Property(kind, f"{label}, as HubSpot gives it.")


def _columns(entity: HubSpotObject, described: Mapping[str, Any]) -> list[StagingColumn]:
    """The columns of the staging model, cast as HubSpot says that their values are."""
    casts = {
        each: CASTS[kind] for each in entity.properties if (kind := str(described[each].get("type"))) in CASTS
    }
    made = [
        StagingColumn(
            name,
            f"{{{{ hubspot_value('{name}', '{casts.get(name, 'string')}') }}}} as {name}",
            each.description,
        )
        for name, each in entity.properties.items()
    ]
    made += [
        StagingColumn("created_at", "created_at", "When the object was created."),
        StagingColumn("updated_at", "updated_at", "When the object was last modified."),
    ]
    if casts:
        types = ",\n".join(f"            '{name}': '{kind}'" for name, kind in casts.items())
        sql = f"{{{{ hubspot_uncastable({{\n{types}\n        }}) }}}} as uncastable_columns"
        made.append(
            StagingColumn(
                "uncastable_columns", sql, "Columns that hold something which is not of their type."
            )
        )
    return made


def _package(entity: HubSpotObject, title: str) -> str:
    literal = new_entity.literal
    return PACKAGE.format(
        title=title.replace("\\", " ").replace('"', "'"),
        name=literal(entity.name),
        object_type=literal(entity.object_type),
        description=literal(entity.description),
        properties="\n".join(
            f"        {literal(name)}: Property({literal(each.kind)}, {literal(each.description)}),"
            for name, each in entity.properties.items()
        ),
        history=_tuple(entity.history),
        associations=_tuple(entity.associations),
    )


def _tuple(names: Iterable[str]) -> str:
    said = ", ".join(map(new_entity.literal, names))
    return f"({said},)" if said else "()"


def _check_free(entity: HubSpotObject, package: Path) -> None:
    for each in SOURCES["hubspot"].entities:
        if (
            isinstance(each, HubSpotObject)
            and each.path_name == entity.path_name
            and each.name != entity.name
        ):
            raise CommandError(f"that type is {each.table} already.")
        if each.table == entity.table and not package.exists():
            raise CommandError(f"{entity.table} is there already. Choose another name with --as NAME.")
    if f"raw.{entity.table}" in describe().tables and not package.exists():
        raise CommandError(f"{entity.table} is another table already. Choose another name with --as NAME.")


def _say_next(console: Console, entity: HubSpotObject, left_out: int) -> None:
    more = f" {left_out} more are in `_payload`." if left_out else ""
    console.print(
        f"\n{entity.table} has a column for {len(entity.properties)} properties.{more} script/server and script/sync make its table "
        f"and read it. Correct the descriptions in plugins/reporting/sources/own/hubspot_{entity.name}/__init__.py and in "
        f"dbt/models/staging/own, and commit the files: an upgrade takes only what is committed.",
        markup=False,
        soft_wrap=True,
    )
