"""Reads tabs of Google Sheets: a row of the sheet is a record, and the first row names the columns.

Facts about the API are from its reference: https://developers.google.com/workspace/sheets/api/reference/rest
"""

from reporting.sources.google_sheets.reader import SHEETS, SheetReader

__all__ = ["SHEETS", "SheetReader"]
