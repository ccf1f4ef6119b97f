"""Reads one tab of a spreadsheet whole, which is all that a sheet offers: nothing in it says what changed when."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from reporting.entity import SheetTab
from reporting.sources.base import AccessDeniedError, NotFoundError, Page, Record, Tombstone
from reporting.sources.google_api import Api, GoogleAccount, JsonObject, RefusedError
from reporting.sources.google_sheets.rows import (
    Address,
    SheetError,
    content_hash,
    header_of,
    name_of,
    records_of,
    renamed_columns,
)
from reporting.sources.http import Policy

SHEETS = Api(
    "sheets",
    "v4",
    "Google Sheets API",
    "https://www.googleapis.com/auth/spreadsheets.readonly",
    # A user may read 60 times a minute: https://developers.google.com/workspace/sheets/api/limits
    Policy(requests_per_second=0.95),
)
FIELDS = "properties(title,locale,timeZone),sheets.properties(sheetId,title,sheetType)"


class SheetReader:
    """Reads one tab; a `Reader`.

    `address` is what the owner set: a link or an id, and a tab. `columns` says what its columns are called there. Raises
    the errors of `reporting.sources.base`.
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
        """Requests sent so far, retries and access tokens included."""
        return self.account.transport.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """Google's own clock at its first answer."""
        return self.account.transport.server_started_at

    def describe(self) -> JsonObject:
        """The spreadsheet's title and locale, the tab, and the columns in `properties`."""
        sheets = self.account.api.spreadsheets()
        found = self._call(sheets.get(spreadsheetId=self._address.spreadsheet_id, fields=FIELDS))
        properties = found.get("properties") or {}
        self._locale = str(properties.get("locale") or "en_US")
        tab = self._chosen([each["properties"] for each in found.get("sheets") or []], properties)
        self._tab = str(tab["title"])
        rows = self._values("!1:1")
        header = header_of(self._entity, rows[0] if rows else (), self._tab, self._renamed)
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
        """Whether the sweep would have met this record."""
        return True

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield a tombstone for each: the tab has every row that there is."""
        gone = tuple(Tombstone(each, "missing") for each in ids)
        if gone:
            yield Page(datetime.now(UTC), tombstones=gone)

    def content_hash(self, record: Record) -> str:
        """SHA-256 over the row."""
        return content_hash(record)

    def close(self) -> None:
        """Close the connections."""
        self.account.close()

    def _chosen(self, tabs: list[JsonObject], spreadsheet: Mapping[str, Any]) -> JsonObject:
        grids = [each for each in tabs if each.get("sheetType", "GRID") == "GRID"]
        address = self._address
        for tab in grids:
            # A number that is 0 may be left out of JSON.
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
            f"{name_of(self._entity)} to the one that is meant; nothing was loaded."
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
                    f"the spreadsheet of {self._entity.table} is not there (404): it was deleted for good, or the id in "
                    f"{name_of(self._entity)} is another. Nothing was loaded, and the rows stay as they were read last."
                ) from None
            if error.status == 403:
                raise AccessDeniedError(
                    f"the account of the connection 'google' may not open the spreadsheet of {self._entity.table} (403). "
                    "Share it with that account, or log in as its owner with script/google-login."
                ) from None
            if error.status == 400 and self._tab:
                raise SheetError(
                    f"Google finds no tab '{self._tab}' of {self._entity.table} any more (400): it was renamed while it was "
                    "read. Nothing was loaded; run the task again."
                ) from None
            raise
