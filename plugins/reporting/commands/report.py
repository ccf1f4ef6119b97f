"""Makes the report from the marts as they are now, and says where it is. It opens in a browser without a server."""

import argparse
from pathlib import Path

from rich.console import Console

from reporting.commands import configuration, installation
from reporting.commands.errors import CommandError, end_on_signals, run
from reporting.commands.installation import BIGQUERY_PORT
from reporting.reports.build import Built, build
from reporting.reports.marts import ReportError


def main() -> int:
    """Build the site, and show its pages with their sizes."""
    parser = argparse.ArgumentParser("script/report", description=__doc__)
    parser.add_argument(
        "--bigquery-port", type=int, default=BIGQUERY_PORT, help="local BigQuery (%(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    options = parser.parse_args()
    end_on_signals()
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    with installation.warehouse_running(
        options.data.resolve(), variables, console, bigquery_port=options.bigquery_port, is_written=False
    ) as running:
        try:
            built = build(running.client, running.settings)
        except ReportError as error:
            raise CommandError(str(error)) from None
    console.print(said(built), soft_wrap=True)
    return 0


def said(built: Built) -> str:
    """Where a report is, and how large its pages are."""
    pages = sum(size for name, size in built.sizes.items() if name.endswith(".html"))
    rest = sum(built.sizes.values()) - pages
    return f"Report: {built.first} ({pages // 1000} kB of pages, {rest // 1000} kB of charts and styles)"


if __name__ == "__main__":
    run("script/report", main)
