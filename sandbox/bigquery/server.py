"""Starts and ends a local BigQuery as a process of its own. Standard library only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.serving import free_port, serving

SKIP_VARIABLE = "REPORTING_SANDBOX_SKIP_PATCHES"


@contextmanager
def running(
    data: Path, port: int | None = None, skip: tuple[str, ...] = (), threads: int | None = None
) -> Iterator[str]:
    """Yield the address of a local BigQuery that keeps its data in `data`; it ends with the block.

    `skip` names patches to leave out, `threads` is how many a statement has (None: a core each). Raises `RuntimeError` with the end of its log when it does not come up.
    """
    environment = os.environ | {SKIP_VARIABLE: ",".join(skip)}
    ready = "/bigquery/v2/projects/local/datasets"
    arguments = () if threads is None else ("--threads", str(threads))
    with serving(
        "sandbox.bigquery", data, port or free_port(), ready, arguments, environment=environment
    ) as address:
        yield address
