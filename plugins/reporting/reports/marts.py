"""Gives pages access to the marts and the sync log, all with the same `now`."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.settings import Settings

# Calendars do not begin before this day. The macro first_day in dbt/macros/calendar.sql has the same date.
FIRST_DAY = date(1980, 1, 1)


class ReportError(Exception):
    """The report cannot be made. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Marts:
    """The warehouse as pages see it. `now` is the moment of the report, in UTC."""

    client: bigquery.Client
    settings: Settings
    now: datetime

    @property
    def today(self) -> date:
        """Today's date in the owner's time zone."""
        return self.now.astimezone(ZoneInfo(self.settings.timezone)).date()

    @property
    def zone(self) -> str:
        """The owner's time zone as a SQL literal."""
        return f"'{self.settings.timezone}'"

    def day(self, day: date) -> str:
        """A date as a SQL literal."""
        return f"DATE '{day.isoformat()}'"

    def moment(self, moment: datetime) -> str:
        """A timestamp as a SQL literal."""
        return f"TIMESTAMP '{moment.isoformat()}'"

    def mart(self, name: str) -> str:
        """The full name of a mart, quoted for SQL."""
        return f"`{self.settings.dataset('marts')}.{name}`"

    def ops(self, name: str) -> str:
        """The full name of a table in `ops`, such as `sync_runs`, quoted for SQL."""
        return f"`{self.settings.dataset('ops')}.{name}`"

    def rows(self, sql: str) -> list[bigquery.Row]:
        """The rows of a query. Raises `ReportError` if one of its tables does not exist."""
        try:
            return list(self.client.query_and_wait(sql))
        except NotFound as error:
            missing = re.search(r"(?:Dataset|Table) (?:[\w-]+[:.])?([\w.]+)", str(error.message))
            raise ReportError(
                f"the marts are not built here yet ({missing[1] if missing else 'a table'} is missing). Run script/sync, which "
                "reads the sources and builds them, or trigger mart_personal__models__full. The demo's data is in --data "
                "var/demo."
            ) from None
