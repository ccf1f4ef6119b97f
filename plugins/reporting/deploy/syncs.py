"""One sync: the scheduler runs DAGs, then dbt if anything changed, and the sync log says what was done."""

import textwrap
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.cloud import bigquery
from rich.console import Console
from rich.live import Live
from rich.table import Table

from reporting.deploy.airflow_api import ENDED, AirflowApi
from reporting.deploy.errors import CommandError
from reporting.monitoring.runs import DAG as RUNS
from reporting.naming import DagId
from reporting.reports import DAG as REPORT
from reporting.settings import Settings
from reporting.transform import builds
from reporting.warehouse.client import with_parameters

PROFILE = "ops_warehouse__tables__profile"
# What is done once a day, in this order: the report shows what the others note.
DAILY = (PROFILE, RUNS, REPORT)
MART_CHANGED = "mart_personal__models__changed"
MART_FULL = "mart_personal__models__full"
POLL_SECONDS = 0.5
BUILDS = 5
# The part of a sync's time that sources may take; what they brought is built in the rest.
READING_SHARE = 0.7
# A step begins also when the time is up: it is short where there is little to do.
LEAST_SECONDS = 60.0
HELD = "builds-held"


@dataclass(frozen=True, slots=True)
class SyncLogLine:
    """What the sync log says of one entity in a sync. Counts are rows."""

    entity: str
    read: int
    inserted: int
    updated: int
    tombstoned: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """What a DAG did not do in a sync: `where` are its tasks, or itself, and `said` is why."""

    dag_id: str
    where: str
    said: str


class Watch:
    """Shows the state of runs while they go on, and waits for their end. `logs` is the folder of Airflow's logs."""

    def __init__(self, api: AirflowApi, console: Console, give_up_on_retry: bool, logs: Path) -> None:
        self._api = api
        self._logs = logs
        self._console = console
        self._give_up_on_retry = give_up_on_retry
        self._states: dict[str, str] = {}
        self._retried: set[tuple[str, str, str]] = set()

    def wait(self, runs: Iterable[tuple[str, str]], seconds: float) -> list[Failure]:
        """Wait for the end of every (DAG, run), whatever becomes of the others, and return what did not succeed."""
        waiting = list(runs)
        failures: list[Failure] = []
        pause = threading.Event()
        until = time.monotonic() + seconds
        self._states.clear()
        with self._display():
            while waiting:
                waiting = [run for run in waiting if not self._has_ended(*run, failures)]
                if not waiting or time.monotonic() >= until:
                    break
                pause.wait(POLL_SECONDS)
        return failures + [
            Failure(
                dag_id,
                dag_id,
                f"did not end within {seconds:.0f} s. Its log says what it waits for; the next sync goes on with it.",
            )
            for dag_id, _ in waiting
        ]

    def _has_ended(self, dag_id: str, run_id: str, failures: list[Failure]) -> bool:
        state = self._api.state(dag_id, run_id)
        tasks = self._api.tasks(dag_id, run_id)
        if self._give_up_on_retry or state == "failed":
            stopped = [task for task in tasks if task.state in ("failed", "up_for_retry")]
            if stopped or state == "failed":
                failures.append(self._failure(dag_id, run_id, [task.task_id for task in stopped]))
                self._note(dag_id, "failed")
                return True
        for task in tasks:
            if task.state == "up_for_retry":
                self._say_why(dag_id, run_id, task.task_id)
            else:
                self._retried.discard((dag_id, run_id, task.task_id))
        if state in ENDED:
            self._note(dag_id, "skipped" if all(task.state == "skipped" for task in tasks) else state)
        else:
            current = [
                f"{task.task_id} {task.state}" for task in tasks if task.state in ("running", "up_for_retry")
            ]
            self._note(dag_id, ", ".join(current) or state)
        return state in ENDED

    def _say_why(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Say once for each try why a task is tried again, and where its log is."""
        if (dag_id, run_id, task_id) in self._retried:
            return
        self._retried.add((dag_id, run_id, task_id))
        [why] = self._failure(dag_id, run_id, [task_id]).said.strip().splitlines()[-1:] or [
            "no reason was given"
        ]
        log = self._logs / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        self._console.print(
            f"  {dag_id}.{task_id} failed, and is tried again: {why}\n  Log: {log}",
            markup=False,
            soft_wrap=True,
        )

    def _failure(self, dag_id: str, run_id: str, task_ids: Sequence[str]) -> Failure:
        if not task_ids:
            return Failure(dag_id, dag_id, "failed, and none of its tasks says why.")
        try:
            said = self._api.error_of(dag_id, run_id, task_ids[0])
        # A log that cannot be read says nothing, and keeps nobody else.
        except CommandError as error:
            said = f"its log cannot be read: {error}"
        return Failure(dag_id, ", ".join(f"{dag_id}.{each}" for each in task_ids), said)

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


def run_sync(
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
) -> list[Failure]:
    """Run `dag_ids` to their end, then the builds that they cause; `full_build` adds a build of everything. `upkeep` are the
    DAGs that run after it, each when the one before has ended.

    What fails, or takes more of the `seconds` than leaves time for the builds, keeps none of the others from being built
    and shown. Returns what did not succeed. Raises `CommandError` when Airflow itself is away.
    """
    started_at, begun = datetime.now(UTC), time.monotonic()
    watch = Watch(api, console, give_up_on_retry, settings.state / "logs")
    api.await_dags([*dag_ids, MART_CHANGED, MART_FULL, REPORT])

    def run(dag_ids: Sequence[str], share: float = 1.0) -> list[Failure]:
        left = max(seconds * share - (time.monotonic() - begun), LEAST_SECONDS)
        # What a paused DAG is to run waits for ever.
        paused = [dag_id for dag_id in dag_ids if api.is_paused(dag_id)]
        for dag_id in paused:
            console.print(f"  {dag_id}: paused, and left out")
        return watch.wait([(each, api.trigger(each)) for each in dag_ids if each not in paused], left)

    with builds_held(api, settings):
        failures = run(dag_ids, READING_SHARE)
    if full_build:
        failures += run([MART_FULL])
    failures += _build_changed(api, client, settings, watch, started_at, seconds - (time.monotonic() - begun))
    for dag_id in upkeep:
        failures += run([dag_id])
    return failures


def _build_changed(
    api: AirflowApi,
    client: bigquery.Client,
    settings: Settings,
    watch: Watch,
    since: datetime,
    seconds: float,
) -> list[Failure]:
    """Build what was loaded and no build has taken in."""
    until = time.monotonic() + seconds
    # Whoever serves may load more while a build runs.
    for _ in range(BUILDS):
        if not builds.plan(client, settings, "changed").run_ids:
            return []
        if api.is_paused(MART_CHANGED):
            said = (
                "is paused, so what was loaded is not in the marts. Resume it in the web interface of "
                "script/server, and run it again."
            )
            return [Failure(MART_CHANGED, MART_CHANGED, said)]
        left = max(until - time.monotonic(), LEAST_SECONDS)
        if failures := watch.wait([(MART_CHANGED, _next_build(api, since))], left):
            return failures
    said = (
        f"is not done: sources keep changing, and not all of it is in the marts after {BUILDS} builds. "
        "Run it again."
    )
    return [Failure(MART_CHANGED, MART_CHANGED, said)]


def report_of(failures: Sequence[Failure]) -> str:
    """What did not succeed, for a person: each reason once, with everything that it stopped."""
    stopped: dict[tuple[str, str], list[str]] = {}
    for each in failures:
        stopped.setdefault((DagId.parse(each.dag_id).source, each.said), []).append(each.where)
    said = "".join(
        f"\n\n{source}: {', '.join(where)}\n{textwrap.indent(why.strip(), '  ')}"
        for (source, why), where in stopped.items()
    )
    names = ", ".join(dict.fromkeys(source for source, _ in stopped))
    return (
        f"{names} did not succeed; what the others brought was built and shown. script/doctor looks at each source, "
        f"and docs/reference/errors.md says what to do about each error.{said}"
    )


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
    """Let events make builds again, if a sync that was ended half-way has left them held."""
    if (settings.state / HELD).exists():
        api.await_dags([MART_CHANGED])
        api.pause(MART_CHANGED, False)
        (settings.state / HELD).unlink()


def _next_build(api: AirflowApi, since: datetime) -> str:
    """The run that waits already, or one made here."""
    waiting = [run for run in api.runs(MART_CHANGED, since) if run["state"] not in ENDED]
    return str(waiting[0]["dag_run_id"]) if waiting else api.trigger(MART_CHANGED)


def sync_log_lines(client: bigquery.Client, settings: Settings, since: datetime) -> list[SyncLogLine]:
    """What was committed at or after `since`, one line per entity."""
    sql = f"""
        SELECT CONCAT(source, '.', entity) AS name, SUM(rows_read) AS rows_read, SUM(rows_inserted) AS inserted,
            SUM(rows_updated) AS updated, SUM(rows_tombstoned) AS tombstoned, SUM(duration_seconds) AS seconds
        FROM `{settings.dataset("ops")}.sync_runs` WHERE committed_at >= @since GROUP BY name ORDER BY name
    """
    config = with_parameters(since=since)
    rows = client.query_and_wait(sql, job_config=config)
    return [
        SyncLogLine(
            row["name"], row["rows_read"], row["inserted"], row["updated"], row["tombstoned"], row["seconds"]
        )
        for row in rows
    ]


def sync_log_table(lines: Iterable[SyncLogLine]) -> Table:
    """The lines as a table for the terminal."""
    table = Table(title="What this sync did")
    table.add_column("entity")
    for name in ("read", "inserted", "updated", "tombstoned", "seconds"):
        table.add_column(name, justify="right")
    for line in lines:
        counts = (line.read, line.inserted, line.updated, line.tombstoned)
        table.add_row(line.entity, *(f"{count:,}" for count in counts), f"{line.seconds:,.1f}")
    return table
