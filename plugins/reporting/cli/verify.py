"""Compares each source with the warehouse as both are now, by id and content.

It shows ids, but no content. ENTITY is a raw table such as hubspot__contacts, or a source such as hubspot for all of its tables.
Without it, all configured entities are compared. The exit code is 1 if anything differs.

Examples:

    script/verify
    script/verify notion hubspot__contacts --json
"""

import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from rich.console import Console
from rich.table import Table

from reporting.cli import entities as named
from reporting.cli.command import LOCAL, BigQueryPort, Data, Json, print_json
from reporting.deploy import checks, configuration, installation
from reporting.deploy.errors import CommandError, end_on_signals
from reporting.deploy.installation import BIGQUERY_PORT, Warehouse
from reporting.deploy.tables import print_table
from reporting.entity import Entity
from reporting.ingest.verify import KINDS, Verification, verify
from reporting.sources.base import NotReadError, Reader, SourceError
from reporting.sources.registry import ENTITIES, SOURCES, open_reader

SHOWN = 20


def main(
    entities: Annotated[
        list[named.Named] | None,
        typer.Argument(parser=named.parsed_all, autocompletion=named.completed_all, metavar="ENTITY"),
    ] = None,
    as_json: Json = False,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    data: Data = LOCAL,
) -> int:
    """Print the counts and the differences. Returns 1 if there are differences."""
    end_on_signals()
    console = Console(highlight=False, stderr=as_json)
    variables = configuration.read_owner_file(configuration.owner_file()) | dict(os.environ)
    asked = tuple(dict.fromkeys(entity for each in entities or () for entity in each.entities))
    missing = {
        entity.connection
        for entity in asked or ENTITIES
        if not variables.get(f"AIRFLOW_CONN_{entity.connection.upper()}")
    }
    chosen = [entity for entity in asked or ENTITIES if entity.connection not in missing]
    if asked and missing:
        names = ", ".join(sorted(missing))
        raise CommandError(
            f"these are not configured, so they are not read: {names}. Run script/connect {min(missing)}."
        )
    if not chosen:
        raise CommandError("no source is configured. Run script/connect, which says how each is connected.")
    with installation.warehouse_running(
        data.resolve(), variables, console, bigquery_port=bigquery_port, is_written=False
    ) as warehouse:
        found = [each for entity in chosen if (each := _verified(warehouse, variables, entity, console))]
    if not found:
        raise CommandError("nothing was compared, since no entity could be read; the lines above say why.")
    if as_json:
        print_json([_described(each) for each in found])
    else:
        print_table(console, _table(found))
        for each in found:
            _show(console, each)
    return 0 if all(each.is_equal for each in found) else 1


def _verified(
    warehouse: Warehouse, variables: Mapping[str, str], entity: Entity, console: Console
) -> Verification | None:
    connection = variables[f"AIRFLOW_CONN_{entity.connection.upper()}"]
    token, host = checks.token_of(connection, SOURCES[entity.source])

    def opened() -> Reader:
        return open_reader(warehouse.settings, entity, token, host)

    console.print(f"Reading {entity.table} ...", markup=False)
    try:
        return verify(warehouse.client, warehouse.settings, entity, opened)
    except NotReadError as error:
        console.print(f"  {error}", markup=False, soft_wrap=True)
        return None
    except (SourceError, GoogleAuthError) as error:
        raise CommandError(f"{entity.table} was not compared: {error}") from None
    except GoogleAPICallError as error:
        said = (error.message or type(error).__name__).splitlines()[0]
        raise CommandError(
            f"{entity.table} was not compared: {said} If it has not been loaded yet, run script/sync."
        ) from None


def _described(found: Verification) -> dict[str, Any]:
    return {
        "entity": found.entity.table,
        "is_equal": found.is_equal,
        "source": found.source_count,
        "warehouse": found.warehouse_count,
        "gone": dict(found.gone),
        "differences": found.differences,
        "changed_meanwhile": found.changed_count,
        "late": found.late_count,
    }


def _table(found: list[Verification]) -> Table:
    table = Table("entity")
    for name in ("source", "warehouse", "gone", "differ", "changed meanwhile"):
        table.add_column(name, justify="right")
    for each in found:
        counts = (
            each.source_count,
            each.warehouse_count,
            sum(each.gone.values()),
            sum(map(len, each.differences.values())),
            each.changed_count,
        )
        table.add_row(each.entity.table, *(f"{count:,}" for count in counts))
    return table


def _show(console: Console, found: Verification) -> None:
    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    if found.gone:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(found.gone.items()))
        say(f"{found.entity.table}: marked as gone: {reasons}.")
    for kind, ids in found.differences.items():
        say(f"{found.entity.table}: {len(ids):,} {KINDS[kind]}:")
        for each in ids[:SHOWN]:
            say(f"  {each}")
        if len(ids) > SHOWN:
            say(f"  and {len(ids) - SHOWN:,} more")
    if found.late_count:
        say(
            f"{found.entity.table}: {found.late_count:,} of these were modified after the last complete run; the next sync "
            "loads them."
        )
