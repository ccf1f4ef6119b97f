"""One round: the scheduler runs DAGs, then dbt if anything changed, and the ledger says what was done."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from google.cloud import bigquery
from rich.console import Console
from rich.live import Live
from rich.table import Table

from reporting.commands.airflow_api import ENDED, AirflowApi
from reporting.commands.errors import CommandError
from reporting.reports import DAG as REPORT
from reporting.runs import DAG as RUNS
from reporting.settings import Settings
from reporting.warehouse import builds

PROFILE = "ops_warehouse__tables__profile"
# What is done once a day, in this order: the report shows what the others note.
DAILY = (PROFILE, RUNS, REPORT)
MART_CHANGED = "mart_personal__models__changed"
MART_FULL = "mart_personal__models__full"
POLL_SECONDS = 0.5
BUILDS = 5
HELD = "builds-held"


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
    upkeep: Sequence[str] = (),
    seconds: float,
    give_up_on_retry: bool,
) -> None:
    """Run `dag_ids` to their end, then the builds that they cause; `full_build` adds a build of everything. `upkeep` are the
    DAGs that run after it, each when the one before has ended."""
    started_at = datetime.now(UTC)
    watch = Watch(api, console, give_up_on_retry)
    api.await_dags([*dag_ids, MART_CHANGED, MART_FULL, REPORT])
    with builds_held(api, settings):
        watch.wait([(dag_id, api.trigger(dag_id)) for dag_id in dag_ids], seconds)
    if full_build:
        watch.wait([(MART_FULL, api.trigger(MART_FULL))], seconds)
    # Whoever serves may load more while a build runs.
    for _ in range(BUILDS):
        if not builds.plan(client, settings, "changed").run_ids:
            break
        if api.is_paused(MART_CHANGED):
            raise CommandError(
                f"{MART_CHANGED} is paused, so what was loaded is not in the marts. Resume it in the web interface of "
                "script/server, and run it again."
            )
        watch.wait([(MART_CHANGED, _next_build(api, started_at))], seconds)
    else:
        raise CommandError(
            f"sources keep changing: not all of it is in the marts after {BUILDS} builds. Run it again."
        )
    for dag_id in upkeep:
        watch.wait([(dag_id, api.trigger(dag_id))], seconds)


@contextmanager
def builds_held(api: AirflowApi, settings: Settings) -> Iterator[None]:
    """No event makes a run of the build meanwhile, so that one takes what all sources bring.

    Its DAG is paused for that, which the metadata database keeps: a file in the state folder outlives whatever ends this
    half-way, and `release_builds` undoes it at the next start. A pause of the owner's own stays.
    """
    if api.is_paused(MART_CHANGED):
        yield
        return
    (settings.state / HELD).touch()
    api.pause(MART_CHANGED, True)
    try:
        yield
    finally:
        # Where Airflow has ended already, the next start does it.
        with suppress(CommandError):
            release_builds(api, settings)


def release_builds(api: AirflowApi, settings: Settings) -> None:
    """Let events make builds again, if a round that was ended half-way has left them held."""
    if (settings.state / HELD).exists():
        api.await_dags([MART_CHANGED])
        api.pause(MART_CHANGED, False)
        (settings.state / HELD).unlink()


def _next_build(api: AirflowApi, since: datetime) -> str:
    """The run that waits already, or one made here."""
    waiting = [run for run in api.runs(MART_CHANGED, since) if run["state"] not in ENDED]
    return str(waiting[0]["dag_run_id"]) if waiting else api.trigger(MART_CHANGED)


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
