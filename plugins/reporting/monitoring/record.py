"""The record of incidents, the table `ops.problems`.

It makes sure that one alert is sent when an incident begins and one when it is resolved, however often the incident is seen.
A row is one incident, from when it was first seen until it was resolved. An incident that comes back gets another row.
A row is marked after its alert was sent, so that a kill in between sends the alert twice rather than never. No row holds the
text of an error, since that may quote a record.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal

from google.api_core.retry import Retry
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from reporting.settings import Settings

Kind = Literal["task", "dbt", "stale", "rows", "categories", "stamps", "expiry", "check"]
# A failed task does not wait longer than this for the warehouse, which may be the reason why it failed.
PATIENCE_SECONDS = 20.0
KEPT = ("problem_key", "kind", "subject", "what", "todo", "link", "dag_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that is wrong, for a person: in one line, what happened, what to do, and where to look.

    `problem_key` identifies it, as in `stale/notion.daily_habits`. `link` is a path below the address of the web interface.
    `said` is the text of an error: an alert that is sent at once shows it in the place of `what`, and it is never stored.
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
class Episode(Incident):
    """An incident with its times, in UTC: a row of the record."""

    first_seen_at: datetime
    last_seen_at: datetime
    told_at: datetime | None = None
    well_at: datetime | None = None
    well_told_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether the incident is not resolved yet."""
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

    def unfinished(self) -> list[Episode]:
        """The open incidents, and the resolved ones whose resolution is still to be alerted; the oldest first."""
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

    def note(self, incidents: Sequence[Incident], now: datetime) -> None:
        """Record that these incidents were seen at `now`: a new one gets a row, a known one is seen again."""
        unique = list({each.problem_key: each for each in incidents}.values())
        if not unique:
            return
        parameters = [bigquery.ScalarQueryParameter("now", "TIMESTAMP", now)]
        selects = []
        for number, incident in enumerate(unique):
            values = asdict(incident)
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

    def resolve(self, keys: Collection[str], now: datetime) -> None:
        """Record that the incidents with these keys were resolved at `now`."""
        self._mark("well_at", keys, now, "well_at IS NULL")

    def mark_alerted(self, keys: Collection[str], now: datetime) -> None:
        """Record that an alert was sent for the open incidents with these keys."""
        self._mark("told_at", keys, now, "well_at IS NULL AND told_at IS NULL")

    def mark_resolution_alerted(self, keys: Collection[str], now: datetime) -> None:
        """Record that an alert was sent for the resolution of the incidents with these keys."""
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
