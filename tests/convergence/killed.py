"""One run in a process that kills itself after a step: `python -m tests.convergence.killed ...` (see test_kills)."""

import os
import signal
import sys

from reporting.settings import read_settings
from reporting.warehouse.client import connect
from tests.convergence.history import Pipeline, dying_after


def main() -> None:
    """Read and load one entity, and die as the kernel would have it."""
    name, refresh, step, landing, notion, crm = sys.argv[1:]
    settings = read_settings()
    pipeline = Pipeline(connect(settings), settings, landing, notion, crm)
    with dying_after(step or None, lambda: os.kill(os.getpid(), signal.SIGKILL)):
        pipeline.load(name, pipeline.read(name, refresh))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
