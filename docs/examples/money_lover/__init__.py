"""Money Lover: the export of all transactions as CSV, each of which takes the place of the one before."""

from reporting.sources.files import FileTable, Property

COLUMNS = {
    "Date": Property("date", "Day of the transaction."),
    "Category": Property("text", "Category, as named in the app."),
    "Amount": Property("number", "Amount, an expense below zero."),
    "Note": Property("text", "What was noted."),
    "Wallet": Property("text", "Wallet that it is of."),
}
ENTITIES = (
    FileTable(
        name="money_lover",
        description="Incomes and expenses of Money Lover.",
        pattern="money_lover.csv",
        columns=COLUMNS,
        required=("Date", "Category", "Amount"),
        # The app writes 31/12/2026, and no single day may show which of day and month that is.
        locale="en_GB",
    ),
)
