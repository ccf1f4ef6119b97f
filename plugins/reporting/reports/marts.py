"""What a page may ask: the marts and the ledger, as of one moment."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.settings import Settings


class ReportError(Exception):
    """The report cannot be made; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Marts:
    """The warehouse as pages see it. `now` is the moment of the report, in UTC."""

    client: bigquery.Client
    settings: Settings
    now: datetime

    @property
    def today(self) -> date:
        """The owner's date."""
        return self.now.astimezone(ZoneInfo(self.settings.timezone)).date()

    @property
    def zone(self) -> str:
        """The owner's time zone as a literal of SQL."""
        return f"'{self.settings.timezone}'"

    def day(self, day: date) -> str:
        """A date as a literal of SQL."""
        return f"DATE '{day.isoformat()}'"

    def moment(self, moment: datetime) -> str:
        """A timestamp as a literal of SQL."""
        return f"TIMESTAMP '{moment.isoformat()}'"

    def mart(self, name: str) -> str:
        """A mart as SQL names it."""
        return f"`{self.settings.dataset('marts')}.{name}`"

    def ops(self, name: str) -> str:
        """A table of the project's own records, such as `sync_runs`, as SQL names it."""
        return f"`{self.settings.dataset('ops')}.{name}`"

    def rows(self, sql: str) -> list[bigquery.Row]:
        """The rows of a query. Raises `ReportError` when a table of it is not there."""
        try:
            return list(self.client.query(sql).result())
        except NotFound as error:
            said = (str(error.message) or "a table").splitlines()[0]
            raise ReportError(
                f"a table of the report is not there ({said}). Build the marts first: run mart_personal__models__full."
            ) from None
