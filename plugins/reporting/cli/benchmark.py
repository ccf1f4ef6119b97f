"""Measures first load and unchanged full refresh: seconds, CPU and peak memory of reading and loading.

The source is a server that makes wide invented records as fast as they are asked for, and the warehouse is the local BigQuery.
CPU is this project's own (of the processes that read and load) and the server's of the local BigQuery; on a busy machine it
says more than the seconds do.

With --paced it measures the time of a full refresh at the pace that is kept in production, against a fake API that has the
source's limit. script/benchmark-report measures the report.

Example: script/benchmark --source hubspot --rows 1000 10000
"""

import json
import logging
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from reporting.cli.command import one_of, starting_with
from reporting.deploy.errors import CommandError
from reporting.entity import Entity
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing
from reporting.ingest.load import load
from reporting.local.bigquery import running as bigquery_running
from reporting.settings import ROOT, read_settings
from reporting.sources.base import Reader
from reporting.sources.google_contacts.api import Account
from reporting.sources.google_contacts.entities import GOOGLE
from reporting.sources.google_contacts.reader import reader_of as google_reader
from reporting.sources.http import Policy
from reporting.sources.hubspot.api import POLICY as HUBSPOT_POLICY
from reporting.sources.hubspot.api import HubSpot
from reporting.sources.hubspot.entities import HUBSPOT
from reporting.sources.hubspot.reader import reader_of
from reporting.sources.notion.client import POLICY as NOTION_POLICY
from reporting.sources.notion.entities import NOTION
from reporting.sources.notion.reader import NotionReader, NotionSource
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from sandbox.google import AUTHORIZED_USER
from sandbox.serving import fake_api

SIZES = (1_000, 10_000, 50_000)
# What is measured of each source; the first is what is read where no entity is named.
ENTITIES = {"notion": NOTION[:1], "hubspot": HUBSPOT[:2], "google": GOOGLE[:1]}
NAMES = [each.name for some in ENTITIES.values() for each in some]
# How many rows a fake API is made with.
OPTIONS = {"notion": "--rows", "hubspot": "--contacts"}
# The limit that a fake API has, as its option takes it, and as requests a second.
LIMITS = {"notion": ("3", 3.0), "hubspot": ("100", 10.0)}
# The pace is the source's to set; what is measured here is this project's own work.
UNPACED = Policy(requests_per_second=1_000_000)
# The server's CPU is that of the local BigQuery.
COLUMNS = (
    "rows",
    "requests",
    "read s",
    "load s",
    "again s",
    "own CPU",
    "per 10,000",
    "server CPU",
    "read MB",
    "load MB",
)
PLACES = (0, 0, 1, 1, 1, 1, 2, 1, 0, 0)


def main(
    source: Annotated[
        str,
        typer.Option(
            parser=one_of(ENTITIES),
            autocompletion=starting_with(ENTITIES),
            metavar="|".join(ENTITIES),
            help="what is read",
        ),
    ] = "notion",
    entity: Annotated[
        str | None,
        typer.Option(
            parser=one_of(NAMES),
            autocompletion=starting_with(NAMES),
            metavar="NAME",
            help="daily_habits, contacts, or companies of HubSpot",
            show_default="the first of the source",
        ),
    ] = None,
    rows: Annotated[
        list[int] | None,
        typer.Option(
            metavar="COUNT ...", min=1, help="how many there are", show_default=", ".join(map(str, SIZES))
        ),
    ] = None,
    paced: Annotated[bool, typer.Option("--paced", help="measure the pace instead, by the clock")] = False,
    measure: Annotated[str, typer.Option(hidden=True)] = "",
    folder: Annotated[str, typer.Option(hidden=True)] = "",
) -> int:
    """Measure each size with servers and processes of its own, and print a table."""
    if paced:
        if source not in LIMITS:
            raise CommandError(
                f"the fake API of {source} has no limit to keep; --paced takes {', '.join(LIMITS)}."
            )
        Console().print(_paced(source, rows or SIZES))
        return 0
    measured = _entity(source, entity)
    if measure:
        print(json.dumps(_load(measured, folder) if folder else _read(measured, measure)))
        return 0
    load_before = os.getloadavg()[0]
    table = Table(title=measured.table)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for size in rows or SIZES:
        figures = _measured(measured, size)
        table.add_row(*(f"{figures[name]:,.{places}f}" for name, places in zip(COLUMNS, PLACES, strict=True)))
    # Wide enough for a file, too.
    console = Console(width=120)
    console.print(table)
    console.print(
        f"{os.cpu_count()} cores; {load_before:.1f} processes at a time were busy when it began, {os.getloadavg()[0]:.1f} when "
        "it ended."
    )
    return 0


def _entity(source: str, name: str | None) -> Entity:
    known = {each.name: each for each in ENTITIES[source]}
    if name is not None and name not in known:
        raise CommandError(f"{name} is not measured of {source}; --entity takes {', '.join(known)}.")
    return known[name] if name else ENTITIES[source][0]


def _measured(entity: Entity, size: int) -> dict[str, float]:
    """The figures of one first load and one unchanged full refresh, by column. Each read and each load is a process, as in
    production."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            fake_api("bulk", folder / "source", None, "--rows", str(size)) as served,
            bigquery_running(folder / "bigquery") as bigquery,
        ):
            environment = os.environ | bigquery.variables | {"REPORTING_STATE": str(folder)}
            schema.upgrade(connect(read_settings(environment)))

            def run(landed: str = "") -> dict[str, float]:
                with _cpu_of_servers() as used:
                    done = subprocess.run(
                        [
                            *(sys.executable, "-m", "reporting.cli", "benchmark"),
                            *("--source", entity.source, "--entity", entity.name),
                            *("--measure", served.address, "--folder", landed),
                        ],
                        env=environment,
                        cwd=ROOT,
                        stdout=subprocess.PIPE,
                        check=True,
                    )
                return {**json.loads(done.stdout), "server": sum(used)}

            read = run()
            loaded = run(str(read["folder"]))
            again = run()
            unchanged = run(str(again["folder"]))
    if unchanged["changed"] or loaded["changed"] != size:
        raise AssertionError(
            f"{entity.table}: of {size} rows the first load changed {loaded['changed']}, the second {unchanged['changed']}"
        )
    own = read["cpu"] + loaded["cpu"]
    figures = (
        *(
            size,
            read["requests"],
            read["seconds"],
            loaded["seconds"],
            again["seconds"] + unchanged["seconds"],
        ),
        *(own, own / size * 10_000, read["server"] + loaded["server"], read["peak"], loaded["peak"]),
    )
    return dict(zip(COLUMNS, figures, strict=True))


@contextmanager
def _cpu_of_servers() -> Iterator[list[float]]:
    """Yield a list that has, after the block, the CPU seconds that the local BigQuery used in it."""
    servers = [
        each for each in psutil.Process().children(recursive=True) if "sandbox.bigquery" in each.cmdline()
    ]

    def used() -> float:
        return sum(sum(each.cpu_times()[:2]) for each in servers)

    before = used()
    spent: list[float] = []
    yield spent
    spent.append(used() - before)


def _reader(entity: Entity, address: str, policy: Policy | None = UNPACED) -> Reader:
    if entity.source == "notion":
        return NotionReader(NotionSource("ntn_any", address, policy or NOTION_POLICY), NOTION[0])
    if entity.source == "google":
        return google_reader(Account(AUTHORIZED_USER, address, policy), entity)
    portal = HubSpot("pat-any", address, policy=policy or HUBSPOT_POLICY)
    return reader_of(portal, entity)


class _Refusals(logging.Handler):
    """Counts the requests that met a limit."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "HTTP 429" in record.getMessage()


def _paced(source: str, sizes: Sequence[int]) -> Table:
    """Full refreshes by the clock: seconds, what the limit allows for as many requests, and how often it was met."""
    table = Table("rows", "requests", "read s", "allowed s", "ratio", "429s")
    option, per_second = LIMITS[source]
    for size in sizes:
        refusals = _Refusals()
        logging.getLogger("reporting.sources.http").addHandler(refusals)
        with tempfile.TemporaryDirectory() as folder:
            limit = ("--rate-limit", option)
            with fake_api(source, Path(folder), None, OPTIONS[source], str(size), *limit) as served:
                reader = _reader(ENTITIES[source][0], served.address, None)
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


@contextmanager
def _measuring() -> Iterator[dict[str, float]]:
    """Yield what is told of the block: its seconds, its CPU seconds, and the peak memory of this process in MB."""
    told: dict[str, float] = {}
    begun, used = time.monotonic(), time.process_time()
    yield told
    told["seconds"], told["cpu"] = time.monotonic() - begun, time.process_time() - used
    told["peak"] = _peak()


def _peak() -> float:
    """The peak memory of this process in MB."""
    # What getrusage tells begins with the peak of the process that started this one (getrusage(2), and exec in Linux).
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024**2 if sys.platform == "darwin" else 1024
    )


def _read(entity: Entity, address: str) -> dict[str, float | str]:
    settings = read_settings()
    client = connect(settings)
    reader = _reader(entity, address)
    with _measuring() as told:
        folder = extract(client, settings, entity, "full", reader, Landing.of(settings))
    reader.close()
    return {**told, "requests": reader.request_count, "folder": folder}


def _load(entity: Entity, folder: str) -> dict[str, float]:
    settings = read_settings()
    client = connect(settings)
    with _measuring() as told:
        counts = load(client, settings, entity, Landing.of(settings), folder)
    return {**told, "changed": counts.inserted + counts.updated}
