"""A year and more of somebody's incomes and expenses, as they would keep them in a sheet."""

import random
from datetime import date, timedelta
from typing import Any

from sandbox.google.schema import Json

FIRST_DAY = date(1899, 12, 30)
DAYS = 400
HEADER = ["Date", "Description", "Category", "Account", "Amount", "Note"]
# Description, category, day of the month, amount.
MONTHLY = (
    ("Salary Example GmbH", "Salary", 27, 3250.0),
    ("Rent", "Housing", 1, -980.0),
    ("Electricity", "Housing", 3, -74.5),
    ("Health insurance", "Insurance", 5, -212.4),
    ("Phone and internet", "Subscriptions", 9, -39.99),
    ("Savings plan", "Savings", 28, -400.0),
)
# Description, category, chance a day, least and most.
NOW_AND_THEN = (
    ("Corner shop", "Groceries", 0.45, 6, 68),
    ("Baker", "Groceries", 0.3, 2, 9),
    ("Restaurant", "Eating out", 0.11, 18, 74),
    ("Train ticket", "Travel", 0.08, 9, 120),
    ("Bookshop", "Leisure", 0.05, 10, 45),
    ("Cinema", "Leisure", 0.04, 11, 26),
    ("Pharmacy", "Health", 0.03, 4, 40),
)


def spreadsheet(today: date, seed: int = 1) -> Json:
    """The spreadsheet up to `today`, the same for the same seed and day.

    Most cells are what a sheet makes of them; some were pasted, and are text. Some rows are empty, and two are alike.
    """
    dice = random.Random(seed)
    rows: list[list[Any]] = []
    for back in range(DAYS, -1, -1):
        day = today - timedelta(days=back)
        for description, category, due, amount in MONTHLY:
            if day.day == due:
                rows.append(_row(dice, day, description, category, "Giro", amount))
        for description, category, chance, least, most in NOW_AND_THEN:
            if dice.random() < chance:
                amount = -round(dice.uniform(least, most), 2)
                rows.append(_row(dice, day, description, category, dice.choice(("Giro", "Cash")), amount))
        if day.day == 15 and day.month in (6, 12):
            rows.append(_row(dice, day, "Bonus", "Salary", "Giro", 1250.75))
        if day.day == 1:
            rows.append([])
    last = rows[-1] or rows[-2]
    rows += [last, list(last)]
    return {
        "title": "Money",
        "locale": "de_DE",
        "timeZone": "Europe/Berlin",
        "tabs": [{"title": "Ledger", "sheetId": 0, "rows": [HEADER, *rows]}],
    }


def _row(
    dice: random.Random, day: date, description: str, category: str, account: str, amount: float
) -> list[Any]:
    """A row; one of twenty has its date and amount as the owner typed them into cells of text."""
    if dice.random() < 0.05:
        return [f"{day:%d.%m.%Y}", description, category, account, _german(amount)]
    return [[(day - FIRST_DAY).days, "date"], description, category, account, amount]


def _german(amount: float) -> str:
    """1234.5 as `1.234,50`."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
