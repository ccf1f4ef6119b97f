"""After any history of changes, faults, crashes and late loads, one quiet sweep makes the warehouse the source."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from google.cloud import bigquery
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from reporting.settings import Settings, read_settings
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from tests.convergence.history import CRASHES, READ, SLOW_SECONDS, World

numbers = st.integers(0, 30)
kinds = st.sampled_from(["contacts", "companies"])
FAULTS = (
    {"kind": "status", "status": 429, "retry_after": 0.01},
    {"kind": "status", "status": 429},
    *({"kind": "status", "status": status} for status in (500, 502, 503, 504, 529)),
    {"kind": "html"},
    {"kind": "reset"},
    {"kind": "truncated"},
    {"kind": "slow", "seconds": SLOW_SECONDS},
    {"kind": "empty_page"},
    {"kind": "page_twice"},
    {"kind": "shuffled"},
    {"kind": "invalid_cursor"},
    {"kind": "status", "status": 401},
)


class Histories(RuleBasedStateMachine):
    """One history: changes in the sources, between runs that meet faults, die, overlap or come late."""

    warehouse: ClassVar[tuple[bigquery.Client, Settings]]

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.world = World(*self.warehouse, Path(self._folder.name))
        self.count = 0

    def teardown(self) -> None:
        try:
            self.world.settle()
            self.world.check()
        finally:
            self.world.close()
            self._folder.cleanup()

    def _page(self, number: int) -> dict[str, Any]:
        pages = sorted(self.world.notion.truth().values(), key=lambda page: page["id"])
        page: dict[str, Any] = pages[number % len(pages)]
        return page

    def _living(self, kind: str) -> list[str]:
        truth = self.world.crm.truth(kind)
        return [key for key, each in truth.items() if not each["archived"] and not each["merged_into"]]

    def _text(self) -> str:
        self.count += 1
        return f"text {self.count}"

    @rule(day=st.dates(date(2026, 1, 1), date(2026, 6, 30)))
    def notion_create(self, day: Any) -> None:
        self.world.notion.create(day.isoformat())

    @rule(number=numbers, times=st.integers(1, 3))
    def notion_edit(self, number: int, times: int) -> None:
        """Several edits within one minute, which is all that Notion tells."""
        page = self._page(number)
        for _ in range(0 if page["in_trash"] else times):
            self.world.notion.edit(page["id"], self._text())

    @rule(number=numbers)
    def notion_trash_or_restore(self, number: int) -> None:
        page = self._page(number)
        self.world.notion.trash(page["id"], not page["in_trash"])

    @rule(number=numbers)
    def notion_purge(self, number: int) -> None:
        if len(self.world.notion.truth()) > 1:
            self.world.notion.purge(self._page(number)["id"])

    @rule(number=numbers, kind=st.sampled_from(["rename", "retype", "add", "remove"]))
    def notion_schema(self, number: int, kind: str) -> None:
        properties = self.world.notion.properties()
        names = sorted(name for name, each in properties.items() if each["type"] not in ("title", "date"))
        if kind == "add" or not names:
            self.world.notion.change_schema({self._text(): {"number": {}}})
            return
        name = names[number % len(names)]
        change: dict[str, Any] = {
            "rename": {"name": self._text()},
            "retype": {"rich_text": {}} if properties[name]["type"] == "number" else {"number": {}},
            "remove": None,
        }
        self.world.notion.change_schema({name: change[kind]})

    @rule(kind=kinds)
    def crm_create(self, kind: str) -> None:
        self.world.crm.create(kind, city=self._text())

    @rule(kind=kinds, number=numbers, action=st.sampled_from(["change", "archive", "erase", "restore"]))
    def crm_change(self, kind: str, number: int, action: str) -> None:
        truth = self.world.crm.truth(kind)
        fitting = (
            [key for key, each in truth.items() if each["archived"]]
            if action == "restore"
            else self._living(kind)
        )
        if fitting:
            values = {"city": self._text()} if action == "change" else {}
            getattr(self.world.crm, action)(kind, fitting[number % len(fitting)], **values)

    @rule(kind=kinds, winner=numbers, loser=numbers)
    def crm_merge(self, kind: str, winner: int, loser: int) -> None:
        living = self._living(kind)
        chosen = {living[number % len(living)] for number in (winner, loser)} if living else set()
        if len(chosen) == 2:
            self.world.crm.merge(kind, *chosen)

    @rule(contact=numbers, company=numbers, is_linked=st.booleans())
    def crm_associate(self, contact: int, company: int, is_linked: bool) -> None:
        contacts, companies = self._living("contacts"), self._living("companies")
        if contacts and companies:
            pair = (contacts[contact % len(contacts)], companies[company % len(companies)])
            act = self.world.crm.link if is_linked else self.world.crm.unlink
            act("contacts", pair[0], "companies", pair[1])

    @rule(kind=kinds, action=st.sampled_from(["add", "retype", "remove"]))
    def crm_schema(self, kind: str, action: str) -> None:
        if action == "add":
            self.world.crm.define(kind, self._text().replace(" ", "_"))
        elif action == "retype":
            self.world.crm.ask("PATCH", f"/crm/v3/properties/{kind}/country", json={"type": "number"})
        else:
            self.world.crm.ask("DELETE", f"/crm/v3/properties/{kind}/phone")

    @rule(
        source=st.sampled_from(["notion", "hubspot"]),
        fault=st.sampled_from(FAULTS),
        after=st.integers(0, 3),
        times=st.integers(1, 5),
    )
    def fault(self, source: str, fault: dict[str, Any], after: int, times: int) -> None:
        self.world.fault(source, **fault, after=after, times=times)

    @rule(
        name=st.sampled_from(sorted(READ)),
        refresh=st.sampled_from(["full", "changed"]),
        crash=st.none() | st.sampled_from(CRASHES),
    )
    def run(self, name: str, refresh: Any, crash: str | None) -> None:
        self.world.run(name, refresh, crash)

    @rule(number=numbers)
    def load_late_or_again(self, number: int) -> None:
        """A landing of any earlier run: never loaded, loaded half, or loaded long ago."""
        if self.world.landed:
            self.world.load(*self.world.landed[number % len(self.world.landed)])


@pytest.fixture(scope="module")
def warehouse(
    bigquery_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[bigquery.Client, Settings]]:
    environment = {
        "BIGQUERY_EMULATOR_HOST": bigquery_endpoint,
        "REPORTING_DATASET_PREFIX": "histories_",
        "REPORTING_STATE": str(tmp_path_factory.mktemp("histories")),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        read = read_settings()
        client = connect(read)
        schema.upgrade(client)
        yield client, read


@pytest.mark.timeout(0)
def test_a_quiet_sweep_settles_any_history(
    warehouse: tuple[bigquery.Client, Settings], request: pytest.FixtureRequest
) -> None:
    """`--histories 500` is the long mode."""
    Histories.warehouse = warehouse
    count = request.config.getoption("--histories")
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=count,
            stateful_step_count=12,
            deadline=None,
            derandomize=count <= 40,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        ),
    )
