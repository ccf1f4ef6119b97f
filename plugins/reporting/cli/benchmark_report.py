"""Measures how long the report takes, how much memory it needs, and how large its pages are.

It uses invented marts in the local BigQuery. The pages stay in the folder of --to, so that you can look at them.

Example: script/benchmark-report --years 5 --engagements 20000
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from reporting.local.bigquery import running as bigquery_running
from reporting.reports.build import build
from reporting.settings import ROOT, read_settings
from reporting.warehouse.client import connect
from sandbox.mart_tables import create
from sandbox.marts import Sample


def main(
    years: Annotated[int, typer.Option(help="years of habits")] = 10,
    engagements: Annotated[int, typer.Option(help="how many there are")] = 100_000,
    people: Annotated[int, typer.Option(help="how many there are")] = 2_000,
    to: Annotated[
        Path, typer.Option(metavar="FOLDER", help="folder for the pages", show_default="var/benchmark-report")
    ] = ROOT / "var" / "benchmark-report",
    measure: Annotated[bool, typer.Option("--measure", hidden=True)] = False,
) -> int:
    """Fill the marts, measure in a separate process, and print a table."""
    if measure:
        print(json.dumps(_measure()))
        return 0
    with tempfile.TemporaryDirectory() as name, bigquery_running(Path(name) / "bigquery") as bigquery:
        environment = {
            **bigquery.variables,
            "REPORTING_STATE": name,
            "REPORTING_SITE_URI": str(to.resolve()),
        }
        client = connect(read_settings(environment))
        create(client)
        today = datetime.now(UTC).date()
        Sample(today, years, people, engagements).fill(client, "marts")
        done = subprocess.run(
            [sys.executable, "-m", "reporting.cli", "benchmark-report", "--measure"],
            env=os.environ | environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
    found = json.loads(done.stdout)
    table = Table("file", "kB")
    for name, size in found["sizes"].items():
        table.add_row(name, f"{size / 1000:.1f}")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{found['seconds']:.1f} s, peak {found['peak']:.0f} MB, {found['first']}", soft_wrap=True)
    return 0


def _measure() -> dict[str, object]:
    """Make the report once. Returns the seconds, the peak memory of this process in MB, and the size of each file in bytes."""
    settings = read_settings()
    client = connect(settings)
    begun = time.monotonic()
    built = build(client, settings)
    return {
        "seconds": time.monotonic() - begun,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "first": built.first,
        "sizes": built.sizes,
    }
