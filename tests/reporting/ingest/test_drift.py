"""What changes in a source's own schema is recorded once, in whatever order runs are loaded."""

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest

from reporting.ingest import drift, states
from tests.support.habit_syncs import DAILY, DATE, Syncs


def changes(habits: Syncs) -> list[tuple[Any, ...]]:
    rows = sorted(
        habits.rows("schema_changes", "ops"), key=lambda row: (row["first_seen_at"], row["property_id"])
    )
    names = ("property_id", "change", "name_before", "name_after", "type_before", "type_after")
    return [tuple(row[name] for name in names) for row in rows]


FIRST = ("d", "first", None, "Date", None, "date")


def test_each_change_is_recorded_once(habits: Syncs, caplog: pytest.LogCaptureFixture) -> None:
    habits.properties["Read"] = {"id": "r", "name": "Read", "type": "checkbox"}
    habits.run("full")
    read = ("r", "first", None, "Read", None, "checkbox")
    assert changes(habits) == [FIRST, read]
    assert "is first" not in caplog.text

    del habits.properties["Read"]
    habits.properties["Reading"] = {"id": "r", "name": "Reading", "type": "checkbox"}
    habits.properties["Run"] = {"id": "x", "name": "Run", "type": "number"}
    habits.run("changed")
    new = [
        ("r", "renamed", "Read", "Reading", "checkbox", "checkbox"),
        ("x", "new", None, "Run", None, "number"),
    ]
    assert changes(habits) == [FIRST, read, *new]
    assert "notion.daily_habits: the property 'Read -> Reading' (checkbox) is renamed." in caplog.text
    run_id, started_at = habits.manifest.run_id, habits.manifest.started_at
    rows = [row for row in habits.rows("schema_changes", "ops") if row["change"] != "first"]
    assert {(row["run_id"], row["first_seen_at"]) for row in rows} == {(run_id, started_at)}

    habits.properties["Reading"] = {"id": "r", "name": "Reading", "type": "select"}
    habits.properties["Running"] = {**habits.properties.pop("Run"), "type": "formula"}
    habits.run("changed")
    del habits.properties["Reading"]
    habits.run("full")
    habits.properties["Read"] = {"id": "r", "name": "Read", "type": "checkbox"}
    habits.run("full")
    assert changes(habits)[4:] == [
        ("r", "retyped", "Reading", "Reading", "checkbox", "select"),
        ("x", "renamed and retyped", "Run", "Running", "number", "formula"),
        ("r", "gone", "Reading", None, "select", None),
        ("r", "new", None, "Read", None, "checkbox"),
    ]


def test_nothing_new_costs_no_query(habits: Syncs, monkeypatch: pytest.MonkeyPatch) -> None:
    habits.run("full")
    monkeypatch.setattr(drift, "record", lambda *_: pytest.fail("the table was looked into"))
    assert habits.run("changed").read == 0
    habits.edit("p00001")
    assert habits.run("changed").updated == 1
    assert not habits.manifest.has_new_schema


def test_a_repeated_load_records_nothing_twice(habits: Syncs) -> None:
    habits.run("full")
    habits.properties["Run"] = {"id": "x", "name": "Run", "type": "number"}
    folder = habits.extract("full")
    habits.load(folder)
    habits.load(folder)
    habits.load(folder, is_replay=True)
    assert len(changes(habits)) == 2


def test_two_loads_at_once_record_a_change_once(habits: Syncs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both see the table as it was before either."""
    habits.run("full")
    known = drift._known(habits.client, habits.settings, habits.manifest)
    habits.properties["Run"] = {"id": "x", "name": "Run", "type": "number"}
    folders = [habits.extract("full"), habits.extract("changed")]
    monkeypatch.setattr(drift, "_known", lambda *_: known)
    for folder in folders:
        habits.load(folder)
    assert changes(habits) == [FIRST, ("x", "new", None, "Run", None, "number")]


def test_a_late_load_takes_nothing_back(habits: Syncs) -> None:
    habits.run("full")
    habits.properties["Run"] = {"id": "x", "name": "Run", "type": "number"}
    late = habits.extract("full")
    habits.properties["Walk"] = {"id": "w", "name": "Walk", "type": "number"}
    habits.run("full")
    habits.load(late)
    habits.run("full")
    assert [each[:2] for each in changes(habits)] == [("d", "first"), ("w", "new"), ("x", "new")]


def test_a_failure_breaks_no_run_and_is_made_good(
    habits: Syncs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object) -> None:
        raise BadRequest("no such table")

    with monkeypatch.context() as patch:
        patch.setattr(drift, "_append", refused)
        assert habits.run("full").inserted == 12
    assert "could not be recorded" in caplog.text
    assert changes(habits) == []
    assert states.read(habits.client, habits.settings, DAILY).schema_digest is None
    habits.run("changed")
    assert changes(habits) == [FIRST]
    assert states.read(habits.client, habits.settings, DAILY).schema_digest is not None


def test_a_shape_that_is_the_apis_own_cannot_drift() -> None:
    assert drift.digest("hubspot", {}) is None
    assert drift.digest("hubspot", {"pairs": ["contacts-deals"]}) is None
    assert drift.digest("google", {"properties": {"a": "b"}}) is None
    assert drift.properties_of("hubspot", {"properties": {"city": "string"}}) == {"city": ("city", "string")}
    one, other = ({"properties": {"Date": DATE, "A": {"id": "a", "type": each}}} for each in ("url", "date"))
    assert drift.digest("notion", one) != drift.digest("notion", other)
    again = {"properties": dict(reversed(one["properties"].items()))}
    assert drift.digest("notion", again) == drift.digest("notion", one)


def test_half_an_emoji_in_a_name_is_recorded_as_the_warehouse_keeps_it() -> None:
    def described(name: str) -> dict[str, Any]:
        return {"properties": {name: {"id": "r", "name": name, "type": "checkbox"}}}

    found = drift.properties_of("notion", described("Half \ud83c"))
    assert found
    assert found == drift.properties_of("notion", described("Half \ufffd"))
