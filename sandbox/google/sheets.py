"""The Sheets API's endpoints for reading values, over spreadsheets that tests put there.

A spreadsheet is kept as `{"title", "locale", "timeZone", "tabs": [{"title", "sheetId", "rows"}]}`. A cell of `rows` is what
it holds: text, a number, a truth value, or nothing; a date is its serial number with how it is shown, `[46000, "date"]`.
"""

import re
from datetime import date, timedelta
from typing import Any

from starlette.requests import Request

from sandbox.google.errors import ApiError
from sandbox.google.schema import Json
from sandbox.google.store import Store

FIELDS = "properties(title,locale,timeZone),sheets.properties(sheetId,title,sheetType)"
RANGE = re.compile(r"(?:'(?P<quoted>(?:[^']|'')+)'|(?P<plain>[^'!]+))(?:!(?P<first>\d+):(?P<last>\d+))?")
FIRST_DAY = date(1899, 12, 30)


class Sheets:
    """The endpoints over one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def spreadsheet(self, request: Request) -> Json:
        """GET a spreadsheet's properties and those of its tabs, and no cells.

        https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets/get
        """
        found = self._known(request)
        if request.query_params.get("fields") != FIELDS:
            raise ApiError(501, f"The fake API gives these fields alone: {FIELDS}")
        return {
            "properties": {name: found[name] for name in ("title", "locale", "timeZone")},
            "sheets": [
                {
                    "properties": {
                        "sheetId": tab["sheetId"],
                        "title": tab["title"],
                        "sheetType": tab.get("sheetType", "GRID"),
                    }
                }
                for tab in found["tabs"]
            ],
        }

    async def values(self, request: Request) -> Json:
        """GET the values of a tab, or of some of its rows; what is empty at the end is left out.

        https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets.values/get
        """
        found = self._known(request)
        asked = request.path_params["range"]
        match = RANGE.fullmatch(asked)
        title = (match["quoted"] or match["plain"]).replace("''", "'") if match else None
        tab = next((each for each in found["tabs"] if each["title"] == title), None)
        if match is None or tab is None:
            raise ApiError(400, f"Unable to parse range: {asked}")
        query = request.query_params
        if query.get("majorDimension", "ROWS") != "ROWS" or "valueRenderOption" not in query:
            raise ApiError(
                501, "The fake API gives rows alone, and wants to be told how values are rendered."
            )
        rows = tab["rows"]
        if match["first"]:
            rows = rows[int(match["first"]) - 1 : int(match["last"])]
        is_plain = query["valueRenderOption"] == "UNFORMATTED_VALUE"
        is_serial = is_plain and query.get("dateTimeRenderOption", "SERIAL_NUMBER") == "SERIAL_NUMBER"
        shown = _trimmed([_trimmed([_shown(cell, is_plain, is_serial) for cell in row]) for row in rows])
        answer: Json = {"range": asked, "majorDimension": "ROWS"}
        return answer | ({"values": shown} if shown else {})

    async def get(self, request: Request) -> Json:
        """GET a spreadsheet as it is kept, for tests."""
        return self._known(request)

    async def put(self, request: Request) -> Json:
        """PUT a spreadsheet as it is to be kept, for tests."""
        body: Json = await request.json()
        self.store.put_spreadsheet(request.path_params["key"], body)
        return {}

    async def delete(self, request: Request) -> Json:
        """DELETE a spreadsheet for good, for tests."""
        self._known(request)
        self.store.put_spreadsheet(request.path_params["key"], None)
        return {}

    def _known(self, request: Request) -> Json:
        found = self.store.spreadsheet(request.path_params["key"])
        if found is None:
            raise ApiError(404, "Requested entity was not found.")
        if found.get("isPrivate") and not request.url.path.startswith("/_control"):
            raise ApiError(403, "The caller does not have permission")
        return found


def _shown(cell: Any, is_plain: bool, is_serial: bool) -> Any:
    if cell is None:
        return ""
    if isinstance(cell, list):
        day = FIRST_DAY + timedelta(days=int(cell[0]))
        return cell[0] if is_serial else f"{day:%d.%m.%Y}"
    return cell if is_plain else str(cell)


def _trimmed(values: list[Any]) -> list[Any]:
    while values and values[-1] in ("", []):
        values = values[:-1]
    return values
