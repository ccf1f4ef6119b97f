"""The fake API against real answers, where they are beside the checkout."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reporting.settings import ROOT
from reporting.sources.http import Policy
from reporting.sources.notion.reader import NotionSource
from tests.sandbox.notion.conftest import StandIn

RECORDED = ROOT.parent / "shared" / "recorded" / "notion"
KINDS = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded answers are not beside this checkout"
)


def paths(value: Any, path: str = "") -> set[tuple[str, str]]:
    """Every key path with the kind of its value; a property stands under its type and not its name."""
    found = {(path, KINDS[type(value)])}
    if isinstance(value, dict):
        for key, each in value.items():
            name = f"<{each['type']}>" if path.endswith(".properties") else key
            found |= paths(each, f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            found |= paths(each, f"{path}[]")
    return found


def test_every_key_path_and_value_type_of_real_answers_occurs(notion: StandIn) -> None:
    real: set[tuple[str, str]] = set()
    for file in RECORDED.glob("*.json"):
        answer = json.loads(file.read_text())
        for version, part in (("data_source", answer["data_source"]), ("page", answer["pages"])):
            for each in part if isinstance(part, list) else [part]:
                real |= paths(each, version)
    ours: set[tuple[str, str]] = set()
    for client in (notion.client_of("2025-09-03"), notion.client_of("2026-03-11")):
        for source in client.search(filter={"property": "object", "value": "data_source"})["results"]:
            ours |= paths(client.data_sources.retrieve(source["id"]), "data_source")
            for page in notion.rows(source["title"][0]["plain_text"]):
                ours |= paths(page, "page")
    assert sorted(real - ours) == []


def test_recorded_answers_are_served(start: Callable[..., StandIn], tmp_path: Path) -> None:
    start_with = start(tmp_path, "--recorded", str(RECORDED))
    source = NotionSource(
        "ntn_test", start_with.address, Policy(requests_per_second=10_000, clock_tolerance=None)
    )
    for file in RECORDED.glob("*.json"):
        answer = json.loads(file.read_text())
        found = source.find(answer["data_source"]["id"])
        records = [record for page in source.read(found) for record in page.records]
        expected = {page["id"]: page["properties"] for page in answer["pages"] if not page.get("in_trash")}
        assert {record.payload["id"]: record.payload["properties"] for record in records} == expected
    source.close()
