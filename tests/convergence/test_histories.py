"""After any history of changes, faults, crashes, overlaps and late loads, quiet runs make the warehouse the source."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from google.cloud import bigquery
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from reporting.settings import Settings, read_settings
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from tests.convergence.accounts import ACCOUNTS, DISORDERS, PASSING, REFUSALS, Account, serving, small_pages
from tests.convergence.history import CRASHES, MEANWHILE, STEPS, World
from tests.convergence.seeded import SEEDED_BUGS, SeededBug

STEP_COUNT = 10
Accounts = Callable[[str], Account]
numbers = st.integers(0, 60)
meanwhile = st.lists(st.tuples(st.sampled_from(MEANWHILE), numbers), max_size=3)


class Histories(RuleBasedStateMachine):
    """One history of one source: changes in it, and runs that meet faults, die, overlap or come late."""

    warehouse: ClassVar[tuple[bigquery.Client, Settings]]
    account: ClassVar[Account]
    figures: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.account.reset()
        self.world = World(*self.warehouse, Path(self._folder.name), [self.account])

    def teardown(self) -> None:
        try:
            self.world.settle()
            self.world.check()
        finally:
            self.figures.update(self.world.figures)
            self.figures["histories"] += 1
            for kind, count in self.account.met().items():
                self.figures["faults met"] += count
                self.figures[f"faults: {kind}"] += count
            self._folder.cleanup()

    @rule(name=numbers, number=numbers, times=st.integers(1, 3))
    def change(self, name: int, number: int, times: int) -> None:
        changes = self.account.changes
        self.world.change(changes[name % len(changes)], number, times)

    @rule(minutes=st.sampled_from([0.5, 1, 3, 30, 90, 600]))
    def wait(self, minutes: float) -> None:
        self.world.wait(minutes)

    @rule(seed=numbers, minutes=st.sampled_from([1, 5, 60]), crash=st.none() | st.sampled_from(CRASHES))
    def ring(self, seed: int, minutes: float, crash: str | None) -> None:
        self.world.ring(seed, minutes, crash)

    @rule(number=numbers)
    def limit(self, number: int) -> None:
        self.world.limit(number)

    @rule(
        fault=st.sampled_from((*PASSING, *REFUSALS, *DISORDERS)),
        after=st.integers(0, 5),
        times=st.integers(1, 5),
    )
    def fault(self, fault: dict[str, Any], after: int, times: int) -> None:
        self.world.fault(fault, after, times)

    @rule(
        number=numbers,
        refresh=st.sampled_from(["full", "changed", "changed"]),
        crash=st.none() | st.sampled_from(CRASHES),
        is_retried=st.booleans(),
        step=st.sampled_from(sorted(STEPS)),
        meanwhile=meanwhile,
    )
    def run(self, number: int, refresh: Any, meanwhile: list[tuple[str, int]], **options: Any) -> None:
        tables = list(self.account.entities)
        self.world.run(refresh, tables[number % len(tables)], meanwhile=meanwhile, **options)

    @rule(hours=st.integers(1, 48), until=st.booleans())
    def window(self, hours: int, until: bool) -> None:
        self.world.window(hours, until)

    @rule(number=numbers, is_replay=st.booleans())
    def again(self, number: int, is_replay: bool) -> None:
        self.world.again(number, is_replay)


@pytest.fixture(scope="module")
def warehouse(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[bigquery.Client, Settings]]:
    given = request.config.getoption("--dataset-prefix")
    if given is None:
        yield request.getfixturevalue("current_warehouse")
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPORTING_STATE", str(tmp_path_factory.mktemp("histories")))
        patch.setenv("REPORTING_DATASET_PREFIX", given)
        read = read_settings()
        client = connect(read)
        schema.upgrade(client)
        yield client, read


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    """The account of a source, which is served from when it is asked for first."""
    with ExitStack() as stack:
        made: dict[str, Account] = {}

        def account(source: str) -> Account:
            if source not in made:
                made[source] = stack.enter_context(serving(source, tmp_path_factory.mktemp(source)))
                made[source].mark()
            return made[source]

        yield account


@pytest.mark.parametrize("seeded", SEEDED_BUGS, ids=lambda seeded: seeded.name)
def test_quiet_runs_settle_a_stored_history(
    seeded: SeededBug, warehouse: tuple[bigquery.Client, Settings], accounts: Accounts, tmp_path: Path
) -> None:
    """Each would not be settled with the bug that is named: `mutation` proves it."""
    account = accounts(seeded.source)
    account.reset()
    with small_pages():
        world = World(*warehouse, tmp_path, [account])
        for name, options in seeded.steps:
            getattr(world, name)(**options)
        world.settle()
        world.check()


@pytest.mark.timeout(0)
@pytest.mark.parametrize("source", ACCOUNTS)
def test_quiet_runs_settle_any_history(
    source: str,
    warehouse: tuple[bigquery.Client, Settings],
    request: pytest.FixtureRequest,
    accounts: Accounts,
    record_property: Callable[[str, object], None],
) -> None:
    """`--histories 500` is the long mode; it is shared out among the sources."""
    total, chosen = (request.config.getoption(name) for name in ("--histories", "--histories-seed"))
    place = list(ACCOUNTS).index(source)
    count = total // len(ACCOUNTS) + (place < total % len(ACCOUNTS))
    phases = (Phase.generate, *([Phase.shrink] if request.config.getoption("--histories-shrunk") else []))
    account = accounts(source)
    with small_pages():
        machine = type(
            f"{source.title()}Histories",
            (Histories,),
            {"warehouse": warehouse, "account": account, "figures": Counter()},
        )
        try:
            if count:
                run_state_machine_as_test(
                    # Other histories for each.
                    seed(chosen * len(ACCOUNTS) + place)(machine),
                    settings=settings(
                        max_examples=count,
                        stateful_step_count=STEP_COUNT,
                        deadline=None,
                        database=None,
                        suppress_health_check=list(HealthCheck),
                        phases=phases,
                    ),
                )
        finally:
            record_property("figures", (source, chosen, dict(machine.figures)))  # type: ignore[attr-defined]
