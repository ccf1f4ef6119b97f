"""Tabs of Google Sheets. Each row of a tab is a record, and the first row has the names of the columns.

Facts about the API are from its reference: https://developers.google.com/workspace/sheets/api/reference/rest
"""

from reporting.sources.base import Source, named_property
from reporting.sources.google_sheets.entities import GOOGLE_SHEETS

SOURCE = Source(
    name="google_sheets",
    title="Google Sheets",
    package=__name__,
    entities=GOOGLE_SHEETS,
    needs="an authorized user as its credential_config_file",
    advice="Run script/google-login.",
    is_login=True,
    when_stale="whether the spreadsheet still exists, and its tab and columns have the same names",
    property_of=named_property,
)
