"""dbt itself, as production starts it, over rows that went through the reader and the loader."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from reporting import dbt
from reporting.entities import NOTION
from reporting.extract import extract
from reporting.landing import Landing
from reporting.settings import ROOT, Settings, read_settings
from reporting.warehouse import builds, schema
from reporting.warehouse.client import connect
from reporting.warehouse.load import load
from tests.notion_server import HABITS, START, Notion, source_over, title

DAILY, WEEKLY, MONTHLY, TARGETS = NOTION
TODAY = date(2026, 1, 10)
TARGETS_ID = "44444444444444444444444444444444"


def tick(name: str, value: bool) -> dict[str, Any]:
    return {name: {"id": name.lower(), "type": "checkbox", "checkbox": value}}


def day(number: int, **ticks: bool) -> dict[str, Any]:
    """The properties of the daily habits of the `number`th of January."""
    made: dict[str, Any] = {"Date": {"id": "d", "type": "date", "date": {"start": f"2026-01-{number:02}"}}}
    for name, value in ticks.items():
        made |= tick(name, value)
    return made


def target(habit: str, share: float) -> dict[str, Any]:
    return {
        "Habit": {"id": "title", "type": "title", "title": title(habit)},
        "Period": {"id": "p", "type": "select", "select": {"id": "1", "name": "daily", "color": "red"}},
        "Target": {"id": "t", "type": "number", "number": share},
        "Active from": {"id": "f", "type": "date", "date": {"start": "2026-01-01", "end": None}},
        "Active until": {"id": "u", "type": "date", "date": None},
    }


class House:
    """A warehouse, a Notion with two databases, and dbt."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path) -> None:
        self.client, self.settings, self.folder = client, settings, folder
        self.landing = Landing(str(folder / "landing"))
        self.notion = Notion([START + timedelta(days=number) for number in range(12)])
        self.notion.sources[0]["properties"] = {"Date": {"id": "d", "name": "Date", "type": "date"}}
        self.notion.sources.append({"id": TARGETS_ID, "title": title("Habit Targets"), "properties": {}})
        self.pages = list(self.notion.pages.values())

    def hold(self, properties: Iterable[dict[str, Any]], targets: Iterable[dict[str, Any]] = ()) -> None:
        """Make these the pages of the daily habits and of the targets, and the others of neither."""
        homes = [HABITS] * len(list(properties)) + [TARGETS_ID] * len(list(targets))
        for page, each in zip(self.pages, [*properties, *targets], strict=False):
            page["properties"] = each
        for page, home in zip_longest(self.pages, homes, fillvalue="elsewhere"):
            page["parent"] = {"data_source_id": home}

    def read(self) -> None:
        for entity in (DAILY, TARGETS):
            source = source_over(self.notion)
            folder = extract(
                self.client, self.settings, entity, "full", source, self.landing, tombstone_share=1.0
            )
            load(self.client, self.settings, entity, self.landing, folder, tombstone_share=1.0)

    def dbt(self, command: list[str], **more: str) -> dict[str, str]:
        """Status by node of what `command` ran, whether it succeeded or not."""
        dbt.forget_results(self.settings)
        environment = dbt.environment(self.settings) | {"REPORTING_TODAY": TODAY.isoformat()} | more
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=200
        )
        path = dbt.target_folder(self.settings) / "run_results.json"
        assert path.exists(), done.stdout
        results = json.loads(path.read_text())["results"]
        self.code = done.returncode
        return {result["unique_id"]: result["status"] for result in results}

    def build(self, plan: builds.Plan) -> dict[str, str]:
        """The two steps of the DAG."""
        nodes = {}
        for layer in ("staging", "marts"):
            nodes |= self.dbt(dbt.build_command(self.settings, plan.selection(layer)))
            assert self.code == 0, dbt.failures(self.settings)
        return nodes

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.client.query(sql).result()]

    def metrics(self) -> dict[str, tuple[Any, ...]]:
        found = self.rows(
            "SELECT habit, periods_due, periods_complete, current_streak, longest_streak, is_target_met "
            f"FROM {self.settings.dataset('marts')}.habit_metrics"
        )
        return {habit: tuple(rest) for habit, *rest in found}


@pytest.fixture
def house(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    assert settings.emulator_host
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", settings.emulator_host)
    monkeypatch.setenv("REPORTING_DATASET_PREFIX", settings.dataset_prefix)
    client = connect(read_settings())
    schema.upgrade(client)
    return House(client, replace(settings, state=tmp_path), tmp_path)


def test_unit_tests_and_everything_else_pass(house: House) -> None:
    house.hold([day(number, Read=True) for number in range(1, 11)], [target("Read", 0.5)])
    house.read()
    command = dbt.build_command(house.settings, ["tag:staging", "tag:marts", "test_type:unit"])
    at = command.index("--exclude-resource-type")
    statuses = house.dbt(command[:at] + command[at + 2 :])
    assert house.code == 0, dbt.failures(house.settings)
    assert set(statuses.values()) <= {"success", "pass", "warn"}
    run = {name for name in statuses if name.startswith("unit_test.")}
    written = sum(
        line.strip().startswith("- name:")
        for path in (ROOT / "dbt" / "models").rglob("*__unit_tests.yml")
        for line in path.read_text().splitlines()
        if line.startswith("  - name:")
    )
    assert len(run) == written > 0


def test_the_marts_follow_what_changes_in_notion(house: House) -> None:
    # The 4th has no row, and today, the 10th, is not ticked yet.
    days = {number: day(number, Read=number not in (3, 10)) for number in range(1, 11) if number != 4}
    house.hold(days.values(), [target("Read", 0.7)])
    house.read()
    plan = builds.plan(house.client, house.settings, "changed")
    assert plan.refresh == "full"
    house.build(plan)
    builds.record(house.client, house.settings, plan)
    # Nine days are over; 3rd and 4th were missed; today's gap ends no streak.
    assert house.metrics() == {"Read": (9, 7, 5, 5, True)}
    before = house.rows(f"SELECT * FROM {house.settings.dataset('marts')}.habits ORDER BY date")
    assert len(before) == 10

    house.build(plan)
    assert house.rows(f"SELECT * FROM {house.settings.dataset('marts')}.habits ORDER BY date") == before

    # A new habit, the 8th deleted, and the old habit renamed: no code, schema or configuration changes.
    renamed = {"Books": {"id": "read", "type": "checkbox", "checkbox": True}}
    for page in self_pages(house, days):
        page["properties"] |= renamed | tick("Stretch", True)
        page["properties"].pop("Read", None)
    gone = next(
        page
        for page in self_pages(house, days)
        if page["properties"]["Date"]["date"]["start"] == "2026-01-08"
    )
    gone["in_trash"] = True
    house.read()
    plan = builds.plan(house.client, house.settings, "changed")
    assert (plan.refresh, plan.sources) == ("changed", ("notion.daily_habits",))
    nodes = house.build(plan)
    assert not [name for name in nodes if "weekly_habits" in name and name.startswith("model.")]
    found = house.metrics()
    assert set(found) == {"Books", "Stretch"}
    # Every day but the deleted 8th and the missing 4th, today included now that it is ticked.
    assert found["Stretch"][:4] == (10, 8, 2, 3)
    tombstones = house.rows(
        f"SELECT COUNT(*) FROM {house.settings.dataset('raw')}.notion__daily_habits WHERE _deleted_reason = 'trashed'"
    )
    assert tombstones == [(1,)]


def self_pages(house: House, days: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return house.pages[: len(days)]


def test_a_failing_test_is_named(house: House) -> None:
    house.hold([day(1, Read=True)])
    house.read()
    # A page twice, which the loader never makes.
    raw = f"{house.settings.dataset('raw')}.notion__daily_habits"
    house.client.query(
        f"INSERT INTO {raw} (id, _extracted_at) SELECT id, _extracted_at FROM {raw} LIMIT 1"
    ).result()
    statuses = house.dbt(dbt.build_command(house.settings, ["tag:staging"]))
    assert house.code == 1
    assert "fail" in statuses.values()
    assert any(
        line.startswith("test unique_stg_notion__daily_habits_page_id")
        for line in dbt.failures(house.settings)
    )


def test_a_source_that_is_not_read_any_more_is_named(house: House) -> None:
    house.hold([day(1, Read=True)])
    house.read()
    environment = dbt.environment(house.settings)

    def check() -> int:
        dbt.forget_results(house.settings)
        command = dbt.freshness_command(house.settings, ["notion.daily_habits"])
        return subprocess.run(
            command, env=environment, capture_output=True, check=False, timeout=100
        ).returncode

    assert check() == 0
    ops = house.settings.dataset("ops")
    house.client.query(
        f"UPDATE {ops}.sync_runs SET committed_at = TIMESTAMP_SUB(committed_at, INTERVAL 5 DAY) WHERE TRUE"
    ).result()
    assert check() == 1
    (line,) = dbt.stale(house.settings)
    assert line.startswith("source notion.daily_habits: last complete run 20")
