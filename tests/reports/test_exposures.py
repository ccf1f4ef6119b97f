"""dbt's exposures say of each page, message and export what it really reads."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from google.cloud import bigquery

from reporting.exports.marts import MARTS
from reporting.mail import summary
from reporting.mail.week import week_before
from reporting.reports.build import PAGES
from reporting.reports.marts import Marts
from reporting.reports.page import Page
from reporting.settings import ROOT, Settings
from tests.reports.sample_warehouse import NOW, note, run

EXPOSURES = {
    each["name"]: each
    for each in yaml.safe_load((ROOT / "dbt/models/exposures.yml").read_text())["exposures"]
}


class Spy:
    """A client of BigQuery that notes which tables its queries name."""

    def __init__(self, client: bigquery.Client, prefix: str) -> None:
        self._client, self._prefix = client, prefix
        self.tables: set[str] = set()

    def query(self, sql: str, **options: Any) -> Any:
        self._note(sql)
        return self._client.query(sql, **options)

    def query_and_wait(self, sql: str, **options: Any) -> Any:
        self._note(sql)
        return self._client.query_and_wait(sql, **options)

    def _note(self, sql: str) -> None:
        self.tables |= set(re.findall(rf"`{self._prefix}(\w+\.\w+)`", sql))


def declared(name: str) -> set[str]:
    """The tables of an exposure, as `dataset.table`."""

    def tables() -> Iterator[str]:
        for reference in EXPOSURES[name]["depends_on"]:
            words = re.findall(r"'(\w+)'", reference)
            yield f"marts.{words[0]}" if reference.startswith("ref") else ".".join(words)

    return set(tables())


@pytest.fixture
def spy(warehouse: tuple[bigquery.Client, Settings]) -> Spy:
    client, settings = warehouse
    return Spy(client, settings.dataset_prefix)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_reads_what_its_exposure_says(
    page: Page, spy: Spy, warehouse: tuple[bigquery.Client, Settings]
) -> None:
    page.read(Marts(spy, warehouse[1], NOW))  # type: ignore[arg-type]
    assert spy.tables == declared(f"report_{page.name}")
    assert EXPOSURES[f"report_{page.name}"]["label"] == f"Report: {page.title}"


def test_the_week_reads_what_its_exposure_says(spy: Spy, warehouse: tuple[bigquery.Client, Settings]) -> None:
    client, settings = warehouse
    # What no source of it was read for is not asked.
    note(
        client,
        settings,
        "sync_runs",
        *(run(name, NOW) for name in ("notion.daily_habits", "hubspot.deals", "google_calendar.events")),
    )
    try:
        week = week_before(NOW, settings.timezone, 0)
        summary.read(spy, settings, week, NOW)  # type: ignore[arg-type]
    finally:
        client.query_and_wait(f"DELETE FROM `{settings.dataset('ops')}.sync_runs` WHERE TRUE")
    assert spy.tables == declared("mail_summary")


def test_exports_and_emails_have_the_marts_that_their_exposures_say() -> None:
    assert declared("export_marts") == {f"marts.{mart.name}" for mart in MARTS}
    assert declared("mail_marts") == {f"marts.{mart.name}" for mart in MARTS if mart.is_mailed}


def test_there_is_no_other_exposure() -> None:
    pages = {f"report_{page.name}" for page in PAGES}
    assert set(EXPOSURES) == pages | {"mail_summary", "mail_marts", "export_marts"}
