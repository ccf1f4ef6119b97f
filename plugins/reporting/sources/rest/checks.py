"""What `script/doctor` and `script/connect` ask a declared source."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

from reporting.settings import SWITCHED_OFF, Settings
from reporting.sources.base import Finding, Source, SourceError
from reporting.sources.http import IMPATIENT
from reporting.sources.rest.client import Client
from reporting.sources.rest.declare import RestEntity
from reporting.sources.rest.reader import reader_of


class Checks:
    """The checks of one declared source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.STEPS = f"\nThe connection holds {source.needs}. Paste it here in one line; it is not shown.\n"

    def check(self, settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
        """The first page of each resource."""
        for each in self._source.entities:
            entity = cast(RestEntity, each)
            if settings.names.get(entity.table) == SWITCHED_OFF:
                yield Finding(entity.table, True, "is switched off.")
            else:
                yield _check(entity, token, host, settings.timezone)


def _check(entity: RestEntity, token: str, host: str | None, timezone: str) -> Finding:
    try:
        client = Client(entity.api, token, host, IMPATIENT)
    except SourceError as error:
        return Finding(entity.table, False, str(error))
    try:
        since = datetime.now(UTC) if entity.has_changed else None
        page = next(iter(reader_of(client, entity, timezone).read(since)), None)
    except SourceError as error:
        return Finding(entity.table, False, str(error))
    finally:
        client.close()
    return Finding(
        entity.table, True, f"can be read; its first page has {len(page.records) if page else 0} records."
    )
