"""Properties are renamed, added, removed and retyped as Notion does it; a wrong change leaves all as it was."""

from typing import Any
from urllib.parse import unquote

import pytest

from tests.sandbox.notion.conftest import StandIn

DAILY = "Daily Disciplines"


def change(own: StandIn, name: str, properties: Any) -> Any:
    return own.http.patch(f"/v1/data_sources/{own.source_id(name)}", json={"properties": properties})


@pytest.mark.parametrize(
    "properties",
    [
        {"New": {"name": "New"}},
        {"New": {"banana": {}}},
        {"New": {"number": {}, "checkbox": {}}},
        {"New": {"title": {}}},
        {"New": {"number": 5}},
        {"New": {"select": {"options": [{}]}}},
        {"New": None},
        ["New"],
        {"New": 5},
        {"Water": {"banana": {}}},
        {"Water": {"title": {}}},
        {"Water": {"name": "Steps"}},
        {"Water": {"name": ""}},
        {"Name": {"number": {}}},
        {"Name": None},
        {"Steps": None, "Nothing": None},
    ],
    ids=str,
)
def test_a_wrong_change_is_refused_and_changes_nothing(own: StandIn, properties: Any) -> None:
    before = own.schema(DAILY)
    answer = change(own, DAILY, properties)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert own.schema(DAILY) == before
    assert own.query(DAILY).status_code == 200


def test_a_property_is_renamed_by_its_id_and_stays_in_its_place(own: StandIn) -> None:
    before = own.schema("Monthly Disciplines")
    key = before["Backup"]["id"]
    after = change(own, "Monthly Disciplines", {unquote(key): {"name": "Saved"}}).json()["properties"]
    assert after["Saved"] == {**before["Backup"], "name": "Saved"}
    assert list(after) == ["Saved" if name == "Backup" else name for name in before]


def test_a_property_added_anew_is_another_one(own: StandIn) -> None:
    before = own.schema("Weekly Disciplines")["Runs"]
    change(own, "Weekly Disciplines", {"Runs": None})
    after = change(own, "Weekly Disciplines", {"Runs": {"type": "number", "number": {}}}).json()[
        "properties"
    ]["Runs"]
    assert after["id"] != before["id"]
    assert after["number"] == {"format": "number"}
    assert {row["properties"]["Runs"]["number"] for row in own.truth("Weekly Disciplines")} == {None}


def test_options_keep_their_ids_and_new_ones_get_theirs(own: StandIn) -> None:
    before = own.schema(DAILY)["Mood"]["select"]["options"]
    wanted = [{"name": "proud", "color": "red"}, {"id": before[1]["id"]}, {"name": before[0]["name"]}]
    after = change(own, DAILY, {"Mood": {"select": {"options": wanted}}}).json()["properties"]["Mood"]
    options = after["select"]["options"]
    assert options[1:] == [before[1], before[0]]
    assert (options[0]["name"], options[0]["color"]) == ("proud", "red")
    assert options[0]["id"]
    row = own.truth(DAILY)[0]
    page = own.client.pages.update(row["id"], properties={"Mood": {"select": {"name": "proud"}}})
    chosen = page["properties"]["Mood"]["select"]
    assert chosen == {key: options[0][key] for key in ("id", "name", "color")}


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("Tags", "rich_text", {"red, blue", ""}),
        ("Status", "rich_text", {"Not started", "In progress", "Done", ""}),
        ("Select", "multi_select", {("one",), ("two",), ()}),
        ("Tick", "rich_text", {"Yes", "No"}),
        ("Link", "number", {None}),
        ("Mail", "url", {"row@example.com", None}),
    ],
)
def test_a_retyped_property_is_read_from_its_text(own: StandIn, name: str, kind: str, expected: set) -> None:
    before = own.schema("Everything")[name]
    after = change(own, "Everything", {name: {kind: {}}}).json()["properties"][name]
    assert (after["id"], after["type"]) == (before["id"], kind)
    found: set[Any] = set()
    for row in own.rows("Everything"):
        value = row["properties"][name][kind]
        if kind == "rich_text":
            found.add("".join(part["plain_text"] for part in value))
        elif kind == "multi_select":
            found.add(tuple(each["name"] for each in value))
        else:
            found.add(value)
    assert found == expected
    # And back: what it held is still there.
    change(own, "Everything", {name: {before["type"]: before[before["type"]]}})
    assert own.schema("Everything")[name]["type"] == before["type"]
    assert any(row["properties"][name][before["type"]] for row in own.truth("Everything"))
