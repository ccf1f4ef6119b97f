"""What the ledger says of each entity: its cursor, its last sweep, its last changes.

A query is billed for 10 MB at least, so the states of all entities are read in one and kept in a file for the other
tasks of the round. A kept cursor may be too old, when another machine loaded since, and then rows are read again. It
is never ahead of the data: a ledger that was made anew, or has fewer rows than before, is read again, and a load takes
its own entity out of the file.
"""

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from reporting.entities import Entity
from reporting.settings import Settings

logger = logging.getLogger(__name__)

LONGEST_AGE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Run:
    """A complete run in the ledger."""

    run_id: str
    started_at: datetime
    committed_at: datetime
    rows_read: int
    request_count: int
    content_digest: str | None


@dataclass(frozen=True, slots=True)
class State:
    """`cursor_at` is where a `changed` read begins, None while nothing was read. `changes` are the last two runs that
    changed the table, the latest first.
    """

    cursor_at: datetime | None = None
    sweep: Run | None = None
    changes: tuple[Run, ...] = ()

    def holds(self, content_digest: str) -> bool:
        """Whether the table is as its last sweep left it, and that sweep read just this."""
        sweep = self.sweep
        return (
            sweep is not None
            and sweep.content_digest == content_digest
            and all(
                each.run_id == sweep.run_id or each.committed_at < sweep.started_at for each in self.changes
            )
        )


def read(
    client: bigquery.Client, settings: Settings, entity: Entity, longest_age: timedelta = LONGEST_AGE
) -> State:
    """The state of `entity`, as the ledger says it now or as it was kept no longer than `longest_age` ago."""
    table = client.get_table(f"{settings.project}.{settings.dataset('ops')}.sync_runs")
    path = _path(settings)
    # The local one's row counts tell nothing, and its queries cost nothing.
    kept = {} if settings.emulator_host else _kept(path, table, longest_age)
    if entity.table not in kept:
        kept = _query(client, settings)
        # An entity without a row is known, too.
        kept.setdefault(entity.table, State())
        _keep(path, table, kept)
    return kept[entity.table]


def forget(settings: Settings, entity: Entity) -> None:
    """Have the next read of `entity` ask the ledger."""
    path = _path(settings)
    try:
        content = json.loads(path.read_text())
        del content["states"][entity.table]
    except (FileNotFoundError, ValueError, KeyError):
        return
    _write(path, content)


def _query(client: bigquery.Client, settings: Settings) -> dict[str, State]:
    sql = f"""
        SELECT CONCAT(source, '__', entity) AS name, run_id, refresh, started_at, committed_at, cursor_at,
            rows_read, request_count, content_digest,
            rows_inserted + rows_updated + rows_tombstoned > 0 AS is_change
        FROM `{settings.dataset("ops")}.sync_runs`
        WHERE is_complete
        QUALIFY ROW_NUMBER() OVER (PARTITION BY source, entity ORDER BY cursor_at DESC) = 1
            OR ROW_NUMBER() OVER (PARTITION BY source, entity, refresh ORDER BY started_at DESC) = 1
            OR ROW_NUMBER() OVER (
                PARTITION BY source, entity, rows_inserted + rows_updated + rows_tombstoned > 0
                ORDER BY committed_at DESC
            ) <= 2
    """
    by_name: dict[str, list[Any]] = {}
    for row in client.query(sql).result():
        by_name.setdefault(row["name"], []).append(row)
    return {name: _state(rows) for name, rows in by_name.items()}


def _state(rows: list[Any]) -> State:
    sweeps = sorted((row for row in rows if row["refresh"] == "full"), key=lambda row: row["started_at"])
    changes = sorted(
        (row for row in rows if row["is_change"]), key=lambda row: row["committed_at"], reverse=True
    )
    return State(
        cursor_at=max(row["cursor_at"] for row in rows),
        sweep=_run(sweeps[-1]) if sweeps else None,
        changes=tuple(_run(row) for row in changes[:2]),
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
    """The kept states, or none when they may not be those of this ledger."""
    try:
        content = json.loads(path.read_text())
        is_same = content["created"] == _stamp(table.created) and table.num_rows >= content["row_count"]
        if not is_same or datetime.now(UTC) - datetime.fromisoformat(content["at"]) > longest_age:
            return {}
        return {name: _parsed(fields) for name, fields in content["states"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        logger.info("%s is not readable and is made anew.", path)
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
        # Without it every task asks the ledger.
        logger.info("The states of the entities were not kept: %s.", error.strerror)


def _stamp(at: Any) -> str:
    return str(at.isoformat())


def _parsed(fields: dict[str, Any]) -> State:
    return State(
        cursor_at=_time(fields["cursor_at"]),
        sweep=_parsed_run(fields["sweep"]) if fields["sweep"] else None,
        changes=tuple(_parsed_run(each) for each in fields["changes"]),
    )


def _parsed_run(fields: dict[str, Any]) -> Run:
    times = {name: datetime.fromisoformat(fields[name]) for name in ("started_at", "committed_at")}
    return Run(**{**fields, **times})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
