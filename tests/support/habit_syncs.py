"""Syncs of the daily habits between a Notion in the test's own process and a warehouse."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing, Refresh
from reporting.ingest.load import load
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings
from reporting.sources.notion.entities import NOTION
from reporting.sources.notion.reader import NotionReader
from tests.support import syncs
from tests.support.notion_server import START, Notion, iso, reader_over

DAILY = NOTION[0]
DATE = {"id": "d", "name": "Date", "type": "date"}


class Syncs(syncs.Syncs):
    """Runs extract and load of the daily habits against one Notion of twelve pages."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path) -> None:
        super().__init__(client, settings, Landing(str(folder)))
        self.notion = Notion([START + timedelta(days=day) for day in range(12)])
        self.properties["Date"] = DATE

    @property
    def properties(self) -> dict[str, Any]:
        """The properties of the database, as Notion describes them."""
        found: dict[str, Any] = self.notion.sources[0]["properties"]
        return found

    def reader(self) -> NotionReader:
        return reader_over(self.notion, self.settings, DAILY)

    def extract(self, refresh: Refresh, **options: Any) -> str:
        folder = extract(self.client, self.settings, DAILY, refresh, self.reader(), self.landing, **options)
        self.manifest = self.landing.manifest(folder)
        return folder

    def load(self, folder: str, **options: Any) -> Counts:
        return load(self.client, self.settings, DAILY, self.landing, folder, **options)

    def run(self, refresh: Refresh) -> Counts:
        return self.load(self.extract(refresh))

    def edit(self, page_id: str, text: str = "edited") -> None:
        self.notion.pages[page_id] |= {"last_edited_time": iso(datetime.now(UTC)), "url": text}

    def rows(self, table: str = "", dataset: str = "raw") -> list[Any]:
        sql = f"SELECT * FROM {self.settings.dataset(dataset)}.{table or DAILY.table}"
        return list(self.client.query_and_wait(sql))

    def query(self, sql: str) -> None:
        """Change a table by hand; `raw` and `ops` in front of a table are the test's own."""
        for name in ("raw", "ops"):
            sql = sql.replace(f" {name}.", f" {self.settings.dataset(name)}.")
        self.client.query_and_wait(sql)

    def empty(self) -> None:
        """Forget what earlier tests loaded."""
        self.forget(DAILY)
