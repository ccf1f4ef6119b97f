"""Reads a mart as batches of Arrow, with memory that does not grow with the number of rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.exports.marts import ExportError, Mart
from reporting.settings import Settings
from reporting.window import WindowError, parse_instant

PAGE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A window of time that includes `since` and excludes `until`; None means no limit. Times are UTC."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has no limits, and so includes every row."""
        return self.since is None and self.until is None


@dataclass(frozen=True, slots=True)
class Content:
    """The rows of a mart: `schema` and `batches` as google-cloud-bigquery returns them, and the number of rows."""

    schema: pa.Schema
    row_count: int
    batches: Iterator[pa.RecordBatch]


def parse_interval(since: str | None, until: str | None, timezone: str) -> Interval:
    """The interval between two ISO dates or times, either of which may be empty.

    A text without an offset is in `timezone`. A date means its first moment, also as `until`. Raises `ExportError`.
    """
    zone = ZoneInfo(timezone)
    try:
        ends = [
            parse_instant(name, text.strip(), zone) if text and text.strip() else None
            for name, text in (("since", since), ("until", until))
        ]
    except WindowError as error:
        raise ExportError(str(error)) from None
    if ends[0] and ends[1] and ends[1] <= ends[0]:
        raise ExportError(
            f"since is '{since}' and until is '{until}', which is not after it. Give a later until."
        )
    return Interval(*ends)


def read(
    client: bigquery.Client, settings: Settings, mart: Mart, interval: Interval, most: int | None = None
) -> Content:
    """The rows of `mart` in `interval`, ordered by its key; all rows if the mart has no time. At most the first `most`.

    The result of a query does not change while it is read, even if dbt rebuilds the mart meanwhile. Raises `ExportError`.
    """
    table = f"{settings.project}.{settings.dataset(mart.dataset)}.{mart.name}"
    conditions, parameters = _conditions(mart, interval, ZoneInfo(settings.timezone))
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    sql = f"SELECT * FROM `{table}` {where}ORDER BY {', '.join(mart.key)}"
    if most is not None:
        sql += f" LIMIT {int(most)}"
    config = bigquery.QueryJobConfig(query_parameters=parameters)
    try:
        job = client.query(sql, job_config=config)
        rows = job.result(page_size=PAGE_ROWS)
    except NotFound:
        raise ExportError(
            f"the mart {mart.name} is not in the warehouse yet. Run the DAG mart_personal__models__full, or script/sync."
        ) from None
    # Pages over REST, since the Storage API needs one more role and opens a stream for each mart.
    batches = iter(rows.to_arrow_iterable())
    first = next(batches, None)
    if first is None:
        return Content(job.result().to_arrow(create_bqstorage_client=False).schema, 0, iter(()))
    return Content(first.schema, rows.total_rows, chain((first,), batches))


def _conditions(mart: Mart, interval: Interval, zone: ZoneInfo) -> tuple[list[str], list[Any]]:
    if mart.time is None:
        return [], []
    conditions, parameters = [], []
    for name, sign, at in (("since", ">=", interval.since), ("until", "<", interval.until)):
        if at is not None:
            value = at if mart.time.type == "TIMESTAMP" else _first_day(at, zone)
            conditions.append(f"{mart.time.column} {sign} @{name}")
            parameters.append(bigquery.ScalarQueryParameter(name, mart.time.type, value))
    return conditions, parameters


def _first_day(at: datetime, zone: ZoneInfo) -> date:
    """The first day in `zone` that does not begin before `at`. A date is compared by its first moment."""
    local = at.astimezone(zone)
    begins = datetime.combine(local.date(), time(), zone)
    return local.date() if begins >= at else local.date() + timedelta(days=1)
