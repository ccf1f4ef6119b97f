"""A fake API for Google's People API, as much of its Calendar and Sheets APIs as is read, and its OAuth endpoints, with invented
data.

What it imitates is in Google's reference: https://developers.google.com/people/api/rest,
https://developers.google.com/workspace/calendar/api/v3/reference and
https://developers.google.com/workspace/sheets/api/reference/rest
"""

# Whoever signs in unless it is told otherwise; none of it opens anything.
AUTHORIZED_USER = {
    "client_id": "1-invented.apps.googleusercontent.com",
    "client_secret": "invented-client-secret",
    "refresh_token": "1//invented-refresh-token",
}
CONTACTS_SCOPE = "https://www.googleapis.com/auth/contacts.readonly"
SHEETS_SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"
CALENDAR_SCOPE = "https://www.googleapis.com/auth/calendar.readonly"
SCOPES = (CONTACTS_SCOPE, SHEETS_SCOPE, CALENDAR_SCOPE)
# The sample's spreadsheet, and its only tab as a browser shows it.
SPREADSHEET_ID = "1Invented-Ledger_of-Incomes_and-Expenses"
SPREADSHEET_LINK = f"https://docs.google.com/spreadsheets/d/{SPREADSHEET_ID}/edit?gid=0#gid=0"
