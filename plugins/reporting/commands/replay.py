"""Loads from the landing what was read before, without asking the source. Repeating it changes nothing.

ENTITY is a raw table such as hubspot__contacts. RUN is the name of a landing's folder; without one it is the latest whole
run that read anything.
"""

import argparse
from itertools import islice
from pathlib import Path

from google.cloud import bigquery
from rich.console import Console
from rich.table import Table

from reporting.commands import configuration, installation
from reporting.commands.errors import CommandError, end_on_signals, run
from reporting.commands.installation import BIGQUERY_PORT
from reporting.entities import Entity
from reporting.landing import Landing, LandingError
from reporting.replay import KeptRun, kept_run, kept_runs, replay
from reporting.settings import Settings
from reporting.sources.base import SourceError
from reporting.warehouse.client import WarehouseError
from reporting.warehouse.ledger import Counts

LISTED = 20


def main() -> int:
    """Load one run or all of them, and show what changed."""
    parser = argparse.ArgumentParser("script/replay", description=__doc__)
    parser.add_argument("entity", type=installation.entity, metavar="ENTITY")
    parser.add_argument("run", nargs="?", metavar="RUN")
    parser.add_argument("--all", action="store_true", help="every whole run, the oldest first")
    parser.add_argument("--list", action="store_true", help=f"show the latest {LISTED} runs, and load none")
    parser.add_argument(
        "--tombstone-share", type=float, help="greatest share of the table that one run may mark as gone"
    )
    parser.add_argument(
        "--bigquery-port", type=int, default=BIGQUERY_PORT, help="local BigQuery (%(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    options = parser.parse_args()
    if sum((bool(options.run), options.all, options.list)) > 1:
        parser.error("RUN, --all and --list exclude each other")
    end_on_signals()
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    state = options.data.resolve()
    if options.list:
        landing = Landing.of(installation.settings_of(state, variables))
        console.print(_listed(landing, options.entity))
        return 0
    with installation.warehouse_running(
        state, variables, console, bigquery_port=options.bigquery_port
    ) as running:
        landing = Landing.of(running.settings)
        chosen = _chosen(landing, options.entity, options.run, options.all)
        table = _runs(options.entity.table)
        for name in ("read", "inserted", "updated", "tombstoned"):
            table.add_column(name, justify="right")
        has_changes = False
        for each in chosen:
            counts = _load(running.client, running.settings, options.entity, landing, each, options)
            has_changes |= counts.has_changes
            table.add_row(
                each.run_id, *map(str, (counts.read, counts.inserted, counts.updated, counts.tombstoned))
            )
        console.print(table)
    if has_changes:
        console.print("The next build takes it into the marts: script/round makes one.")
    return 0


def _load(
    client: bigquery.Client,
    settings: Settings,
    entity: Entity,
    landing: Landing,
    chosen: KeptRun,
    options: argparse.Namespace,
) -> Counts:
    try:
        return replay(client, settings, entity, landing, chosen, tombstone_share=options.tombstone_share)
    except (LandingError, WarehouseError, SourceError) as error:
        raise CommandError(f"{chosen.run_id} was not loaded: {error}") from None


def _chosen(landing: Landing, entity: Entity, run_id: str | None, is_all: bool) -> list[KeptRun]:
    if run_id:
        named = kept_run(landing, entity, run_id)
        if named.manifest is None:
            raise CommandError(
                f"{landing.uri} holds no whole run '{run_id}' of {entity.table}. --list shows what is there."
            )
        return [named]
    # The latest first; of all of them only those that hold anything, since the others change nothing.
    whole = (each for each in kept_runs(landing, entity) if each.row_count)
    chosen = list(whole if is_all else islice(whole, 1))
    if not chosen:
        raise CommandError(f"{landing.uri} holds no whole run of {entity.table} that read anything.")
    return chosen[::-1]


def _runs(title: str) -> Table:
    """A table whose first column is what RUN takes, and so never shortened."""
    table = Table(title=title, title_justify="left")
    table.add_column("run", overflow="fold")
    return table


def _listed(landing: Landing, entity: Entity) -> Table:
    table = _runs(f"{entity.table} in {landing.uri}")
    table.add_column("began (UTC)")
    table.add_column("records", justify="right")
    table.add_column("tombstones", justify="right")
    for each in islice(kept_runs(landing, entity), LISTED):
        if each.manifest is None:
            table.add_row(each.run_id, "cut off", "", "")
        else:
            counts = (str(each.manifest.record_count), str(each.manifest.tombstone_count))
            table.add_row(each.run_id, f"{each.manifest.started_at:%Y-%m-%d %H:%M:%S}", *counts)
    return table


if __name__ == "__main__":
    run("script/replay", main)
