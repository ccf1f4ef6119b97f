"""Starts and ends a HubSpot stand-in as a process of its own. Standard library only."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.serving import free_port, serving


@contextmanager
def running(data: Path, port: int | None = None, *arguments: str) -> Iterator[str]:
    """Yield the address of a stand-in that keeps its data in `data`; it ends with the block.

    `arguments` are those of `python -m sandbox.hubspot`. Raises `RuntimeError` with the end of its log when it
    does not come up.
    """
    with serving("sandbox.hubspot", data, port or free_port(), "/_control/state", arguments) as address:
        yield address
