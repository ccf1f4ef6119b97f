"""Adds a REST API as a source of your own: its declaration, raw table, staging model, docs, fake API and test.

It asks for the address, the token and the path of one list, reads one answer, and proposes the rest: the key, the columns and their
types, and how pages follow one another. Nothing of the answer's values is kept. Correct what it wrote as you like.

Examples:

    script/new-source todoist
    script/new-source todoist --from answer.json   from a recorded answer, without asking the API
    script/new-source notion "Reading list"        a Notion database, as script/new-entity does
    script/new-source hubspot 2-123456 --as projects   a type of HubSpot's objects, with all properties or those that follow
    script/new-source sql__time_entries            the files of a table that is declared already
    script/new-source hubspot__deals hs_priority   columns for properties, as script/new-revision does
    script/new-source --join                       after an upgrade that brought revisions beside your own
"""

import getpass
import json
import subprocess
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import parse_qsl

import typer
from rich.console import Console

from reporting import scaffold
from reporting.cli import new_entity, new_object, new_revision
from reporting.cli.command import CALLER, LOCAL, Data
from reporting.cli.entities import parsed
from reporting.deploy.errors import CommandError
from reporting.scaffold import ScaffoldError, column_name
from reporting.scaffold import source as texts
from reporting.scaffold.propose import proposal
from reporting.settings import ROOT
from reporting.sources.base import SourceError
from reporting.sources.http import IMPATIENT
from reporting.sources.registry import BROKEN, SOURCES
from reporting.sources.rest.client import Client
from reporting.sources.rest.declare import (
    NAME,
    Api,
    Auth,
    Basic,
    Bearer,
    DeclarationError,
    HeaderKey,
    QueryKey,
    RestEntity,
    address_problem,
)
from reporting.sources.rest.paging import Request

SIGNS = "bearer, basic, header NAME or query NAME"


def main(
    what: Annotated[
        str | None, typer.Argument(metavar="NAME", help="name of the source, or an entity")
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="...", help="a Notion database, a type of HubSpot's, or properties"),
    ] = None,
    recorded: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="an answer of the API in JSON, instead of asking it"),
    ] = None,
    address: Annotated[str | None, typer.Option("--address", help="base address of the API")] = None,
    path: Annotated[
        str | None, typer.Option("--path", help="path of a list below the address, with its parameters")
    ] = None,
    auth: Annotated[str | None, typer.Option("--auth", help=f"how it is signed: {SIGNS}")] = None,
    title: Annotated[str | None, typer.Option("--title", help="what people call it")] = None,
    called: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="what the entity is called here")
    ] = None,
    join: Annotated[
        bool, typer.Option("--join", help="join revisions of your own with the project's")
    ] = False,
    data: Data = LOCAL,
    root: Annotated[Path, typer.Option(hidden=True)] = ROOT,
) -> int:
    """Write what is not there yet, and say what to do next."""
    if what is None or what == "notion" or ("__" in what and not names):
        return new_entity.main(what, " ".join(names or []) or None, called, join, root)
    if what == "hubspot" and recorded is None:
        return new_object.main(names or [], called, root)
    if "__" in what:
        return new_revision.main(parsed(what), names or [], data, root / "migrations")
    if names:
        raise CommandError(f"'{what}' takes no more words. script/new-source --help shows what it takes.")
    try:
        _add(Console(highlight=False), root, what, recorded, address, path, auth, title, called)
    except EOFError:
        raise CommandError("the input ended before everything was answered; nothing was written.") from None
    except (ScaffoldError, SourceError, DeclarationError) as error:
        raise CommandError(f"{str(error).rstrip('.')}. Nothing was written.") from None
    return 0


def _add(
    console: Console,
    root: Path,
    name: str,
    recorded: Path | None,
    address: str | None,
    path: str | None,
    auth: str | None,
    title: str | None,
    called: str | None,
) -> None:
    _check_name(root, name)
    title = title or name.replace("_", " ").capitalize()
    base = (address or _ask("Address of the API", "https://")).rstrip("/")
    if problem := address_problem(base):
        raise CommandError(f"{base} cannot be used: {problem}.")
    signed = _auth_of(auth or _ask(f"How requests are signed ({SIGNS})", "bearer"))
    listed = path or _ask("Path of a list below that address, such as tasks?limit=20", "")
    listed, _, query = listed.lstrip("/").partition("?")
    described = texts.Described(
        source=name,
        entity=called or column_name(listed.rstrip("/").rpartition("/")[2]) or "records",
        title=title,
        base=base,
        auth=signed,
        path=listed,
        parameters=dict(parse_qsl(query, keep_blank_values=True)),
    )
    body, link = _recorded(recorded) if recorded else _asked(described)
    found = proposal(body, link)
    source = texts.declared(described, found)
    # Raw tables follow from what the registry knows.
    SOURCES[name] = source
    entity = cast(RestEntity, source.entities[0])
    columns, is_castable = scaffold.staging_columns(entity.columns)
    places = new_entity.Places(root)
    files = scaffold.files(
        entity, places.migrations, places.staging / "own", new_entity.OWN, columns, is_castable
    )
    folder = root / "plugins" / "reporting" / "sources" / "own" / name
    files |= {
        root / "sandbox" / "own" / "__init__.py": '"""Fake APIs of the owner\'s own sources."""\n',
        root / "sandbox" / "own" / f"{name}.py": texts.fake(described, found),
        root / "tests" / "own" / f"test_{name}.py": texts.test(described, found),
        # Last, so that a kill before leaves nothing that is read and has no table.
        folder / "__init__.py": texts.package(described, found),
    }
    new_entity.write(console, files)
    _format([each for each in files if each.suffix == ".py"])
    _say_next(console, described, found.unclear, found.left_out, len(found.columns))


def _check_name(root: Path, name: str) -> None:
    if not NAME.fullmatch(name):
        raise CommandError(
            f"'{name}' is no name for a source: letters, digits and single underscores in lower case, beginning with a letter."
        )
    if (
        name in SOURCES
        or name in BROKEN
        or (root / "plugins" / "reporting" / "sources" / "own" / name).exists()
    ):
        raise CommandError(
            f"there is a source '{name}' already. Choose another name, or change its declaration."
        )


def _auth_of(text: str) -> Auth:
    kind, _, name = text.strip().partition(" ")
    is_named = bool(name) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    if kind == "bearer" and not name:
        return Bearer()
    if kind == "basic" and not name:
        return Basic()
    if kind == "header" and is_named:
        return HeaderKey(name)
    if kind == "query" and is_named:
        return QueryKey(name)
    raise CommandError(
        f"'{text}' is no way to sign: {SIGNS}. A login by OAuth is declared by hand: docs/guides/adding-a-source.md."
    )


def _recorded(path: Path) -> tuple[Any, None]:
    try:
        return json.loads((CALLER / path.expanduser()).read_text(encoding="utf-8")), None
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(f"{path} cannot be read as JSON ({type(error).__name__}).") from None


def _asked(described: texts.Described) -> tuple[Any, str | None]:
    token = getpass.getpass("Token (it is not shown, and not stored): ").strip()
    if not token:
        raise CommandError("no token was given; nothing was written.")
    api = Api(
        name=described.source,
        title=described.title,
        base=described.base,
        auth=described.auth,
        pace=2.0,
        headers={},
    )
    client = Client(api, token, policy=IMPATIENT)
    try:
        return client.get(described.path, Request(described.path, described.parameters))
    finally:
        client.close()


def _format(paths: list[Path]) -> None:
    """As the linter wants it, where it is there."""
    ruff = ROOT / ".venv" / "lint" / "bin" / "ruff"
    if ruff.exists():
        subprocess.run([ruff, "format", "--quiet", *paths], cwd=ROOT, check=False)


def _say_next(console: Console, described: texts.Described, unclear: str, left_out: int, count: int) -> None:
    lines = [f"\n{described.source}__{described.entity} is declared with {count} columns."]
    if left_out:
        lines.append(f"{left_out} more fields have none; they are in `_payload`, and you can declare them.")
    if unclear:
        lines.append(
            f"How pages follow is not clear: {unclear}. Declare `paging`: docs/guides/adding-a-source.md shows how."
        )
    lines.append(
        f"Next: script/test tests/own/test_{described.source}.py, then script/connect {described.source}, and script/sync. Correct "
        f"the declaration in plugins/reporting/sources/own/{described.source}/__init__.py, and commit the files: an upgrade takes "
        "only what is committed."
    )
    console.print("\n".join(lines), markup=False, soft_wrap=True)


def _ask(question: str, default: str) -> str:
    return input(f"{question} [{default}]: ").strip() or default
