"""Starts and ends a local BigQuery as a process of its own. Standard library only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.serving import Served, free_port, serving

SKIP_VARIABLE = "REPORTING_SANDBOX_SKIP_PATCHES"


class LocalBigQuery(Served):
    """A local BigQuery as it is served."""

    @property
    def variables(self) -> dict[str, str]:
        """The environment that leads there."""
        return {"BIGQUERY_EMULATOR_HOST": self.address, "BIGQUERY_EMULATOR_TOKEN": self.token}


@contextmanager
def running(
    data: Path, port: int | None = None, skip: tuple[str, ...] = (), threads: int | None = None
) -> Iterator[LocalBigQuery]:
    """Yield a local BigQuery that keeps its data in `data`; it ends with the block.

    `skip` names patches to leave out, `threads` is how many a statement has (None: a core each). Raises `RuntimeError` with the end of its log when it does not come up.
    """
    environment = os.environ | {SKIP_VARIABLE: ",".join(skip)}
    ready = "/bigquery/v2/projects/local/datasets"
    arguments = () if threads is None else ("--threads", str(threads))
    with serving(
        "sandbox.bigquery", data, port or free_port(), ready, arguments, environment=environment
    ) as served:
        yield LocalBigQuery(*served)
