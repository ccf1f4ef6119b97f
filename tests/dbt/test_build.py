"""dbt itself, as production starts it, over rows that went through the reader and the loader."""

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import bigquery

from reporting.ingest.landing import Landing
from reporting.settings import Settings
from reporting.sources.notion.entities import NOTION
from reporting.transform import builds, dbt
from tests.support.documents import BLOCKS, Block
from tests.support.notion_server import HABITS, START, Notion, reader_over, title
from tests.support.syncs import Syncs

DAILY, WEEKLY, MONTHLY, TARGETS = NOTION[:4]
TODAY = date(2026, 1, 10)
TARGETS_ID = "44444444444444444444444444444444"
DOWNSTREAM_OF_DAILY = {
    "staging": {"stg_notion__daily_habits"},
    "marts": {"int_habits__unpivoted", "int_habits__named", "habits", "habit_metrics"},
}


Statuses = dict[str, str]
Rows = list[tuple[Any, ...]]


def tick(name: str, value: bool, property_id: str | None = None) -> dict[str, Any]:
    return {name: {"id": property_id or name.lower(), "type": "checkbox", "checkbox": value}}


def day(number: int, *ticks: dict[str, Any]) -> dict[str, Any]:
    """The properties of the daily habits of the `number`th of January."""
    made: dict[str, Any] = {"Date": {"id": "d", "type": "date", "date": {"start": f"2026-01-{number:02}"}}}
    for each in ticks:
        made |= each
    return made


def target(habit: str, share: float) -> dict[str, Any]:
    return {
        "Habit": {"id": "title", "type": "title", "title": title(habit)},
        "Period": {"id": "p", "type": "select", "select": {"id": "1", "name": "daily", "color": "red"}},
        "Target": {"id": "t", "type": "number", "number": share},
        "Active from": {"id": "f", "type": "date", "date": {"start": "2026-01-01", "end": None}},
        "Active until": {"id": "u", "type": "date", "date": None},
    }


@dataclass(frozen=True)
class Marts:
    """Every row of both marts."""

    habits: Rows
    metrics: Rows


@dataclass(frozen=True)
class Build:
    """What a build ran, by step, and the marts that it left."""

    plan: builds.Plan
    steps: dict[str, Statuses]
    marts: Marts


class SampleWarehouse(Syncs):
    """A warehouse, a Notion with two databases, and dbt."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path) -> None:
        super().__init__(client, settings, Landing(str(folder / "landing")))
        self.notion = Notion([START + timedelta(days=number) for number in range(12)])
        self.notion.sources[0]["properties"] = {"Date": {"id": "d", "name": "Date", "type": "date"}}
        self.notion.sources.append({"id": TARGETS_ID, "title": title("Habit Targets"), "properties": {}})

    def hold(self, days: dict[int, dict[str, Any]], targets: Iterable[dict[str, Any]] = ()) -> None:
        """Make these the pages of the daily habits and of the targets, and the others of neither."""
        homes = [(HABITS, each) for each in days.values()] + [(TARGETS_ID, each) for each in targets]
        for page, (home, properties) in zip_longest(
            self.notion.pages.values(), homes, fillvalue=("elsewhere", {})
        ):
            page["properties"], page["parent"] = properties, {"data_source_id": home}

    def page_of(self, number: int) -> dict[str, Any]:
        """The page of the daily habits of the `number`th of January."""
        day_on = f"2026-01-{number:02}"
        return next(
            page
            for page in self.notion.pages.values()
            if page["properties"].get("Date", {}).get("date") == {"start": day_on}
        )

    def read(self) -> None:
        for entity in (DAILY, TARGETS):
            self.synced(entity, "full", reader_over(self.notion, self.settings, entity))

    def dbt(self, command: list[str]) -> tuple[int, Statuses]:
        """Exit code of `command`, and the status of each node that it ran."""
        dbt.prepare(self.settings)
        environment = dbt.environment(self.settings) | {"REPORTING_TODAY": TODAY.isoformat()}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        path = dbt.target_folder(self.settings) / "run_results.json"
        assert path.exists(), done.stdout
        results = json.loads(path.read_text())["results"]
        return done.returncode, {result["unique_id"]: result["status"] for result in results}

    def build(self) -> Build:
        """The two steps of the DAG, planned and recorded."""
        plan = builds.plan(self.client, self.settings, "changed")
        steps = {}
        for layer in ("staging", "marts"):
            command = dbt.build_command(self.settings, plan.selection(layer), exclude=plan.excluded)
            code, steps[layer] = self.dbt(command)
            assert code == 0, dbt.failures(self.settings)
        builds.record(self.client, self.settings, plan)
        return Build(plan, steps, self.marts())

    def rows(self, sql: str) -> Rows:
        return [tuple(row.values()) for row in self.client.query_and_wait(sql)]

    def marts(self) -> Marts:
        dataset = self.settings.dataset("marts")
        return Marts(
            self.rows(f"SELECT * FROM {dataset}.habits ORDER BY habit, date"),
            self.rows(f"SELECT * FROM {dataset}.habit_metrics ORDER BY habit, month_on"),
        )

    def metrics(self) -> dict[str, tuple[Any, ...]]:
        """By habit: due, complete, rate, current and longest streak, target and whether it is met."""
        found = self.rows(
            "SELECT habit, periods_due, periods_complete, completion_rate, current_streak, longest_streak, target, "
            f"is_target_met FROM {self.settings.dataset('marts')}.habit_metrics"
        )
        return {habit: tuple(rest) for habit, *rest in found}

    def days_of(self, habit: str) -> Rows:
        """Day of the month, complete, recorded and current."""
        return self.rows(
            "SELECT EXTRACT(DAY FROM date), is_complete, is_recorded, is_current "
            f"FROM {self.settings.dataset('marts')}.habits WHERE habit = '{habit}' AND is_due ORDER BY date"
        )


def models(statuses: Statuses) -> set[str]:
    """Names of the models in `statuses`."""
    return {name.split(".")[2] for name in statuses if name.startswith("model.")}


@pytest.fixture(scope="module")
def sample_warehouse(current_warehouse: tuple[bigquery.Client, Settings]) -> SampleWarehouse:
    client, settings = current_warehouse
    return SampleWarehouse(client, settings, settings.state)


@dataclass(frozen=True)
class Story:
    """What a sample warehouse went through. Each part is of its time, so that the tests can be run in any order."""

    first: Build
    first_days: Rows
    first_metrics: dict[str, tuple[Any, ...]]
    second: Build
    days: dict[str, Rows]
    metrics: dict[str, tuple[Any, ...]]
    everything: tuple[int, Statuses]
    marts: Marts


@pytest.fixture(scope="module")
def story(sample_warehouse: SampleWarehouse) -> Story:
    # The 4th has no page, and today, the 10th, is not ticked yet.
    days = {
        number: day(number, tick("Read", number not in (3, 10))) for number in range(1, 11) if number != 4
    }
    sample_warehouse.hold(days, [target("Read", 0.7)])
    sample_warehouse.read()
    first, first_days, first_metrics = (
        sample_warehouse.build(),
        sample_warehouse.days_of("Read"),
        sample_warehouse.metrics(),
    )

    # Another habit, the first one renamed and ticked on all days, and the 8th deleted.
    for number in days:
        days[number] = day(number, tick("Books", True, property_id="read"), tick("Stretch", True))
    sample_warehouse.hold(days, [target("Read", 0.7)])
    sample_warehouse.page_of(8)["in_trash"] = True
    sample_warehouse.read()
    second = sample_warehouse.build()
    found = {habit: sample_warehouse.days_of(habit) for habit in ("Books", "Stretch")}

    # Without a selection, and so with the unit tests; of an exposure nothing is run.
    command = dbt.build_command(sample_warehouse.settings, ())
    command = command[: command.index("--exclude-resource-type")]
    everything = sample_warehouse.dbt([*command, "--exclude-resource-type", "exposure"])
    return Story(
        first,
        first_days,
        first_metrics,
        second,
        found,
        sample_warehouse.metrics(),
        everything,
        sample_warehouse.marts(),
    )


def test_everything_passes_unit_tests_included(story: Story) -> None:
    code, statuses = story.everything
    assert not {name: status for name, status in statuses.items() if status in dbt.FAILED}
    assert set(statuses.values()) <= {"success", "pass", "warn"}
    assert code == 0
    written = {
        f"unit_test.reporting.{test['model']}.{test['name']}"
        for path in dbt.PROJECT.glob("models/**/*.yml")
        for test in yaml.safe_load(path.read_text()).get("unit_tests", ())
    }
    assert {name for name in statuses if name.startswith("unit_test.")} == written
    assert written


def test_the_steps_of_a_full_build_are_all_of_it(story: Story) -> None:
    # Nothing was built before, so that what changed is not enough: the other views and the seed are missing.
    assert story.first.plan.refresh == "full"
    staging, marts = story.first.steps["staging"], story.first.steps["marts"]
    assert not staging.keys() & marts.keys()
    _, everything = story.everything
    assert staging.keys() | marts.keys() == {name for name in everything if not name.startswith("unit_test.")}
    assert models(staging) == {name for name in models(everything) if name.startswith("stg_")}
    assert "seed.reporting.habit_targets" in staging


def test_the_steps_of_a_changed_build_are_what_the_source_feeds(story: Story) -> None:
    assert (story.second.plan.refresh, story.second.plan.sources) == ("changed", ("notion.daily_habits",))
    assert {layer: models(ran) for layer, ran in story.second.steps.items()} == DOWNSTREAM_OF_DAILY
    for ran in story.second.steps.values():
        assert {name.split(".")[0] for name in ran} == {"model", "test"}


def test_the_marts_hold_what_the_pages_say(story: Story) -> None:
    whole = (True, True, False)
    assert story.first_days == [
        (1, *whole),
        (2, *whole),
        (3, False, True, False),
        (4, False, False, False),
        *((number, *whole) for number in range(5, 10)),
        (10, False, True, True),
    ]
    # Nine days are over, the 3rd and 4th were missed, and today's gap ends no streak.
    assert story.first_metrics == {"Read": (9, 7, pytest.approx(7 / 9), 5, 5, 0.7, True)}


def test_a_new_a_renamed_and_a_deleted_record_reach_the_marts(story: Story) -> None:
    gaps = {4, 8}
    expected = [(number, number not in gaps, number not in gaps, number == 10) for number in range(1, 11)]
    assert story.days == {"Books": expected, "Stretch": expected}
    # No target has the new names, and one has a name that no habit has any more.
    untargeted = (10, 8, pytest.approx(0.8), 2, 3, None, None)
    assert story.metrics == {"Books": untargeted, "Stretch": untargeted}
    assert story.second.steps["marts"]["test.reporting.assert_targets_match_a_habit"] == "warn"


def test_building_again_changes_nothing(story: Story) -> None:
    # A model whose unit test fails is skipped, and would leave the marts as they were.
    assert {story.everything[1][f"model.reporting.{name}"] for name in ("habits", "habit_metrics")} == {
        "success"
    }
    assert story.marts == story.second.marts
    assert story.marts != story.first.marts


# The battery is an example, whose table no installation has.
QUERIES = [each for each in BLOCKS if each.is_sql and "files__battery_log" not in each.text]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_query_of_the_documents_can_be_asked(
    sample_warehouse: SampleWarehouse, story: Story, query: Block
) -> None:
    settings = sample_warehouse.settings
    # The views of samples are made by another DAG; they have the columns of the raw tables.
    sql = query.text.replace("samples.", "raw.")
    for name in ("raw", "staging", "marts", "ops"):
        sql = re.sub(rf"\b{name}\.(?=\w)", f"{settings.dataset(name)}.", sql)
    assert settings.dataset("marts") != "marts"
    sample_warehouse.client.query_and_wait(sql)


def test_a_failing_test_is_named(sample_warehouse: SampleWarehouse, story: Story) -> None:
    raw = f"{sample_warehouse.settings.dataset('raw')}.notion__daily_habits"
    # A page twice, which the loader never makes.
    sample_warehouse.client.query_and_wait(
        f"INSERT INTO {raw} (id, _extracted_at) SELECT id, _extracted_at FROM {raw} LIMIT 1"
    )
    selection = ["stg_notion__daily_habits,tag:staging"]
    try:
        code, statuses = sample_warehouse.dbt(dbt.build_command(sample_warehouse.settings, selection))
        said = dbt.failures(sample_warehouse.settings)
    finally:
        sample_warehouse.client.query_and_wait(f"DELETE FROM {raw} WHERE _run_id IS NULL")
    assert code == 1
    failed = [name.split(".")[2] for name, status in statuses.items() if status == "fail"]
    assert "stg_notion__daily_habits_is_valid" in failed
    assert any(line.startswith("test stg_notion__daily_habits_is_valid: ") for line in said)


def test_a_source_that_is_not_read_any_more_is_named(sample_warehouse: SampleWarehouse, story: Story) -> None:
    ops = sample_warehouse.settings.dataset("ops")
    sample_warehouse.client.query_and_wait(
        f"UPDATE {ops}.sync_runs SET committed_at = TIMESTAMP_SUB(committed_at, INTERVAL 5 DAY) "
        "WHERE entity = 'daily_habits'"
    )
    # A replay asks the source nothing, so it makes nothing fresher.
    sample_warehouse.client.query_and_wait(
        f"INSERT INTO {ops}.sync_runs (run_id, source, entity, refresh, committed_at, cursor_at, is_complete) "
        "VALUES ('again', 'notion', 'daily_habits', 'replay', CURRENT_TIMESTAMP(), CURRENT_TIMESTAMP(), TRUE)"
    )
    dbt.prepare(sample_warehouse.settings)
    command = dbt.freshness_command(
        sample_warehouse.settings, ["notion.daily_habits", "notion.habit_targets"]
    )
    environment = dbt.environment(sample_warehouse.settings)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 1, done.stdout
    # The targets were read in time, and so are not named.
    (line,) = dbt.stale(sample_warehouse.settings)
    assert line.startswith("source notion.daily_habits: last complete run 20")
