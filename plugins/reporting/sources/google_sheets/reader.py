"""Reads a tab of a spreadsheet. Every read is a full one, since a sheet does not say what changed when."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import AccessDeniedError, NotFoundError, Page, Record, missing
from reporting.sources.google_api import Api, GoogleAccount, JsonObject, RefusedError
from reporting.sources.google_sheets.entities import SheetTab
from reporting.sources.google_sheets.tab import (
    Address,
    SheetError,
    content_hash,
    header_of,
    name_of,
    records_of,
    renamed_columns,
)
from reporting.sources.http import Policy

logger = logging.getLogger(__name__)

SHEETS = Api(
    "sheets",
    "v4",
    "Google Sheets API",
    "https://www.googleapis.com/auth/spreadsheets.readonly",
    # The limit is 60 reads per minute and user: https://developers.google.com/workspace/sheets/api/limits
    Policy(requests_per_second=0.95),
)
FIELDS = "properties(title,locale,timeZone),sheets.properties(sheetId,title,sheetType)"


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None) -> "SheetReader":
    """A reader of `entity`. `token` is an authorized user as JSON. `base_url` is only set for a fake API."""
    if not isinstance(entity, SheetTab):
        raise TypeError(f"expected a tab of a sheet, got {type(entity).__name__}")
    account = GoogleAccount(SHEETS, json.loads(token), base_url)
    return SheetReader(account, entity, settings.names[entity.table], settings.columns.get(entity.table))


class SheetReader:
    """Reads one tab (a `Reader`).

    `address` is from the owner's setting: a link or an id of a spreadsheet, and a tab. `columns` says what its columns are
    called there. Raises the errors of `reporting.sources.base`.
    """

    def __init__(
        self, account: GoogleAccount, entity: SheetTab, address: str, columns: str | None = None
    ) -> None:
        self.account = account
        self._entity = entity
        self._address = Address.parse(entity, address)
        self._renamed = renamed_columns(entity, columns)
        self._locale = ""
        self._tab = ""

    @property
    def request_count(self) -> int:
        """The number of requests sent so far, including retries and requests for access tokens."""
        return self.account.transport.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """The time of Google's clock in its first answer."""
        return self.account.transport.server_started_at

    def describe(self) -> JsonObject:
        """The title and locale of the spreadsheet, the tab, and its columns in `properties`."""
        sheets = self.account.api.spreadsheets()
        found = self._call(sheets.get(spreadsheetId=self._address.spreadsheet_id, fields=FIELDS))
        properties = found.get("properties") or {}
        self._locale = str(properties.get("locale") or "en_US")
        tab = self._chosen([each["properties"] for each in found.get("sheets") or []], properties)
        self._tab = str(tab["title"])
        rows = self._values("!1:1")
        header = header_of(self._entity, rows[0] if rows else (), self._tab, self._renamed)
        for sentence in header.repeated:
            logger.warning(
                "%s: %s. All columns are loaded into the payload. If a known column occurs several times, the first one is used.",
                self._entity.table,
                sentence,
            )
        return {
            "spreadsheet": properties,
            "tab": tab,
            "properties": dict.fromkeys(header.names, "column"),
        }

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every row in one page; the tab is the one that `describe` found."""
        requested_at = datetime.now(UTC)
        rows = self._values("")
        header = header_of(self._entity, rows[0] if rows else (), self._tab, self._renamed)
        records = records_of(self._entity, header, rows[1:], self._tab, self._locale)
        yield Page(requested_at, tuple(records))

    def would_meet(self, record_id: str) -> bool:
        """Whether a full refresh would have returned this record."""
        return True

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield a tombstone for each: the tab has every row that there is."""
        return missing(ids)

    def content_hash(self, record: Record) -> str:
        """The SHA-256 of the row."""
        return content_hash(record)

    def close(self) -> None:
        """Close the connections."""
        self.account.close()

    def _chosen(self, tabs: list[JsonObject], spreadsheet: Mapping[str, Any]) -> JsonObject:
        grids = [each for each in tabs if each.get("sheetType", "GRID") == "GRID"]
        address = self._address
        for tab in grids:
            # Google may leave a 0 out of the JSON.
            is_it = (
                tab["title"] == address.title
                if address.title
                else address.sheet_id in (None, tab.get("sheetId", 0))
            )
            if is_it:
                return tab
        wanted = f"'{address.title}'" if address.title else f"with the number {address.sheet_id} in its link"
        known = ", ".join(f"'{each['title']}'" for each in grids) or "none"
        raise NotFoundError(
            f"the spreadsheet '{spreadsheet.get('title')}' has no tab {wanted}; it has {known}. Set "
            f"{name_of(self._entity)} to one of these; nothing was loaded."
        )

    def _values(self, part: str) -> list[list[Any]]:
        quoted = self._tab.replace("'", "''")
        answer = self._call(
            self.account.api.spreadsheets()
            .values()
            .get(
                spreadsheetId=self._address.spreadsheet_id,
                range=f"'{quoted}'{part}",
                majorDimension="ROWS",
                valueRenderOption="UNFORMATTED_VALUE",
                dateTimeRenderOption="SERIAL_NUMBER",
            )
        )
        values: list[list[Any]] = answer.get("values") or []
        return values

    def _call(self, request: Any) -> JsonObject:
        try:
            return self.account.call(f"the spreadsheet of {self._entity.table}", request)
        except RefusedError as error:
            if error.status == 404:
                raise NotFoundError(
                    f"the spreadsheet of {self._entity.table} does not exist (404): it was deleted permanently, or the id in "
                    f"{name_of(self._entity)} is wrong. Nothing was loaded, and the rows stay as they were read last."
                ) from None
            if error.status == 403:
                raise AccessDeniedError(
                    f"the account of the connection 'google' may not open the spreadsheet of {self._entity.table} (403). "
                    "Share it with that account, or log in as its owner with script/google-login."
                ) from None
            if error.status == 400 and self._tab:
                raise SheetError(
                    f"Google does not find the tab '{self._tab}' of {self._entity.table} any more (400): it was renamed during "
                    "the read. Nothing was loaded; run the task again."
                ) from None
            raise
