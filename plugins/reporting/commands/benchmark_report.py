"""How long the report takes, its memory and the weight of its pages, on invented marts in the local BigQuery.

The pages stay in the folder of --to, to be looked at.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reporting.commands.errors import run
from reporting.reports.build import build
from reporting.settings import ROOT, read_settings
from reporting.warehouse.client import connect
from sandbox.bigquery.server import running as bigquery_running
from sandbox.marts import Sample, create


def main() -> int:
    """Fill the marts, measure in a process of its own, and print a table."""
    parser = argparse.ArgumentParser("script/benchmark report", description=__doc__)
    parser.add_argument("--years", type=int, default=10, help="years of habits (%(default)s)")
    parser.add_argument("--engagements", type=int, default=100_000, help="how many there are (%(default)s)")
    parser.add_argument("--people", type=int, default=2_000, help="how many there are (%(default)s)")
    parser.add_argument(
        "--to", type=Path, default=ROOT / "var" / "benchmark-report", help="where the pages go"
    )
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure()))
        return 0
    with tempfile.TemporaryDirectory() as name, bigquery_running(Path(name) / "bigquery") as bigquery:
        environment = {
            **bigquery.variables,
            "REPORTING_STATE": name,
            "REPORTING_SITE_URI": str(options.to.resolve()),
        }
        client = connect(read_settings(environment))
        create(client)
        today = datetime.now(UTC).date()
        Sample(today, options.years, options.people, options.engagements).fill(client, "marts")
        done = subprocess.run(
            [sys.executable, "-m", "reporting.commands.benchmark_report", "--measure"],
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
    """Seconds of one build, the peak memory of this process in MB, and the size of each file in bytes."""
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


if __name__ == "__main__":
    run("script/benchmark report", main)
