"""Shows the proportional memory of a running production installation, per process: now, and at its peak.

Proportional memory divides a page that n processes share by n, so that the sum is the memory that all of them use together. Pages
that other programs on the machine use, too, are divided among all of them, so on a machine of its own an installation needs more.
Linux only: https://www.kernel.org/doc/html/latest/filesystems/proc.html

Example: script/memory --seconds 600
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from reporting.deploy.errors import CommandError
from reporting.deploy.tables import print_table
from reporting.settings import ROOT

PAUSE_SECONDS = 0.5
MB = 2**20
# Texts in a command line, and the name under which such a process is shown. The first that matches is used.
NAMES = (
    ("airflow api_server", "api-server"),
    ("airflow api-server", "api-server"),
    ("airflow dag-processor", "dag-processor"),
    ("airflow scheduler", "scheduler"),
    ("LocalExecutor", "workers of the scheduler"),
    ("airflow worker", "workers of the scheduler"),
    ("procfile", "honcho"),
    ("honcho", "honcho"),
    ("/dbt", "dbt"),
    ("script/start", "start"),
    ("reporting.cli start", "start"),
    ("reporting.orchestration.prepare", "start"),
)


@dataclass(slots=True)
class Memory:
    """Memory in bytes, by kind of process. `peak` is the sample with the greatest sum."""

    now: dict[str, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    samples: int = 0

    def add(self, sample: dict[str, int]) -> None:
        """Add one sample."""
        self.now = sample
        self.samples += 1
        if sum(sample.values()) > sum(self.peak.values()):
            self.peak = sample


def sample(pid: int) -> dict[str, int]:
    """The proportional memory in bytes of a process and its child processes, by kind of process."""
    found: dict[str, int] = {}
    first = psutil.Process(pid)
    for process in (first, *first.children(recursive=True)):
        try:
            name = _name(" ".join(process.cmdline()))
            found[name] = found.get(name, 0) + process.memory_full_info().pss
        except psutil.Error:
            continue
    return found


@contextmanager
def watched(pid: int, pause: float = PAUSE_SECONDS) -> Iterator[Memory]:
    """Take samples until the block ends."""
    memory = Memory()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            try:
                memory.add(sample(pid))
            except psutil.Error:
                return
            is_over.wait(pause)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        is_over.set()
        watcher.join()


def table(memory: Memory) -> Table:
    """A table of the samples in MB."""
    made = Table(title=f"Proportional memory in MB, {memory.samples} samples")
    made.add_column("processes")
    made.add_column("now", justify="right")
    made.add_column("peak", justify="right")
    for name in sorted({*memory.now, *memory.peak}):
        made.add_row(name, *(f"{each.get(name, 0) / MB:.0f}" for each in (memory.now, memory.peak)))
    made.add_section()
    made.add_row("all", *(f"{sum(each.values()) / MB:.0f}" for each in (memory.now, memory.peak)))
    return made


def main(
    seconds: Annotated[float, typer.Option(help="seconds to watch")] = 60,
    pid: Annotated[
        int | None,
        typer.Option(help="id of the first process (that of this folder)"),
    ] = None,
) -> int:
    """Take samples for a while, and show the table."""
    pid = pid or _running()
    with watched(pid) as memory:
        threading.Event().wait(seconds)
    if not memory.samples:
        raise CommandError(f"there is no process {pid}, or it belongs to another user.")
    print_table(Console(), table(memory))
    return 0


def _running() -> int:
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or ())
        parent = process.parent()
        is_first = parent is None or "procfile" not in " ".join(parent.cmdline())
        if "reporting.deploy.procfile" in line and process.info["cwd"] == str(ROOT) and is_first:
            return int(process.pid)
    raise CommandError(
        "no production runs from this folder. Start one with script/start, or give the id of its first process with --pid."
    )


def _name(line: str) -> str:
    return next((name for words, name in NAMES if words in line), "tasks and others")
