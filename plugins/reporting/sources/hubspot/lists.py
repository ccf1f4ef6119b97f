"""Reads owners and pipelines, which are short lists."""

from collections.abc import Iterator
from datetime import UTC, datetime

from reporting.sources.base import Page
from reporting.sources.hubspot.api import LIST_LIMIT, PortalReader
from reporting.sources.shapes import record_of


class OwnersReader(PortalReader):
    """Reads all owners, including those who left, since objects keep their ids."""

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every owner."""
        for is_archived in ("false", "true"):
            query = {"limit": str(LIST_LIMIT), "archived": is_archived}
            for requested_at, results, _ in self.portal.listed("owners", self.portal.path("owners"), query):
                yield Page(requested_at, tuple(map(record_of, results)))


class PipelinesReader(PortalReader):
    """Reads the pipelines of deals."""

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every pipeline, in one answer."""
        requested_at = datetime.now(UTC)
        answer = self.portal.call("pipelines", "GET", self.portal.path("pipelines", "deals"))
        yield Page(requested_at, tuple(map(record_of, answer["results"])))
