"""Adds an entity: the revision of its raw table, its dbt source, a staging model and their docs, ready to run.

Examples:

    script/new-entity notion "Reading list"   a Notion database by its title or id, with a column for each property
    script/new-entity sql__time_entries       an entity that its source, or a package in sources/own, lists already
    script/new-entity --join                  after an upgrade that brought revisions beside your own

The Notion database is looked up through the configured connection. Its line goes to plugins/reporting/own_entities.py and its
models to dbt/models/staging/own, which no upgrade touches. Files that are there already are left as they are.
"""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from reporting import scaffold
from reporting.deploy import checks, configuration
from reporting.deploy.errors import CommandError
from reporting.entity import Entity, NotionDatabase
from reporting.naming import DagId
from reporting.scaffold import ScaffoldError, StagingColumn, column_name, distinct
from reporting.settings import ROOT
from reporting.sources.base import SourceError
from reporting.sources.files.declare import FileTable
from reporting.sources.google_sheets.entities import SheetTab
from reporting.sources.notion.checks import open_source
from reporting.sources.notion.properties import title_of
from reporting.sources.registry import ENTITIES, SOURCES, entity_named
from reporting.sources.registry import OWN as OWN_TABLES
from reporting.sources.rest.declare import RestEntity
from reporting.sources.shapes import repaired
from reporting.sources.sql.entities import SqlTable
from reporting.sources.stream.declare import StreamTable

# Own revisions have numbers of their own, which those of an upgrade cannot meet.
OWN = "own_"
RESERVED = (
    *("page_id", "page_name", "page_url", "created_at", "last_edited_at"),
    *("is_deleted", "deleted_reason", "extracted_at", "deleted_at"),
)
EMPTY = re.compile(r"^NOTION: tuple\[NotionDatabase, \.\.\.\] = \(\)$", re.MULTILINE)
END = re.compile(r"^\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the project's parts are that are written to."""

    root: Path

    @property
    def own(self) -> Path:
        """The owner's own entities."""
        return self.root / "plugins" / "reporting" / "own_entities.py"

    @property
    def migrations(self) -> Path:
        """Alembic's folder."""
        return self.root / "migrations"

    @property
    def staging(self) -> Path:
        """The folder of dbt's staging models."""
        return self.root / "dbt" / "models" / "staging"


def main(
    what: Annotated[str | None, typer.Argument(metavar="ENTITY", help="notion, or a raw table")] = None,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="title or id of the Notion database"),
    ] = None,
    called: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="what the entity is called here"),
    ] = None,
    join: Annotated[
        bool, typer.Option("--join", help="join revisions of your own with the project's")
    ] = False,
    root: Annotated[Path, typer.Option(hidden=True)] = ROOT,
) -> int:
    """Write what is not there yet, and say what to do next."""
    console = Console(highlight=False)
    places = Places(root)
    try:
        if join:
            _join(console, places)
        elif what == "notion" and name:
            variables = configuration.read_owner_file(configuration.owner_file()) | dict(os.environ)
            _add_database(console, places, variables, name, called)
        elif what and not name:
            _add_listed(console, places, what)
        else:
            raise CommandError('it takes notion "NAME", or an entity, or --join.')
    except (ScaffoldError, SourceError) as error:
        raise CommandError(str(error)) from None
    return 0


def _add_database(
    console: Console, places: Places, variables: Mapping[str, str], name: str, called: str | None
) -> None:
    connection = variables.get("AIRFLOW_CONN_NOTION")
    if not connection:
        raise CommandError("Notion is not configured. Run script/connect notion first.")
    source = open_source(*checks.token_of(connection, SOURCES["notion"]))
    try:
        found = source.find(name)
    finally:
        source.close()
    entity = _database(found, called)
    _check_free(entity, places)
    properties = sorted(found["properties"].items(), key=lambda each: str(each[0]))
    columns = _page_columns(properties)
    files = scaffold.files(entity, places.migrations, places.staging / "own", OWN, columns, is_castable=False)
    write(console, files)
    # Last, so that a kill before leaves nothing that is read and has no table.
    if _line(entity) not in places.own.read_text():
        _replace(places.own, _with_line(places.own.read_text(), entity))
        console.print(f"Wrote {places.own}", markup=False, soft_wrap=True)
    _say_next(console, entity)


def _add_listed(console: Console, places: Places, name: str) -> None:
    try:
        entity = entity_named(name)
    except LookupError as error:
        raise CommandError(f"{error.args[0]} Add it to the entities of its source first.") from None
    if not isinstance(entity, SqlTable | SheetTab | RestEntity | FileTable | StreamTable):
        raise CommandError(f"the files of {entity.table} are written by hand; they come with the project.")
    columns, is_castable = scaffold.staging_columns(
        entity.staged if isinstance(entity, FileTable | StreamTable) else entity.columns
    )
    is_own = entity.table in OWN_TABLES
    folder = places.staging / ("own" if is_own else entity.source)
    prefix = OWN if is_own else ""
    write(console, scaffold.files(entity, places.migrations, folder, prefix, columns, is_castable))
    _say_next(console, entity)


def _join(console: Console, places: Places) -> None:
    made = scaffold.join(places.migrations, OWN)
    if made is None:
        console.print("There is one newest revision: nothing is to be joined.")
    else:
        write(console, dict([made]))


def _database(found: Mapping[str, Any], called: str | None) -> NotionDatabase:
    title = " ".join(title_of(found).split())
    name = called or column_name(title)
    try:
        DagId("raw", "notion", name, "full")
    except ValueError:
        raise CommandError(
            f"'{name}' is no name for an entity: letters, digits and single underscores in lower case, beginning with a "
            "letter. Choose one with --as NAME."
        ) from None
    return NotionDatabase(
        name=name,
        description=f"Pages of the Notion database {title}.",
        default_name=str(found["id"]),
        is_dated=False,
    )


def _check_free(entity: NotionDatabase, places: Places) -> None:
    for each in ENTITIES:
        if isinstance(each, NotionDatabase) and each.default_name == entity.default_name:
            if each.name == entity.name:
                return
            raise CommandError(f"that database is {each.table} already.")
        if each.table == entity.table:
            raise CommandError(
                f"{entity.table} is another database already. Choose another name with --as NAME."
            )
    own = places.own.read_text()
    if f'name="{entity.name}"' in own and entity.default_name not in own:
        raise CommandError(f"{entity.table} is another database already. Choose another name with --as NAME.")


def _page_columns(properties: list[tuple[str, Mapping[str, Any]]]) -> list[StagingColumn]:
    names = distinct((column_name(name) or "property" for name, _ in properties), RESERVED)
    columns = [
        StagingColumn("page_name", "name as page_name", "Title of the page."),
        StagingColumn("page_url", "url as page_url", "Address of the page in Notion."),
    ]
    for column, (name, described) in zip(names, properties, strict=True):
        kind = described["type"]
        if kind == "title":
            continue
        sql = f"{{{{ notion_property({described['id']!r}, {kind!r}) }}}} as {column}"
        columns.append(StagingColumn(column, sql, f"The property {name}, which is of Notion's type {kind}."))
    return [
        *columns,
        StagingColumn("created_at", "created_time as created_at", "When the page was created."),
        StagingColumn(
            "last_edited_at", "last_edited_time as last_edited_at", "When the page was last edited."
        ),
    ]


def _line(entity: NotionDatabase) -> str:
    return (
        "    NotionDatabase(\n"
        f"        name={literal(entity.name)},\n"
        f"        description={literal(entity.description)},\n"
        f"        default_name={literal(entity.default_name)},\n"
        "        is_dated=False,\n"
        "    ),\n"
    )


def literal(text: str) -> str:
    """A string of Python as the formatter writes it."""
    # What JSON escapes Python reads the same.
    return json.dumps(repaired(text), ensure_ascii=False)


def _with_line(text: str, entity: NotionDatabase) -> str:
    opened = EMPTY.sub("NOTION: tuple[NotionDatabase, ...] = (\n)", text)
    end = END.search(opened)
    if end is None:
        raise CommandError(
            "plugins/reporting/own_entities.py has no list NOTION any more that ends with a line of its own. Mend it first."
        )
    return opened[: end.start()] + _line(entity) + opened[end.start() :]


def write(console: Console, files: Mapping[Path, str]) -> None:
    """Write each file that is not there, whole or not at all."""
    for path, text in files.items():
        if path.exists():
            console.print(f"Left as it is: {path}", markup=False, soft_wrap=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, text)
            console.print(f"Wrote {path}", markup=False, soft_wrap=True)


def _replace(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as part:
        part.write(text)
    made = Path(part.name)
    made.chmod(0o644)
    made.replace(path)


def _say_next(console: Console, entity: Entity) -> None:
    console.print(
        f"\n{entity.table} is ready. script/server and script/sync apply the revision and read it (so does the DAG "
        f"ops_warehouse__schema__upgrade, then raw_{entity.source}__{entity.name}__{entity.first_refresh}). Mend the descriptions in "
        f"_{entity.source}__{entity.name}__models.yml, and commit the files: an upgrade takes only what is committed.",
        markup=False,
        soft_wrap=True,
    )
