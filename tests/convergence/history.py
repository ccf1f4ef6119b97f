"""Sources, a warehouse, and what can happen between them: the steps of the convergence tests."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from unittest import mock

from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest import extract as extracting
from reporting.ingest import load as loading
from reporting.ingest import states, sync_log
from reporting.ingest.landing import Landing, LandingWriter, Refresh
from reporting.ingest.replay import kept_run, replay
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings
from reporting.sources.base import DescribedProperty, SourceError
from reporting.sources.http import Policy
from reporting.window import Window
from tests.convergence.accounts import Account
from tests.convergence.jobs import Jobs
from tests.convergence.ringing import Ringing
from tests.support.syncs import Syncs

# Gives up soon, so that a fault may also fail a run.
HASTY = Policy(
    1_000_000, clock_tolerance=None, attempts=4, first_backoff=0.001, longest_backoff=0.01, timeout=0.5
)
PATIENT = Policy(
    1_000_000, clock_tolerance=None, attempts=10, first_backoff=0.01, longest_backoff=0.5, timeout=30.0
)
# What a task has just done, by where that is.
STEPS: dict[str, tuple[Any, str]] = {
    "the start": (states, "read"),
    "a page": (LandingWriter, "keep"),
    "who is missing": (extracting, "known_ids"),
    "the landing": (LandingWriter, "finish"),
    "the load job": (loading, "_load_stage"),
    "the MERGE": (loading, "_merge"),
    "the counts": (loading, "_count"),
    "the sync log": (sync_log, "append"),
}
# Where a task can die: after a step, or while a job of BigQuery's runs, which goes on without it.
CRASHES = (*(step for step in STEPS if step != "the start"), "during load", "during merge", "during sync log")
# What else can happen while a run is at a step of its own.
MEANWHILE = ("change", "change", "wait", "full", "changed", "load", "replay")


class KilledError(BaseException):
    """The process ended here, as far as there can be an end within a test."""


class Pipeline(Syncs):
    """The two tasks of every entity of some accounts."""

    def __init__(
        self, client: bigquery.Client, settings: Settings, landing: str, accounts: Sequence[Account]
    ) -> None:
        super().__init__(client, settings, Landing(landing))
        self.accounts = {table: account for account in accounts for table in account.entities}

    def entity(self, table: str) -> Entity:
        return self.accounts[table].entities[table]

    def read(self, table: str, refresh: Refresh, policy: Policy = HASTY, window: Window | None = None) -> str:
        reader = self.accounts[table].reader(table, policy)
        return self.extracted(self.entity(table), refresh, reader, window=window)

    def load(self, table: str, folder: str) -> Counts:
        return self.loaded(self.entity(table), folder)

    def replay(self, table: str, folder: str) -> Counts:
        entity = self.entity(table)
        run = kept_run(self.landing, entity, folder.rpartition("/")[2])
        return replay(self.client, self.settings, entity, self.landing, run, tombstone_share=1.0)


class World(Pipeline):
    """Accounts and an empty warehouse, with the landings that may be loaded late or again.

    Its steps, by which a history can be kept, are the methods from `change` to `again`; numbers choose among what
    there is. `figures` counts what happened.
    """

    def __init__(
        self, client: bigquery.Client, settings: Settings, folder: Path, accounts: Sequence[Account]
    ) -> None:
        self.jobs = Jobs(client)
        # As much of a client as the pipeline uses.
        super().__init__(cast(bigquery.Client, self.jobs), settings, str(folder / "landing"), accounts)
        self.landed: list[tuple[str, str]] = []
        # When each row was read last, of what was loaded to the end.
        self._read_at: dict[str, dict[str, datetime]] = {table: {} for table in self.accounts}
        self.figures: Counter[str] = Counter()
        account = accounts[0]
        self._ringing = (
            Ringing(account.ringing, account.entities, account.now, self.figures) if account.ringing else None
        )
        tables = [f"{settings.dataset('raw')}.{table}" for table in self.accounts]
        for name in (
            *tables,
            *(f"{settings.dataset('ops')}.{name}" for name in ("sync_runs", "schema_changes")),
        ):
            client.query_and_wait(f"DELETE FROM {name} WHERE TRUE")

    def change(self, change: str, number: int, times: int = 1) -> None:
        """Something happens in the source."""
        for each in range(times):
            self.account.change(change, number + each)

    def wait(self, minutes: float) -> None:
        self.account.pass_time(minutes * 60)

    def ring(self, seed: int, minutes: float, crash: str | None = None) -> None:
        """The source's events arrive, as far as they do, and what they trigger is run after a debounce."""
        if self._ringing is None:
            return
        self._ringing.happened(self.account.happened)
        self.account.happened = []
        self.account.pass_time(minutes * 60)
        triggered = self._ringing.deliver(self.account.now(), seed)
        for number, (table, refresh) in enumerate(dict.fromkeys(triggered)):
            self.figures["runs by events"] += 1
            self.run(cast(Refresh, refresh), table, crash=None if number else crash)

    def limit(self, number: int) -> None:
        self.account.limit(number)

    def fault(self, fault: Mapping[str, Any], after: int = 0, times: int = 1) -> None:
        self.account.fault(**fault, after=after, times=times)

    def window(self, hours: float, until: bool) -> None:
        """Read a window of the past, as somebody asks for it; it may end before now."""
        if self.account.windowed is not None:
            now = self.account.now()
            window = Window(now - timedelta(hours=hours), now - timedelta(hours=hours / 2) if until else None)
            self.run("changed", self.account.windowed, window=window)

    def run(
        self,
        refresh: Refresh,
        table: str | None = None,
        *,
        window: Window | None = None,
        crash: str | None = None,
        is_retried: bool = False,
        step: str = "a page",
        meanwhile: Sequence[tuple[str, int]] = (),
    ) -> None:
        """The two tasks of a run, which may fail on a fault, die, be tried again, and not be alone."""
        table = table or next(iter(self.accounts))
        if not self.entity(table).has_changed:
            refresh = "full"
        self.figures["runs"] += 1
        folder = None
        try:
            with self._dying(crash), after(step, lambda: self._go_on(table, meanwhile), bool(meanwhile)):
                folder = self.read(table, refresh, window=window)
                self.landed.append((table, folder))
                self.load(table, folder)
        except SourceError:
            self.figures["runs that failed on faults"] += 1
        except KilledError:
            if is_retried:
                self._retry(table, refresh, folder)
        self.jobs.finish()

    def _retry(self, table: str, refresh: Refresh, folder: str | None) -> None:
        """The next attempt at the task that died."""
        try:
            self.load(table, folder or self.read(table, refresh))
        except SourceError:
            self.figures["runs that failed on faults"] += 1

    def load(self, table: str, folder: str) -> Counts:
        counts = super().load(table, folder)
        self._check_reads(table, folder)
        return counts

    def replay(self, table: str, folder: str) -> Counts:
        counts = super().replay(table, folder)
        self._check_reads(table, folder)
        return counts

    def again(self, number: int, is_replay: bool) -> None:
        """Load any earlier landing: never loaded, loaded half, or loaded long ago."""
        if self.landed:
            self.figures["replays" if is_replay else "late or repeated loads"] += 1
            (self.replay if is_replay else self.load)(*self.landed[number % len(self.landed)])

    def _dying(self, crash: str | None) -> AbstractContextManager[None]:
        def die() -> None:
            self.figures["crashes"] += 1
            self.figures[f"crashes: {crash}"] += 1
            raise KilledError

        if crash is None:
            return nullcontext()
        if crash in STEPS:
            return after(crash, die)
        self.jobs.leave(crash.removeprefix("during "), die)
        return nullcontext()

    @property
    def account(self) -> Account:
        """The only account of a history."""
        return next(iter(self.accounts.values()))

    def _go_on(self, table: str, meanwhile: Sequence[tuple[str, int]]) -> None:
        account = self.accounts[table]
        for what, number in meanwhile:
            if what in account.changes:
                account.change(what, number)
            elif what == "change":
                account.change(account.changes[number % len(account.changes)], number // 3)
            elif what == "wait":
                account.pass_time(600)
            elif what in ("load", "replay"):
                self.figures[f"overlaps: {what}"] += bool(self.landed)
                self.again(number, what == "replay")
            elif what == "full" or self.entity(table).has_changed:
                self.figures[f"overlaps: {what}"] += 1
                self.run(what, table)  # type: ignore[arg-type]

    def settle(self, *tables: str) -> None:
        """Quiet runs of these tables (of all without any), after which nothing is left to do.

        What changed is in the table before anything is fully refreshed, since a full refresh would mend what a cursor lost.
        """
        accounts = {table: self.accounts[table] for table in tables or self.accounts}
        rows = {table: self.rows(table) for table in accounts}
        for table, account in accounts.items():
            living = account.living(table)
            self.check_tombstones(
                table, rows[table], {key for key in living if (table, key) not in account.gone}
            )
        for account in dict.fromkeys(accounts.values()):
            account.end_faults()
            # Past every overlap of a cursor with what was read before it.
            account.pass_time(timedelta(hours=3).total_seconds())
        for table, account in accounts.items():
            if self.entity(table).has_changed:
                self.load(table, self.read(table, "changed", PATIENT))
                account.check_changed(table, self.rows(table))
        for table in accounts:
            self.load(table, self.read(table, "full", PATIENT))
        again = self.load(table, self.read(table, "full", PATIENT))
        assert not again.has_changes, again

    def _check_reads(self, table: str, folder: str) -> None:
        """No row is of an older read than one that was loaded."""
        if self.landing.manifest(folder).is_unchanged:
            return
        read_at = self._read_at[table]
        for page in self.landing.pages(folder):
            for record in page.records:
                key = str(record.id)
                read_at[key] = max(page.requested_at, read_at.get(key, page.requested_at))
        rows = self.rows(table)
        assert {key for key, at in read_at.items() if rows[key]["_extracted_at"] < at} == set(), table

    def check_tombstones(self, table: str, rows: dict[str, Any], kept: set[str]) -> None:
        """Nothing has a tombstone that was there all the time."""
        assert {key for key in kept & rows.keys() if rows[key]["_deleted_at"] is not None} == set(), table

    def rows(self, table: str) -> dict[str, Any]:
        # Read as it lies there, which costs no job.
        rows = list(self.client.list_rows(self.client.get_table(f"{self.settings.dataset('raw')}.{table}")))
        found = {row["id"]: row for row in rows}
        self.figures["rows doubled"] += len(rows) - len(found)
        assert len(found) == len(rows), f"{table} has a key twice"
        return found

    def check(self, *tables: str) -> None:
        """These tables are what their source's own record says, and so is what the project notes of its runs."""
        for table in tables or self.accounts:
            account = self.accounts[table]
            rows = self.rows(table)
            lost = set(account.living(table)) - rows.keys()
            self.figures["rows lost"] += len(lost)
            assert lost == set(), table
            account.check(table, rows)
            self.figures["rows compared"] += len(rows)
            self._check_properties(table, account)
        self._check_sync_log()

    def _check_properties(self, table: str, account: Account) -> None:
        expected = account.properties(table)
        if expected is None:
            return
        sql = f"""
            SELECT property_id, name_after, type_after FROM {self.settings.dataset("ops")}.schema_changes
            WHERE CONCAT(source, '__', entity) = '{table}'
            QUALIFY ROW_NUMBER() OVER (PARTITION BY property_id ORDER BY first_seen_at DESC) = 1
        """
        found = {row[0]: DescribedProperty(row[1], row[2]) for row in self.client.query_and_wait(sql)}
        assert {key: each for key, each in found.items() if each.name is not None} == expected

    def _check_sync_log(self) -> None:
        sql = f"SELECT run_id FROM {self.settings.dataset('ops')}.sync_runs"
        runs = [row["run_id"] for row in self.client.query_and_wait(sql)]
        assert len(runs) == len(set(runs))
        for stage in self.client.list_tables(self.settings.dataset("ops")):
            if stage.table_id.startswith("stage__"):
                # What a killed load left goes away by itself.
                name = f"{self.settings.dataset('ops')}.{stage.table_id}"
                assert self.client.get_table(name).expires is not None


@contextmanager
def after(step: str, act: Callable[[], None], is_wanted: bool = True) -> Iterator[None]:
    """Call `act` once, when `step` is done for the first time."""
    if not is_wanted:
        yield
        return
    owner, name = STEPS[step]
    original = getattr(owner, name)
    is_done = False

    def acting(*arguments: Any, **options: Any) -> Any:
        nonlocal is_done
        found = original(*arguments, **options)
        if not is_done:
            is_done = True
            act()
        return found

    with mock.patch.object(owner, name, acting):
        yield
