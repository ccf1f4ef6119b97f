"""Creates a database with a table of invented working hours, in one SQLite file."""

import random
import sqlite3
from contextlib import closing
from datetime import date, datetime, time, timedelta
from pathlib import Path

DAYS = 120
TASKS = (
    ("Website", "Wireframes", True),
    ("Website", "Call with the client", True),
    ("Audit", "Reading reports", True),
    ("Audit", "Workshop", True),
    ("Office", "Bookkeeping", False),
    ("Office", "Offers", False),
)
TABLE = """
CREATE TABLE IF NOT EXISTS time_entries (
    id INTEGER PRIMARY KEY, project VARCHAR(100) NOT NULL, task VARCHAR(200), started_at DATETIME NOT NULL,
    minutes NUMERIC(8, 2), is_billable BOOLEAN NOT NULL, modified_at DATETIME
)
"""


def address(path: Path) -> str:
    """The address of the database in that file, in SQLAlchemy's form."""
    return f"sqlite:///{path}"


def create(path: Path, today: date, seed: int = 1) -> None:
    """Create the sample data unless the file exists. The same seed and day always give the same data."""
    if path.exists():
        return
    dice = random.Random(seed)
    rows = []
    for back in range(DAYS, 0, -1):
        day = today - timedelta(days=back)
        for hour in (9, 11, 14) if day.weekday() < 5 else ():
            project, task, is_billable = dice.choice(TASKS)
            begun = datetime.combine(day, time(hour, dice.randrange(0, 60, 5)))
            minutes = dice.randrange(15, 120, 5) + dice.choice((0, 0, 0.5))
            ended = begun + timedelta(minutes=minutes)
            rows.append((project, task, str(begun), minutes, is_billable, str(ended)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(TABLE)
        insert = (
            "INSERT INTO time_entries (project, task, started_at, minutes, is_billable, modified_at) "
            "VALUES (?, ?, ?, ?, ?, ?)"
        )
        database.executemany(insert, rows)
