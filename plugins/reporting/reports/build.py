"""Makes the report: reads every page, renders the site, and writes it."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from google.cloud import bigquery

from reporting.reports import (
    calendar,
    companies,
    engagement,
    habits,
    health,
    money,
    pipelines,
    quality,
    relationships,
)
from reporting.reports.marts import Marts
from reporting.reports.page import Content, Page
from reporting.reports.render import render
from reporting.reports.site import Site
from reporting.settings import Settings

logger = logging.getLogger(__name__)

# In the order of the menu, after the overview.
PAGES: tuple[Page, ...] = (
    habits.PAGE,
    relationships.PAGE,
    calendar.PAGE,
    companies.PAGE,
    engagement.PAGE,
    money.PAGE,
    health.PAGE,
    pipelines.PAGE,
    quality.PAGE,
)


@dataclass(frozen=True, slots=True)
class Built:
    """The report that was written: the address of its first page, and the size of each file in bytes."""

    first: str
    sizes: dict[str, int]


def build(client: bigquery.Client, settings: Settings, now: datetime | None = None) -> Built:
    """Make the report as of `now` and write it to `settings.site_uri`.

    Raises `ReportError` if there are no marts. Repeating it changes only the time that the pages show.
    """
    files = make(client, settings, now)
    site = Site.of(settings)
    site.write(files)
    built = Built(site.first, {name: len(content) for name, content in files.items()})
    pages = {name: size for name, size in built.sizes.items() if name.endswith(".html")}
    logger.info("Wrote %d pages of %d kB in all to %s.", len(pages), sum(pages.values()) // 1000, site.uri)
    return built


def make(client: bigquery.Client, settings: Settings, now: datetime | None = None) -> dict[str, bytes]:
    """Every file of the report by name, in the order in which they must be written."""
    marts = Marts(client, settings, now or datetime.now(UTC))
    contents: dict[Page, Content] = {page: page.read(marts) for page in PAGES}
    return render(contents, marts.now, settings.timezone)
