"""Makes the report from the marts as they are now, and prints its address.

You can open it in a browser without a server.

Example: script/report
"""

from rich.console import Console

from reporting.cli.command import LOCAL, BigQueryPort, Data
from reporting.deploy import configuration, installation
from reporting.deploy.errors import CommandError, end_on_signals
from reporting.deploy.installation import BIGQUERY_PORT
from reporting.reports.build import Built, build
from reporting.reports.marts import ReportError


def main(
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    data: Data = LOCAL,
) -> int:
    """Make the report, and print its address and size."""
    end_on_signals()
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    with installation.warehouse_running(
        data.resolve(), variables, console, bigquery_port=bigquery_port, is_written=False
    ) as running:
        try:
            built = build(running.client, running.settings)
        except ReportError as error:
            raise CommandError(str(error)) from None
    console.print(said(built), soft_wrap=True)
    return 0


def said(built: Built) -> str:
    """A line with the address of a report and the size of its pages."""
    pages = sum(size for name, size in built.sizes.items() if name.endswith(".html"))
    rest = sum(built.sizes.values()) - pages
    return f"Report: {built.first} ({pages // 1000} kB of pages, {rest // 1000} kB of charts and styles)"
