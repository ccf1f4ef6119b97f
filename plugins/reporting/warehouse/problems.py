"""The record of what is wrong, `ops.problems`: with it a problem is told once, however often it is seen, and its end once.

A row is a problem from when it was seen until it was well again; when it comes back it gets another row. Whoever sends a
message marks it afterwards: a kill in between tells twice rather than never. No row holds what an error said, which may
quote a record.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal

from google.api_core.retry import Retry
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from reporting.settings import Settings

Kind = Literal["task", "dbt", "stale", "rows", "categories", "expiry", "check"]
# Who has failed does not wait longer for a warehouse that may be why.
PATIENCE_SECONDS = 20.0
KEPT = ("problem_key", "kind", "subject", "what", "todo", "link", "dag_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong, for a person: in one line, what happened, what to do, and where to look.

    `problem_key` makes it this one (`stale/notion.daily_habits`). `link` is below the address of the web interface.
    `said` is what an error said: it is told at once in the place of `what`, and never kept.
    """

    problem_key: str
    kind: Kind
    subject: str
    what: str
    todo: str
    link: str | None = None
    dag_id: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode(Problem):
    """A problem with its times, in UTC: a row of the record."""

    first_seen_at: datetime
    last_seen_at: datetime
    told_at: datetime | None = None
    well_at: datetime | None = None
    well_told_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still wrong."""
        return self.well_at is None


COLUMNS = tuple(field.name for field in fields(Episode) if field.name != "said")


class Record:
    """The record in one warehouse. No request waits for longer than `patience` seconds (default `PATIENCE_SECONDS`).

    Raises the errors of Google's client.
    """

    def __init__(self, client: bigquery.Client, settings: Settings, patience: float | None = None) -> None:
        self._client = client
        self._name = f"{settings.project}.{settings.dataset('ops')}.problems"
        self._patience = PATIENCE_SECONDS if patience is None else patience

    def unsettled(self) -> list[Episode]:
        """What is wrong, and what is well again and was told and not said to be so; the oldest first."""
        # Listing rows is not billed.
        rows = self._client.list_rows(
            self._client.get_table(self._name, retry=self._retry(), timeout=self._patience),
            retry=self._retry(),
            timeout=self._patience,
        )
        found = [Episode(**{name: row[name] for name in COLUMNS}) for row in rows]
        return sorted(
            (each for each in found if each.is_open or (each.told_at and not each.well_told_at)),
            key=lambda each: (each.first_seen_at, each.problem_key),
        )

    def note(self, problems: Sequence[Problem], now: datetime) -> None:
        """Enter that these are wrong at `now`: new ones as rows, known ones as seen again."""
        unique = list({each.problem_key: each for each in problems}.values())
        if not unique:
            return
        parameters = [bigquery.ScalarQueryParameter("now", "TIMESTAMP", now)]
        selects = []
        for number, problem in enumerate(unique):
            values = asdict(problem)
            names = {name: f"{name}_{number}" for name in KEPT}
            selects.append("SELECT " + ", ".join(f"@{names[name]} AS {name}" for name in KEPT))
            parameters += [
                bigquery.ScalarQueryParameter(names[name], "STRING", values[name]) for name in KEPT
            ]
        changed = ", ".join(f"{name} = S.{name}" for name in KEPT if name != "problem_key")
        self._run(
            f"""
            MERGE `{self._name}` T USING ({" UNION ALL ".join(selects)}) S
            ON T.problem_key = S.problem_key AND T.well_at IS NULL
            WHEN MATCHED THEN UPDATE SET {changed}, last_seen_at = @now
            WHEN NOT MATCHED THEN INSERT ({", ".join(KEPT)}, first_seen_at, last_seen_at)
            VALUES ({", ".join(f"S.{name}" for name in KEPT)}, @now, @now)
            """,
            parameters,
        )

    def end(self, keys: Collection[str], now: datetime) -> None:
        """Enter that the problems of these keys are well again at `now`."""
        self._mark("well_at", keys, now, "well_at IS NULL")

    def told(self, keys: Collection[str], now: datetime) -> None:
        """Enter that the open problems of these keys were told."""
        self._mark("told_at", keys, now, "well_at IS NULL AND told_at IS NULL")

    def well_told(self, keys: Collection[str], now: datetime) -> None:
        """Enter that the ends of the problems of these keys were told."""
        self._mark(
            "well_told_at", keys, now, "well_at IS NOT NULL AND told_at IS NOT NULL AND well_told_at IS NULL"
        )

    def _mark(self, column: str, keys: Collection[str], now: datetime, condition: str) -> None:
        if keys:
            self._run(
                f"UPDATE `{self._name}` SET {column} = @now WHERE problem_key IN UNNEST(@keys) AND {condition}",
                [
                    bigquery.ScalarQueryParameter("now", "TIMESTAMP", now),
                    bigquery.ArrayQueryParameter("keys", "STRING", sorted(keys)),
                ],
            )

    def _run(self, sql: str, parameters: list[Any]) -> None:
        job = self._client.query(
            sql,
            job_config=bigquery.QueryJobConfig(query_parameters=parameters),
            retry=self._retry(),
            job_retry=None,
            timeout=self._patience,
        )
        job.result(retry=self._retry(), timeout=self._patience)

    def _retry(self) -> Retry:
        return DEFAULT_RETRY.with_timeout(self._patience)
