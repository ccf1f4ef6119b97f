"""Describes an entity: what is read from a source into one raw table. Each source lists its entities in `entities.py`."""

from dataclasses import dataclass
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """What is read from a source into one raw table.

    `has_changed` says whether the source can be asked for changes only; otherwise every read is a full refresh.
    `has_full` says whether it can be asked for everything; otherwise every read is of changes.
    `is_slow` says that it changes so seldom that one read a day is enough. `page_size` is how many records one answer of
    the source has. `needs_name` says that it is read only if a setting says what it is called in the source. `keeps_days`
    says that each full refresh is of its own day, and that the rows of other days stay as they are. `has_rejects` says that its
    raw table also has what could not be read, with the reason in the column `reject_reason`. `is_history` says that its rows
    are past events: no row goes because the source shows it no longer, and after the first read a scheduled full refresh is
    made once a month only.
    """

    source: str
    name: str
    description: str
    has_changed: bool = True
    has_full: bool = True
    is_slow: bool = False
    page_size: int = 100
    needs_name: bool = False
    keeps_days: bool = False
    has_rejects: bool = False
    is_history: bool = False

    @property
    def table(self) -> str:
        """The raw table's name within its dataset."""
        return f"{self.source}__{self.name}"

    @property
    def first_refresh(self) -> Literal["full", "changed"]:
        """The refresh with which it is read first, and then as a whole if it can be."""
        return "full" if self.has_full else "changed"

    @property
    def connection(self) -> str:
        """The Airflow connection with which it is read."""
        return self.source

    @property
    def has_lasting_keys(self) -> bool:
        """Whether a key stands for the same record for ever. Otherwise another record may have the key of one that was erased."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class NotionDatabase(Entity):
    """A database in Notion.

    `default_name` is its name in Notion unless a setting says otherwise. `is_dated` says whether each row has a date.
    `is_optional` says that it is no error if the workspace does not have it.
    """

    source: str = "notion"
    default_name: str
    is_dated: bool = True
    is_optional: bool = False


class Property(NamedTuple):
    """A property that gets a column: its expected type, and the description of the column."""

    kind: Literal["text", "number", "date", "datetime", "bool"]
    description: str
