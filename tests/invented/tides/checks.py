"""What `script/doctor` asks the sea."""

from collections.abc import Iterator

from reporting.settings import Settings
from reporting.sources.base import Finding


def check(settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
    """Whether it is there."""
    yield Finding("the tides", bool(token), "the token is good; the sea is there.")
