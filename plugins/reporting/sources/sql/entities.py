"""The entities of the source `sql`: tables of a database, and their columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reporting.entity import Entity, Property


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlTable(Entity):
    """A table or view of a database. A setting may change its name.

    `columns` get a column in the raw table; the payload has all columns. `key` is the column that identifies a row.
    `modified` is the column that says when a row last changed; without it, every read is a full refresh.
    """

    source: str = "sql"
    columns: Mapping[str, Property] = field(hash=False)
    key: str = "id"
    modified: str | None = None


SQL = (
    SqlTable(
        name="time_entries",
        description="What the owner worked on and how long, from a table of a database.",
        modified="modified_at",
        columns={
            "project": Property("text", "Project that was worked on."),
            "task": Property("text", "What was done."),
            "started_at": Property("datetime", "When it was begun; UTC where the database says no offset."),
            "minutes": Property("number", "How long it took, in minutes."),
            "is_billable": Property("bool", "Whether somebody pays for it."),
        },
    ),
)
