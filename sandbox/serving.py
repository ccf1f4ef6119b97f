"""Starts and stops a fake API as a separate process. Uses the standard library only."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reporting.local.serving import Served, free_port, serving


@contextmanager
def fake_api(name: str, data: Path, port: int | None = None, *arguments: str) -> Iterator[Served]:
    """Run the fake API `name` (`notion`, `hubspot`, `google`), which keeps its data in `data`, until the block ends.

    The API accepts any token; requests below `/_control` need the server's own. `arguments` are passed on to
    `python -m sandbox.{name}`.
    """
    with serving(f"sandbox.{name}", data, port or free_port(), "/_control/state", arguments) as served:
        yield served
