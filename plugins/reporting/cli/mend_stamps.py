"""Repairs times in the warehouse that lie in the future because the clock of this machine was ahead.

It shows them first, and asks. Until they are repaired, no later read changes those rows. Correct the machine's clock before you run
this. You can stop it at any moment and run it again.

Example: script/mend-stamps --yes
"""

from google.api_core.exceptions import NotFound
from rich.console import Console
from rich.table import Table

from reporting.cli.command import LOCAL, BigQueryPort, Data, Yes
from reporting.deploy import configuration, installation
from reporting.deploy.errors import CommandError, confirm, end_on_signals
from reporting.deploy.installation import BIGQUERY_PORT
from reporting.deploy.tables import print_table
from reporting.ingest import stamps


def main(
    yes: Yes = False,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    data: Data = LOCAL,
) -> int:
    """Show the times in the future, ask, and repair them."""
    end_on_signals()
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    with installation.warehouse_running(
        data.resolve(), variables, console, bigquery_port=bigquery_port, is_written=False, is_shared=False
    ) as warehouse:
        try:
            found = stamps.find(warehouse.client, warehouse.settings)
        except NotFound:
            raise CommandError(
                "the warehouse has no tables yet, or not all of them. Run the DAG ops_warehouse__schema__upgrade."
            ) from None
        if not found:
            console.print("No time in the warehouse lies in the future.")
            return 0
        print_table(console, _table(found))
        confirm(yes, f"Repair these times in {warehouse.settings.project}?")
        for each in found:
            stamps.mend(warehouse.client, warehouse.settings, each)
    console.print(
        "They are repaired. Next: script/sync --full, which reads everything and loads the changes that were missed.",
        soft_wrap=True,
    )
    return 0


def _table(found: list[stamps.Ahead]) -> Table:
    table = Table(title="Times in the future")
    table.add_column("entity")
    table.add_column("rows", justify="right")
    table.add_column("runs", justify="right")
    table.add_column("the latest (UTC)")
    for each in found:
        counts = (f"{each.row_count:,}", f"{each.run_count:,}")
        table.add_row(each.entity.table, *counts, f"{each.latest_at:%Y-%m-%d %H:%M}")
    return table
