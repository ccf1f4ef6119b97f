"""Measures the proportional memory of a running installation: what it takes now, and at its peak.

Proportional memory counts a page that n processes share as one n-th for each, so that the sum is what the machine
lacks. Pages of files that other programs on the machine use too are shared with them: on a machine of its own an
installation takes more. Linux only: https://www.kernel.org/doc/html/latest/filesystems/proc.html
"""

import argparse
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
from rich.console import Console
from rich.table import Table

from reporting.commands.errors import CommandError, run
from reporting.settings import ROOT

PAUSE_SECONDS = 0.5
MB = 2**20
# What identifies a process to a reader, the first that fits.
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
    ("reporting.commands.start", "start"),
    ("reporting.orchestration.prepare", "start"),
)


@dataclass(slots=True)
class Memory:
    """Bytes by kind of process. `peak` is the sample with the greatest sum."""

    now: dict[str, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    samples: int = 0

    def add(self, sample: dict[str, int]) -> None:
        """Take one more sample in."""
        self.now = sample
        self.samples += 1
        if sum(sample.values()) > sum(self.peak.values()):
            self.peak = sample


def sample(pid: int) -> dict[str, int]:
    """Bytes of proportional memory of a process and all that it started, by kind of process."""
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
    """Sample for as long as the block lasts."""
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
    """The samples for the terminal, in MB."""
    made = Table(title=f"Proportional memory in MB, {memory.samples} samples", title_justify="left")
    made.add_column("processes")
    made.add_column("now", justify="right")
    made.add_column("peak", justify="right")
    for name in sorted({*memory.now, *memory.peak}):
        made.add_row(name, *(f"{each.get(name, 0) / MB:.0f}" for each in (memory.now, memory.peak)))
    made.add_section()
    made.add_row("all", *(f"{sum(each.values()) / MB:.0f}" for each in (memory.now, memory.peak)))
    return made


def main() -> int:
    """Watch for a while, and show the table."""
    parser = argparse.ArgumentParser("script/memory", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long to watch (%(default)s)")
    parser.add_argument("--pid", type=int, help="the first process; without it the one of this folder")
    options = parser.parse_args()
    pid = options.pid or _running()
    with watched(pid) as memory:
        threading.Event().wait(options.seconds)
    if not memory.samples:
        raise CommandError(f"there is no process {pid}, or it is another user's.")
    Console().print(table(memory))
    return 0


def _running() -> int:
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or ())
        parent = process.parent()
        is_first = parent is None or "procfile" not in " ".join(parent.cmdline())
        if "reporting.commands.procfile" in line and process.info["cwd"] == str(ROOT) and is_first:
            return int(process.pid)
    raise CommandError(
        "no production runs from this folder. Start one with script/start, or name it with --pid."
    )


def _name(line: str) -> str:
    return next((name for words, name in NAMES if words in line), "tasks and others")


if __name__ == "__main__":
    run("script/memory", main)
