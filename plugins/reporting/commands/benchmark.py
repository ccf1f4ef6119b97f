"""Rows a second and peak memory of read and load, against the stand-in and the local BigQuery.

With --paced the time of a sweep at the pace that is kept in production, against a stand-in that has the source's limit.
"""

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
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
from reporting.sources.hubspot.api import POLICY as HUBSPOT_POLICY
from reporting.sources.notion import POLICY as NOTION_POLICY
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
# The limit that a stand-in has, as its option takes it, and as requests a second.
LIMITS = {"notion": ("3", 3.0), "hubspot": ("100", 10.0)}
# The pace is the source's to set; what is measured here is this project's own work.
UNPACED = Policy(requests_per_second=1_000_000)


def main() -> int:
    """Measure each size in a process of its own, and print a table."""
    parser = argparse.ArgumentParser("script/benchmark", description=__doc__)
    parser.add_argument(
        "--source", choices=ENTITIES, default="notion", help="daily habits, or contacts (%(default)s)"
    )
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES, help="how many there are")
    parser.add_argument("--paced", action="store_true", help="measure the pace instead, by the clock")
    parser.add_argument("--measure", metavar="ADDRESS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure(options.source, options.measure)))
        return 0
    if options.paced:
        Console().print(_paced(options.source, options.rows))
        return 0
    table = Table("rows", "requests", "read s", "load s", "rows/s", "again s", "peak MB")
    for size in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with (
                stand_in(
                    options.source, folder / "source", None, OPTIONS[options.source], str(size)
                ) as source,
                bigquery_running(folder / "bigquery") as bigquery,
            ):
                done = subprocess.run(
                    [
                        *(sys.executable, "-m", "reporting.commands.benchmark"),
                        *("--source", options.source, "--measure", source.address),
                    ],
                    env=os.environ | bigquery.variables | {"REPORTING_STATE": str(folder)},
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


def _reader(source: str, address: str, policy: Policy | None = UNPACED) -> Reader:
    if source == "notion":
        return NotionReader(NotionSource("ntn_any", address, policy or NOTION_POLICY), NOTION[0])
    portal = hubspot.HubSpot("pat-any", address, policy=policy or HUBSPOT_POLICY)
    return hubspot.reader(portal, HUBSPOT[0])


class _Refusals(logging.Handler):
    """Counts the requests that met a limit."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "HTTP 429" in record.getMessage()


def _paced(source: str, sizes: Sequence[int]) -> Table:
    """Sweeps by the clock: seconds, what the limit allows for as many requests, and how often it was met."""
    table = Table("rows", "requests", "read s", "allowed s", "ratio", "429s")
    option, per_second = LIMITS[source]
    for size in sizes:
        refusals = _Refusals()
        logging.getLogger("reporting.sources.http").addHandler(refusals)
        with tempfile.TemporaryDirectory() as folder:
            limit = ("--rate-limit", option)
            with stand_in(source, Path(folder), None, OPTIONS[source], str(size), *limit) as served:
                reader = _reader(source, served.address, None)
                begun = time.monotonic()
                reader.describe()
                rows = sum(len(page.records) for page in reader.read(None))
                seconds = time.monotonic() - begun
                reader.close()
        logging.getLogger("reporting.sources.http").removeHandler(refusals)
        allowed = reader.request_count / per_second
        figures = (f"{seconds:.1f}", f"{allowed:.1f}", f"{seconds / allowed:.2f}")
        table.add_row(str(rows), str(reader.request_count), *figures, str(refusals.count))
    return table


def _measure(source: str, address: str) -> dict[str, float]:
    """Seconds to read, to load, and to do both again with nothing changed; peak memory of this process in MB."""
    settings = read_settings()
    client = connect(settings)
    schema.upgrade(client)
    landing = Landing.of(settings)
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
