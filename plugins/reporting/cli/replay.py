"""Loads an earlier read again from the landing, without asking the source.

Repeating it changes nothing. ENTITY is a raw table such as hubspot__contacts, or a source such as hubspot for all of its tables. RUN
is the name of a folder in the landing; without it, the latest complete run with records is loaded.

Examples:

    script/replay hubspot__contacts
    script/replay hubspot__contacts --list
"""

from itertools import islice
from typing import Annotated, Any

import typer
from google.cloud import bigquery
from rich.console import Console
from rich.table import Table

from reporting.cli import entities as named
from reporting.cli.command import LOCAL, BigQueryPort, Data, print_json
from reporting.deploy import configuration, installation
from reporting.deploy.errors import CommandError, end_on_signals
from reporting.deploy.installation import BIGQUERY_PORT, Warehouse
from reporting.deploy.tables import print_table
from reporting.entity import Entity
from reporting.ingest.landing import Landing, LandingError
from reporting.ingest.replay import KeptRun, kept_run, kept_runs, replay
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings
from reporting.sources.base import SourceError
from reporting.warehouse.client import WarehouseError

LISTED = 20


def main(
    entity: Annotated[
        named.Named,
        typer.Argument(parser=named.parsed_all, autocompletion=named.completed_all, metavar="ENTITY"),
    ],
    run_id: Annotated[str | None, typer.Argument(metavar="RUN")] = None,
    everything: Annotated[bool, typer.Option("--all", help="every complete run, the oldest first")] = False,
    lists: Annotated[
        bool, typer.Option("--list", help=f"show the latest {LISTED} runs, and load nothing")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="with --list: write one JSON document to standard output")
    ] = False,
    tombstone_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="greatest share of the table that one run may mark as gone",
        ),
    ] = None,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    data: Data = LOCAL,
) -> int:
    """Load one run or all of them, and show what changed."""
    if sum((bool(run_id), everything, lists)) > 1:
        raise CommandError("RUN, --all and --list cannot be combined.")
    if as_json and not lists:
        raise CommandError("--json can only be used together with --list.")
    if run_id and len(entity.entities) > 1:
        raise CommandError("RUN belongs to one entity: name it instead of its source.")
    end_on_signals()
    console = Console(highlight=False, stderr=as_json)
    variables = configuration.read_owner_file(configuration.owner_file())
    state = data.resolve()
    if lists:
        landing = Landing.of(installation.settings_of(state, variables))
        found = {each: list(islice(kept_runs(landing, each), LISTED)) for each in entity.entities}
        if as_json:
            print_json([_described(each, run) for each, runs in found.items() for run in runs])
        else:
            for each, runs in found.items():
                print_table(console, _listed(landing, each, runs))
        return 0
    with installation.warehouse_running(state, variables, console, bigquery_port=bigquery_port) as running:
        landing = Landing.of(running.settings)
        # Looked up for all of them before anything is loaded.
        chosen = {each: _chosen(landing, each, run_id, everything) for each in entity.entities}
        if missing := [each.table for each, runs in chosen.items() if not runs]:
            said = f"{landing.uri} has no complete run of {', '.join(missing)} with records"
            if len(missing) == len(chosen):
                raise CommandError(f"{said}, so there is nothing to load.")
            console.print(f"{said}.", markup=False, soft_wrap=True)
        has_changes = False
        for each, runs in chosen.items():
            has_changes |= bool(runs) and _replayed(console, running, each, runs, tombstone_share)
    if has_changes:
        console.print("The next build updates the marts. script/sync runs one.")
    return 0


def _replayed(
    console: Console, running: Warehouse, entity: Entity, runs: list[KeptRun], tombstone_share: float | None
) -> bool:
    """Load these runs, show what each changed, and return whether anything was changed."""
    table = _runs(entity.table)
    for name in ("read", "inserted", "updated", "tombstoned"):
        table.add_column(name, justify="right")
    landing, has_changes = Landing.of(running.settings), False
    for each in runs:
        counts = _load(running.client, running.settings, entity, landing, each, tombstone_share)
        has_changes |= counts.has_changes
        numbers = (counts.read, counts.inserted, counts.updated, counts.tombstoned)
        table.add_row(each.run_id, *(f"{number:,}" for number in numbers))
    print_table(console, table)
    return has_changes


def _load(
    client: bigquery.Client,
    settings: Settings,
    entity: Entity,
    landing: Landing,
    chosen: KeptRun,
    tombstone_share: float | None,
) -> Counts:
    try:
        return replay(client, settings, entity, landing, chosen, tombstone_share=tombstone_share)
    except (LandingError, WarehouseError, SourceError) as error:
        raise CommandError(f"{chosen.run_id} was not loaded: {error}") from None


def _chosen(landing: Landing, entity: Entity, run_id: str | None, is_all: bool) -> list[KeptRun]:
    if run_id:
        named_run = kept_run(landing, entity, run_id)
        if named_run.manifest is None:
            raise CommandError(
                f"{landing.uri} has no complete run '{run_id}' of {entity.table}. --list shows the runs."
            )
        return [named_run]
    # The latest first. Runs without records are left out, since they would change nothing.
    whole = (each for each in kept_runs(landing, entity) if each.row_count)
    chosen = list(whole if is_all else islice(whole, 1))
    return chosen[::-1]


def _runs(title: str) -> Table:
    """A table whose first column has values that can be used as RUN."""
    table = Table(title=title)
    table.add_column("run")
    return table


def _described(entity: Entity, found: KeptRun) -> dict[str, Any]:
    manifest = found.manifest
    return {
        "entity": entity.table,
        "run": found.run_id,
        "is_whole": manifest is not None,
        "began_at": manifest and manifest.started_at.isoformat(),
        "records": manifest and manifest.record_count,
        "tombstones": manifest and manifest.tombstone_count,
    }


def _listed(landing: Landing, entity: Entity, found: list[KeptRun]) -> Table:
    table = _runs(f"{entity.table} in {landing.uri}")
    table.add_column("began (UTC)")
    table.add_column("records", justify="right")
    table.add_column("tombstones", justify="right")
    for each in found:
        if each.manifest is None:
            table.add_row(each.run_id, "interrupted", "", "")
        else:
            counts = (f"{each.manifest.record_count:,}", f"{each.manifest.tombstone_count:,}")
            table.add_row(each.run_id, f"{each.manifest.started_at:%Y-%m-%d %H:%M:%S}", *counts)
    return table
