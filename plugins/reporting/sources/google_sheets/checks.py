"""The checks of Google Sheets for `script/doctor`."""

import json
from collections.abc import Iterator
from typing import cast

from reporting.settings import SWITCHED_OFF, Settings
from reporting.sources.base import Finding, SourceError
from reporting.sources.google_api import GoogleAccount
from reporting.sources.google_sheets.entities import SheetTab
from reporting.sources.google_sheets.reader import SHEETS, SheetReader
from reporting.sources.http import IMPATIENT


def check(settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
    """Check each tab that is configured."""
    # The owner's own are known to the registry, which imports the sources.
    from reporting.sources.registry import SOURCES

    for entity in cast(tuple[SheetTab, ...], SOURCES["google_sheets"].entities):
        if settings.names.get(entity.table, SWITCHED_OFF) != SWITCHED_OFF:
            yield _check_tab(GoogleAccount(SHEETS, json.loads(token), host, IMPATIENT), settings, entity)


def _check_tab(account: GoogleAccount, settings: Settings, entity: SheetTab) -> Finding:
    try:
        columns = settings.columns.get(entity.table)
        found = SheetReader(account, entity, settings.names[entity.table], columns).describe()
    except SourceError as error:
        return Finding(entity.table, False, str(error))
    finally:
        account.close()
    names = found["tab"]["title"], found["spreadsheet"].get("title")
    return Finding(entity.table, True, "reads the tab '{}' of '{}'.".format(*names))
