"""Tides of harbours: a source that nobody has, for the tests."""

from reporting.sources.tides.entities import TIDES

from reporting.sources.base import Source

SOURCE = Source(
    name="tides",
    title="the tides",
    package=__name__,
    entities=TIDES,
    needs="a token as its password",
    advice="Run script/connect tides.",
    when_stale="whether the sea is still there",
)
