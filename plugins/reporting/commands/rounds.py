"""One round: the scheduler runs DAGs, then dbt if anything changed, and the ledger says what was done."""

import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

from google.cloud import bigquery
from rich.console import Console
from rich.live import Live
from rich.table import Table

from reporting.commands.airflow_api import ENDED, AirflowApi
from reporting.commands.errors import CommandError
from reporting.settings import Settings
from reporting.warehouse import builds

MART_CHANGED = "mart_personal__models__changed"
MART_FULL = "mart_personal__models__full"
POLL_SECONDS = 0.5
# How long an event may take to become a run before it counts as lost.
EVENT_POLLS = 20
BUILDS = 5


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """What the ledger says of one entity in a round. Counts are rows."""

    entity: str
    read: int
    inserted: int
    updated: int
    tombstoned: int
    seconds: float


class Watch:
    """Shows the state of runs while they go on, and waits for their end."""

    def __init__(self, api: AirflowApi, console: Console, give_up_on_retry: bool) -> None:
        self._api = api
        self._console = console
        self._give_up_on_retry = give_up_on_retry
        self._states: dict[str, str] = {}

    def wait(self, runs: Iterable[tuple[str, str]], seconds: float) -> None:
        """Wait for every (DAG, run) to succeed. Raises `CommandError` naming the tasks that did not."""
        waiting = list(runs)
        pause = threading.Event()
        self._states.clear()
        with self._display():
            for _ in range(int(seconds / POLL_SECONDS)):
                waiting = [run for run in waiting if self._look_at(*run) not in ENDED]
                if not waiting:
                    break
                pause.wait(POLL_SECONDS)
        if waiting:
            names = ", ".join(dag_id for dag_id, _ in waiting)
            raise CommandError(
                f"{names} did not end within {seconds:.0f} s; the logs say what it is waiting for."
            )
        failed = [dag_id for dag_id, state in self._states.items() if state == "failed"]
        if failed:
            raise CommandError(f"{', '.join(failed)} failed; the logs say why.")

    def _look_at(self, dag_id: str, run_id: str) -> str:
        state = self._api.state(dag_id, run_id)
        tasks = self._api.tasks(dag_id, run_id)
        if self._give_up_on_retry or state == "failed":
            stopped = [task for task in tasks if task.state in ("failed", "up_for_retry")]
            if stopped:
                where = ", ".join(f"{task.dag_id}.{task.task_id}" for task in stopped)
                raise CommandError(
                    f"{where} failed:\n\n{self._api.error_of(dag_id, run_id, stopped[0].task_id)}"
                )
        if state in ENDED:
            self._note(dag_id, "skipped" if all(task.state == "skipped" for task in tasks) else state)
        else:
            current = [
                f"{task.task_id} {task.state}" for task in tasks if task.state in ("running", "up_for_retry")
            ]
            self._note(dag_id, ", ".join(current) or state)
        return state

    def _note(self, dag_id: str, state: str) -> None:
        if self._states.get(dag_id) != state and not self._console.is_terminal:
            self._console.print(f"  {dag_id}: {state}")
        self._states[dag_id] = state

    def _display(self) -> AbstractContextManager[object]:
        """A table that changes in a terminal; elsewhere each change is a line."""
        if not self._console.is_terminal:
            return nullcontext()
        return Live(console=self._console, get_renderable=self._table, refresh_per_second=4)

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2))
        for dag_id, state in sorted(self._states.items()):
            style = {"success": "green", "failed": "red", "skipped": "dim"}.get(state, "yellow")
            table.add_row(f"  {dag_id}", f"[{style}]{state}[/]")
        return table


def run_round(
    api: AirflowApi,
    client: bigquery.Client,
    settings: Settings,
    console: Console,
    dag_ids: Sequence[str],
    *,
    full_build: bool,
    seconds: float,
    give_up_on_retry: bool,
) -> None:
    """Run `dag_ids` to their end, then the builds that they cause; `full_build` adds a build of everything."""
    started_at = datetime.now(UTC)
    watch = Watch(api, console, give_up_on_retry)
    api.await_dags([*dag_ids, MART_CHANGED, MART_FULL])
    watch.wait([(dag_id, api.trigger(dag_id)) for dag_id in dag_ids], seconds)
    if full_build:
        watch.wait([(MART_FULL, api.trigger(MART_FULL))], seconds)
    # Events come while a build runs; the build after it takes them together.
    for _ in range(BUILDS):
        if not builds.plan(client, settings, "changed").run_ids:
            return
        watch.wait([(MART_CHANGED, _next_build(api, started_at))], seconds)
    raise CommandError(
        f"sources keep changing: not all of it is in the marts after {BUILDS} builds. Run it again."
    )


def _next_build(api: AirflowApi, since: datetime) -> str:
    """The run that an event made, or one made here when there was none (an event lost in an earlier round)."""
    pause = threading.Event()
    for _ in range(EVENT_POLLS):
        waiting = [run for run in api.runs(MART_CHANGED, since) if run["state"] not in ENDED]
        if waiting:
            return str(waiting[0]["dag_run_id"])
        pause.wait(POLL_SECONDS)
    return api.trigger(MART_CHANGED)


def ledger_lines(client: bigquery.Client, settings: Settings, since: datetime) -> list[LedgerLine]:
    """What was committed at or after `since`, one line an entity."""
    sql = f"""
        SELECT CONCAT(source, '.', entity) AS name, SUM(rows_read) AS rows_read, SUM(rows_inserted) AS inserted,
            SUM(rows_updated) AS updated, SUM(rows_tombstoned) AS tombstoned, SUM(duration_seconds) AS seconds
        FROM `{settings.dataset("ops")}.sync_runs` WHERE committed_at >= @since GROUP BY name ORDER BY name
    """
    config = bigquery.QueryJobConfig(
        query_parameters=[bigquery.ScalarQueryParameter("since", "TIMESTAMP", since)]
    )
    rows = client.query(sql, job_config=config).result()
    return [
        LedgerLine(
            row["name"], row["rows_read"], row["inserted"], row["updated"], row["tombstoned"], row["seconds"]
        )
        for row in rows
    ]


def ledger_table(lines: Iterable[LedgerLine]) -> Table:
    """The lines as a table for the terminal."""
    table = Table(title="What this round did", title_justify="left")
    table.add_column("entity")
    for name in ("read", "inserted", "updated", "tombstoned", "seconds"):
        table.add_column(name, justify="right")
    for line in lines:
        counts = (line.read, line.inserted, line.updated, line.tombstoned)
        table.add_row(line.entity, *map(str, counts), f"{line.seconds:.1f}")
    return table
