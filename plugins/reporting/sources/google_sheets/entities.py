"""The entities of Google Sheets: tabs, and their columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reporting.entity import Entity, Property


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetTab(Entity):
    """A tab of a Google spreadsheet. Its first row has the names of the columns.

    `columns` get a column in the raw table, in this order; the payload has all columns. `required` are columns that the tab
    must have, as otherwise it is the wrong tab.
    """

    source: str = "google_sheets"
    has_changed: bool = False
    needs_name: bool = True
    columns: Mapping[str, Property] = field(hash=False)
    required: tuple[str, ...]

    @property
    def connection(self) -> str:
        """The Airflow connection with which it is read: that of Google Contacts, with one more scope."""
        return "google"


GOOGLE_SHEETS = (
    SheetTab(
        name="ledger",
        description="Incomes and expenses, a row each, in a tab of Google Sheets.",
        columns={
            "date": Property("date", "Day of the income or expense, ISO 8601 where it can be read."),
            "description": Property("text", "What it was, as typed."),
            "category": Property("text", "Category, as typed."),
            "account": Property("text", "Account or purse, as typed."),
            "amount": Property("number", "Amount, an expense below zero; plain digits where it can be read."),
        },
        required=("date", "category", "amount"),
    ),
)
