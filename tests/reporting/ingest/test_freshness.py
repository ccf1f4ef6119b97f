"""There is one definition of a complete run and of its limits, which Python and dbt share."""

import re
from datetime import timedelta

import pytest
import yaml

from reporting.entity import Entity
from reporting.ingest.freshness import COMPLETE_RUN, LATE_AFTER, LATE_AFTER_FULL, STALE_AFTER, status
from reporting.settings import ROOT
from reporting.sources.registry import ENTITIES

MACROS = ROOT / "dbt/macros/freshness.sql"
PROJECT = yaml.safe_load((ROOT / "dbt/dbt_project.yml").read_text())


def test_a_complete_run_is_the_same_in_dbt() -> None:
    found = re.search(r"{% macro is_complete_run\(\) -%}(.*?){%- endmacro %}", MACROS.read_text(), re.DOTALL)
    assert found
    assert found[1].strip() == COMPLETE_RUN.lower()


def test_nothing_else_defines_it() -> None:
    defined = {
        path.relative_to(ROOT).as_posix()
        for folder in ("dbt", "plugins")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sql", ".yml") and "cursor_at is not null" in path.read_text().lower()
    }
    assert defined == {"dbt/macros/freshness.sql", "plugins/reporting/ingest/freshness.py"}


def test_the_limits_are_those_of_dbt() -> None:
    days = {name: timedelta(days=count) for name, count in PROJECT["vars"].items()}
    assert days == {"late_after_days": LATE_AFTER, "stale_after_days": STALE_AFTER}
    limit = PROJECT["sources"]["reporting"]["+freshness"]
    assert limit == {"error_after": {"count": STALE_AFTER.days, "period": "day"}}


def test_every_source_is_asked_by_the_one_query_and_has_no_limit_of_its_own() -> None:
    sources = [
        source
        for path in (ROOT / "dbt/models").rglob("_*__sources.yml")
        for source in yaml.safe_load(path.read_text())["sources"]
        if source["name"] != "ops"
    ]
    assert {(source["name"], table["name"]) for source in sources for table in source["tables"]} == {
        (entity.source, entity.name) for entity in ENTITIES
    }
    for source in sources:
        assert source["config"] == {"loaded_at_query": "{{ last_complete_run(source_node) }}"}
        assert not any("config" in table or "freshness" in table for table in source["tables"])


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.table)
def test_what_an_age_means(entity: Entity) -> None:
    late = LATE_AFTER if entity.has_changed else LATE_AFTER_FULL
    moment = timedelta(seconds=1)
    ages = (None, timedelta(), late, late + moment, STALE_AFTER, STALE_AFTER + moment)
    expected = ["never read", "fresh", "fresh", "late", "late", "stale"]
    assert [status(entity, age) for age in ages] == expected
