"""Compares each source with the warehouse as both are now, id by id and content by content. Shows ids and no content.

ENTITY is a raw table such as hubspot__contacts; without one it is every entity that is configured. Ends with 1 when
anything differs.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from rich.console import Console
from rich.table import Table

from reporting.commands import checks, configuration, installation
from reporting.commands.errors import CommandError, end_on_signals, run
from reporting.commands.installation import BIGQUERY_PORT, Warehouse
from reporting.entities import ENTITIES, Entity
from reporting.readers import open_reader
from reporting.sources.base import NotReadError, Reader, SourceError
from reporting.verify import KINDS, Verification, verify

SHOWN = 20


def main() -> int:
    """Print the counts and the differences; 1 when there are any."""
    parser = argparse.ArgumentParser("script/verify", description=__doc__)
    parser.add_argument("entities", nargs="*", type=installation.entity, metavar="ENTITY")
    parser.add_argument(
        "--bigquery-port", type=int, default=BIGQUERY_PORT, help="local BigQuery (%(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    options = parser.parse_args()
    end_on_signals()
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file()) | dict(os.environ)
    chosen = [
        entity
        for entity in options.entities or ENTITIES
        if variables.get(f"AIRFLOW_CONN_{entity.connection.upper()}")
    ]
    if not chosen or len(chosen) < len(options.entities):
        raise CommandError("the source is not configured. Run script/connect.")
    with installation.warehouse_running(
        options.data.resolve(), variables, console, bigquery_port=options.bigquery_port, is_written=False
    ) as warehouse:
        found = [each for entity in chosen if (each := _verified(warehouse, variables, entity, console))]
    if not found:
        raise CommandError("nothing could be compared.")
    console.print(_table(found))
    for each in found:
        _show(console, each)
    return 0 if all(each.is_equal for each in found) else 1


def _verified(
    warehouse: Warehouse, variables: Mapping[str, str], entity: Entity, console: Console
) -> Verification | None:
    connection = variables[f"AIRFLOW_CONN_{entity.connection.upper()}"]
    token, host = checks.token_of(connection, entity.connection)

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
            f"{entity.table} was not compared: {said} Has it been loaded? script/round does it."
        ) from None


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
        table.add_row(each.entity.table, *map(str, counts))
    return table


def _show(console: Console, found: Verification) -> None:
    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    if found.gone:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(found.gone.items()))
        say(f"{found.entity.table}: gone are {reasons}.")
    for kind, ids in found.differences.items():
        say(f"{found.entity.table}: {len(ids)} {KINDS[kind]}:")
        for each in ids[:SHOWN]:
            say(f"  {each}")
        if len(ids) > SHOWN:
            say(f"  and {len(ids) - SHOWN} more")
    if found.late_count:
        say(
            f"{found.entity.table}: modified after the last complete run are {found.late_count} of these; the next round "
            "brings them."
        )


if __name__ == "__main__":
    run("script/verify", main)
