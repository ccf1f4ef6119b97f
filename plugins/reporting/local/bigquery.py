"""Starts and stops a local BigQuery as a separate process. Uses the standard library only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reporting.local.serving import Served, free_port, served_in, serving

READY = "/bigquery/v2/projects/local/datasets"
SKIP_VARIABLE = "REPORTING_SANDBOX_SKIP_PATCHES"


class LocalBigQuery(Served):
    """A running local BigQuery."""

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that point other processes to it."""
        return {"BIGQUERY_EMULATOR_HOST": self.address, "BIGQUERY_EMULATOR_TOKEN": self.token}


@contextmanager
def running(
    data: Path, port: int | None = None, skip: tuple[str, ...] = (), threads: int | None = None
) -> Iterator[LocalBigQuery]:
    """Run a local BigQuery that keeps its data in `data`, until the block ends.

    `skip` names patches to leave out. `threads` is the number of threads per statement (None: one per core). Raises
    `RuntimeError` with the end of its log if it does not start.
    """
    environment = os.environ | {SKIP_VARIABLE: ",".join(skip)}
    arguments = () if threads is None else ("--threads", str(threads))
    with serving(
        "sandbox.bigquery", data, port or free_port(), READY, arguments, environment=environment
    ) as served:
        yield LocalBigQuery(*served)


def found(data: Path) -> LocalBigQuery | None:
    """The local BigQuery that another command, such as script/server, serves `data` with now; None when there is none."""
    served = served_in(data, READY)
    return LocalBigQuery(*served) if served else None
