"""One run in a process that kills itself after a step, or within a request: see test_kills."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from urllib3.connection import HTTPConnection

from reporting.local.serving import Served
from reporting.settings import read_settings
from reporting.warehouse.client import connect
from tests.convergence.accounts import ACCOUNTS, small_pages
from tests.convergence.history import STEPS, Pipeline, after

# Steps that end with a job of BigQuery's, by what they are called while it runs.
JOBS = {"during load": "_load_stage", "during merge": "_merge", "during sync log": "append"}


def main() -> None:
    """Read and load one entity, and die as the kernel would have it."""
    table, refresh, step, landing, served = sys.argv[1:]
    settings = read_settings()
    accounts = [ACCOUNTS[source](Served(*each)) for source, each in json.loads(served).items()]
    pipeline = Pipeline(connect(settings), settings, landing, accounts)
    with small_pages(), dying(step):
        pipeline.load(table, pipeline.read(table, refresh))  # type: ignore[arg-type]


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def dying(step: str) -> Iterator[None]:
    """Die after `step`; or when the request for a job is sent, and nobody has read the answer yet."""
    if step in STEPS:
        with after(step, die):
            yield
        return
    owner, name = next(each for each in STEPS.values() if each[1] == JOBS[step])
    original = getattr(owner, name)

    def acting(*arguments: object, **options: object) -> object:
        with mock.patch.object(HTTPConnection, "getresponse", die):
            return original(*arguments, **options)

    with mock.patch.object(owner, name, acting):
        yield


if __name__ == "__main__":
    main()
