"""Rows a second and peak memory of read and load, against the stand-in and the local BigQuery."""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reporting.commands.errors import run
from reporting.entities import HUBSPOT, NOTION
from reporting.extract import extract
from reporting.landing import Landing
from reporting.settings import ROOT, read_settings
from reporting.sources import hubspot
from reporting.sources.base import Reader
from reporting.sources.http import Policy
from reporting.sources.notion import NotionReader, NotionSource
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from reporting.warehouse.load import load
from sandbox.bigquery.server import running as bigquery_running
from sandbox.serving import stand_in

SIZES = (1_000, 10_000, 50_000)
ENTITIES = {"notion": NOTION[0], "hubspot": HUBSPOT[0]}
# How many rows a stand-in is made with.
OPTIONS = {"notion": "--rows", "hubspot": "--contacts"}
# The pace is the source's to set; what is measured here is this project's own work.
UNPACED = Policy(requests_per_second=1_000_000)


def main() -> int:
    """Measure each size in a process of its own, and print a table."""
    parser = argparse.ArgumentParser("script/benchmark", description=__doc__)
    parser.add_argument(
        "--source", choices=ENTITIES, default="notion", help="daily habits, or contacts (%(default)s)"
    )
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="how many there are")
    parser.add_argument("--measure", metavar="ADDRESS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure(options.source, options.measure)))
        return 0
    table = Table("rows", "requests", "read s", "load s", "rows/s", "again s", "peak MB")
    for size in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with (
                stand_in(
                    options.source, folder / "source", None, OPTIONS[options.source], str(size)
                ) as address,
                bigquery_running(folder / "bigquery") as bigquery,
            ):
                done = subprocess.run(
                    [
                        *(sys.executable, "-m", "reporting.commands.benchmark"),
                        *("--source", options.source, "--measure", address),
                    ],
                    env=os.environ | {"BIGQUERY_EMULATOR_HOST": bigquery, "REPORTING_STATE": str(folder)},
                    cwd=ROOT,
                    stdout=subprocess.PIPE,
                    check=True,
                )
        found = json.loads(done.stdout)
        both = found["read"] + found["load"]
        figures = (found["read"], found["load"], found["rows"] / both, found["again"], found["peak"])
        counts = (str(found["rows"]), str(found["requests"]))
        table.add_row(*counts, *(f"{figure:.1f}" for figure in figures))
    Console().print(table)
    return 0


def _reader(source: str, address: str) -> Reader:
    if source == "notion":
        return NotionReader(NotionSource("ntn_any", address, UNPACED), NOTION[0])
    return hubspot.reader(hubspot.HubSpot("pat-any", address, policy=UNPACED), HUBSPOT[0])


def _measure(source: str, address: str) -> dict[str, float]:
    """Seconds to read, to load, and to do both again with nothing changed; peak memory of this process in MB."""
    settings = read_settings()
    client = connect(settings)
    schema.upgrade(client)
    landing = Landing(settings.landing_uri)
    entity = ENTITIES[source]
    at = []
    counts = []
    requests = []
    for _ in range(2):
        at.append(time.monotonic())
        reader = _reader(source, address)
        folder = extract(client, settings, entity, "full", reader, landing)
        requests.append(reader.request_count)
        reader.close()
        at.append(time.monotonic())
        counts.append(load(client, settings, entity, landing, folder))
    at.append(time.monotonic())
    if counts[1].inserted or counts[1].updated:
        raise AssertionError(f"the second load changed rows: {counts[1]}")
    return {
        "rows": counts[0].inserted,
        "requests": requests[0],
        "read": at[1] - at[0],
        "load": at[2] - at[1],
        "again": at[4] - at[2],
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    run("script/benchmark", main)
