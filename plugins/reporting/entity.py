"""What an entity is: what is read from a source into one raw table. `entities.py` has the list of all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """What is read from a source into one raw table.

    `has_changed` says whether there is a cheaper read than all of it: an entity without is swept each time.
    `is_slow` says that it changes seldom enough to be read once a day. `page_size` is how many records an answer of
    the source has. `needs_name` says that it is read only where a setting says what it is in the source.
    """

    source: str
    name: str
    description: str
    has_changed: bool = True
    is_slow: bool = False
    page_size: int = 100
    needs_name: bool = False

    @property
    def table(self) -> str:
        """The raw table's name within its dataset."""
        return f"{self.source}__{self.name}"

    @property
    def connection(self) -> str:
        """The Airflow connection that it is read with."""
        return self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class NotionDatabase(Entity):
    """A habits database.

    `default_name` is what it is called in Notion unless configured otherwise. `is_dated` says whether a row has a
    date of its own. `is_optional` says that a workspace without it is complete.
    """

    source: str = "notion"
    default_name: str
    is_dated: bool = True
    is_optional: bool = False


class Property(NamedTuple):
    """A property that has a column: what its values are expected to be, and what they mean."""

    kind: Literal["text", "number", "date", "datetime", "bool"]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSpotObject(Entity):
    """A type of CRM object. Its name is HubSpot's own, as in the API's paths.

    `properties` are those that have a column; the payload has all of them.
    https://developers.hubspot.com/docs/guides/crm/understanding-the-crm
    """

    source: str = "hubspot"
    properties: Mapping[str, Property] = field(hash=False)

    @property
    def modified_property(self) -> str:
        """When an object was last modified; with the other name a search finds nothing, and no error."""
        return "lastmodifieddate" if self.name == "contacts" else "hs_lastmodifieddate"

    @property
    def is_engagement(self) -> bool:
        """Whether it is something that was done with contacts, companies and deals."""
        return "hs_timestamp" in self.properties


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetTab(Entity):
    """A tab of a Google spreadsheet, whose first row names its columns.

    `columns` are those that have one in the raw table, in the order in which they stand there; the payload has all of
    them. `required` are those without which a tab is another one.
    """

    source: str = "google_sheets"
    has_changed: bool = False
    needs_name: bool = True
    columns: Mapping[str, Property] = field(hash=False)
    required: tuple[str, ...]

    @property
    def connection(self) -> str:
        """The Airflow connection that it is read with: the one of Google Contacts, with one scope more."""
        return "google"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlTable(Entity):
    """A table or view of a database. Its name is what it is called there, unless configured otherwise.

    `columns` are those that have one in the raw table; the payload has all of them. `key` is the column that tells rows
    apart; `modified`, if there is one, says when a row was last changed: without it the table is swept each time.
    """

    source: str = "sql"
    columns: Mapping[str, Property] = field(hash=False)
    key: str = "id"
    modified: str | None = None
