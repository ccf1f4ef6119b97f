"""The state of each entity in the sync log: its cursor, its last full refresh, its last changes.

BigQuery bills at least 10 MB per query, so one query reads the states of all entities, and a file keeps them for the other
tasks of the sync. If another machine has loaded since, a kept cursor is too old; then some rows are read again. A kept cursor
is never ahead of the data: the sync log is read again if it was recreated or has fewer rows than before, and a load removes its
own entity from the file.
"""

import hashlib
import json
import logging
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from reporting.entity import Entity
from reporting.settings import Settings

logger = logging.getLogger(__name__)

LONGEST_AGE = timedelta(hours=6)

# The errors of reading a file that is missing or damaged.
DAMAGES = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Run:
    """A complete run in the sync log."""

    run_id: str
    started_at: datetime
    committed_at: datetime
    rows_read: int
    request_count: int
    content_digest: str | None


@dataclass(frozen=True, slots=True)
class State:
    """`cursor_at` is where a `changed` read begins, None while nothing was read; `sync_token` is the same in the words of
    a source that has such tokens, from the latest run. `changes` are the last two runs that changed the table, the
    latest first. `schema_digest` stands for the source's own schema, None before it was recorded. `last_run_id` is the run that
    was committed last.
    """

    cursor_at: datetime | None = None
    sync_token: str | None = None
    full_refresh: Run | None = None
    changes: tuple[Run, ...] = ()
    schema_digest: str | None = None
    last_run_id: str | None = None

    def joins(self, since: datetime | None) -> bool:
        """Whether a read of all changes since `since` would leave no gap after the earlier reads."""
        return since is None or (self.cursor_at is not None and since <= self.cursor_at)

    def holds(self, content_digest: str) -> bool:
        """Whether nothing changed the table since its last full refresh, and that refresh read exactly this content."""
        full_refresh = self.full_refresh
        return (
            full_refresh is not None
            and full_refresh.content_digest == content_digest
            and all(
                each.run_id == full_refresh.run_id or each.committed_at < full_refresh.started_at
                for each in self.changes
            )
        )


def read(
    client: bigquery.Client, settings: Settings, entity: Entity, longest_age: timedelta = LONGEST_AGE
) -> State:
    """The state of `entity`: from the file if that is no older than `longest_age`, or else from the sync log."""
    # The local BigQuery's row counts are not reliable, and its queries cost nothing, so it is always queried.
    if settings.emulator_host:
        return _query(client, settings).get(entity.table, State())
    table = client.get_table(f"{settings.project}.{settings.dataset('ops')}.sync_runs")
    path = _path(settings)
    kept = _kept(path, table, longest_age)
    if entity.table not in kept:
        kept = _query(client, settings)
        # An entity without a run is cached as well, so that it is not queried again.
        kept.setdefault(entity.table, State())
        _keep(path, table, kept)
    return kept[entity.table]


def forget(settings: Settings, entity: Entity) -> None:
    """Remove `entity` from the file, so that its next read queries the sync log."""
    path = _path(settings)
    try:
        content = json.loads(path.read_text())
        del content["states"][entity.table]
    except DAMAGES:
        # There is no such file, or it is damaged and the next read replaces it.
        return
    _write(path, content)


def _query(client: bigquery.Client, settings: Settings) -> dict[str, State]:
    sql = f"""
        SELECT CONCAT(source, '__', entity) AS name, run_id, refresh, started_at, committed_at, cursor_at,
            rows_read, request_count, content_digest, sync_token, schema_digest,
            rows_inserted + rows_updated + rows_tombstoned > 0 AS is_change
        FROM `{settings.dataset("ops")}.sync_runs`
        WHERE is_complete
        QUALIFY ROW_NUMBER() OVER (PARTITION BY source, entity ORDER BY cursor_at DESC NULLS LAST) = 1
            OR ROW_NUMBER() OVER (PARTITION BY source, entity, refresh ORDER BY started_at DESC) = 1
            OR ROW_NUMBER() OVER (
                PARTITION BY source, entity, rows_inserted + rows_updated + rows_tombstoned > 0
                ORDER BY committed_at DESC
            ) <= 2
            OR ROW_NUMBER() OVER (
                PARTITION BY source, entity, schema_digest IS NULL ORDER BY started_at DESC
            ) = 1
    """
    by_name: dict[str, list[Any]] = {}
    for row in client.query_and_wait(sql):
        by_name.setdefault(row["name"], []).append(row)
    return {name: _state(rows) for name, rows in by_name.items()}


def _state(rows: list[Any]) -> State:
    full_refreshes = sorted(
        (row for row in rows if row["refresh"] == "full"), key=lambda row: row["started_at"]
    )
    changes = sorted(
        (row for row in rows if row["is_change"]), key=lambda row: row["committed_at"], reverse=True
    )
    described = sorted((row for row in rows if row["schema_digest"]), key=lambda row: row["started_at"])
    return State(
        cursor_at=max((row["cursor_at"] for row in rows if row["cursor_at"]), default=None),
        # From the run that began last, not the one that was loaded last: a late load has an older token.
        sync_token=max(rows, key=lambda row: row["started_at"])["sync_token"],
        full_refresh=_run(full_refreshes[-1]) if full_refreshes else None,
        changes=tuple(_run(row) for row in changes[:2]),
        schema_digest=described[-1]["schema_digest"] if described else None,
        last_run_id=max(rows, key=lambda row: row["committed_at"])["run_id"],
    )


def _run(row: Any) -> Run:
    return Run(
        row["run_id"],
        row["started_at"],
        row["committed_at"],
        row["rows_read"],
        row["request_count"],
        row["content_digest"],
    )


def _path(settings: Settings) -> Path:
    where = (settings.emulator_host or "", settings.project, settings.location, settings.dataset_prefix)
    return settings.state / f"ledger-{hashlib.sha256(repr(where).encode()).hexdigest()[:12]}.json"


def _kept(path: Path, table: bigquery.Table, longest_age: timedelta) -> dict[str, State]:
    """The states in the file; none if they may belong to another sync log."""
    try:
        content = json.loads(path.read_text())
        is_same = content["created"] == _stamp(table.created) and table.num_rows >= content["row_count"]
        age = datetime.now(UTC) - datetime.fromisoformat(content["at"])
        # What was kept by a clock that was ahead would be as new for long.
        if not is_same or not timedelta(0) <= age <= longest_age:
            return {}
        return {name: _parsed(fields) for name, fields in content["states"].items()}
    except FileNotFoundError:
        return {}
    except DAMAGES:
        logger.info("%s cannot be read and is replaced.", path)
        return {}


def _keep(path: Path, table: bigquery.Table, states: dict[str, State]) -> None:
    if table.created is None or table.num_rows is None:
        return
    content = {
        "at": datetime.now(UTC).isoformat(),
        "created": _stamp(table.created),
        "row_count": table.num_rows,
        "states": {name: asdict(state) for name, state in states.items()},
    }
    _write(path, content)


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(content, default=_stamp))
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        # Not an error: without the file every task queries the sync log.
        logger.info("The states of the entities could not be written to a file: %s.", error.strerror)


def _stamp(at: Any) -> str:
    return str(at.isoformat())


def _parsed(fields: dict[str, Any]) -> State:
    return State(
        cursor_at=_time(fields["cursor_at"]),
        sync_token=fields["sync_token"],
        full_refresh=_parsed_run(fields["full_refresh"]) if fields["full_refresh"] else None,
        changes=tuple(_parsed_run(each) for each in fields["changes"]),
        schema_digest=fields["schema_digest"],
        last_run_id=fields["last_run_id"],
    )


def _parsed_run(fields: dict[str, Any]) -> Run:
    times = {name: datetime.fromisoformat(fields[name]) for name in ("started_at", "committed_at")}
    return Run(**{**fields, **times})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
