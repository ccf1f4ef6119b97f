"""The checks of streams for `script/doctor`."""

from collections.abc import Iterator

from reporting.settings import Settings
from reporting.sources.base import Finding
from reporting.sources.stream.inbox import Inbox


def check(settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
    """Say of each stream what came last. Nothing where none is declared."""
    # The owner's own are known to the registry, which imports the sources.
    from reporting.sources.registry import SOURCES

    for table in SOURCES["stream"].entities:
        requests = Inbox(settings, table.name).requests()
        said = (
            f"{len(requests)} requests are kept, the last of {requests[-1][0]:%Y-%m-%d %H:%M} UTC."
            if requests
            else "nothing was pushed within a week."
        )
        yield Finding(table.table, True, said)
