"""Records that other programs push: `POST /reporting/stream/ENTITY`, one raw table per declared entity.

The project declares none of it. A package in `sources/own` does, in a few lines: docs/guides/events.md has one.
"""

from reporting.entity import Property
from reporting.sources.base import Source
from reporting.sources.stream.declare import DeclarationError, StreamTable

__all__ = ["SOURCE", "DeclarationError", "Property", "StreamTable"]

SOURCE = Source(
    name="stream",
    title="Streams",
    package=__name__,
    entities=(),
    has_secret=False,
    needs="nothing",
    advice="docs/guides/events.md says how a stream is declared, and script/connect stream NAME makes its token.",
    when_stale="whether the scheduler runs",
)
