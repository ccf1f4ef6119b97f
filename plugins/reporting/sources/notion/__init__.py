"""Notion: databases of one workspace, such as those with habits."""

from collections.abc import Mapping
from typing import Any

from reporting.sources.base import DescribedProperty, Source
from reporting.sources.notion.entities import NOTION


def _property_of(name: str, described: Any) -> tuple[str, DescribedProperty]:
    fields = described if isinstance(described, Mapping) else {}
    # The id stays the same if the property is renamed.
    return str(fields.get("id") or name), DescribedProperty(name, str(fields.get("type")))


SOURCE = Source(
    name="notion",
    title="Notion",
    package=__name__,
    entities=NOTION,
    needs="a token as its password",
    advice="Run script/connect notion.",
    when_stale="whether the database is still shared with the integration, and whether the token is still valid",
    property_of=_property_of,
)
