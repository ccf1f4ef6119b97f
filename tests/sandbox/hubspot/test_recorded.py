"""The fake API against real answers, where they are beside the checkout."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from reporting.settings import ROOT
from sandbox.serving import fake_api

RECORDED = ROOT.parent / "shared" / "recorded" / "hubspot"
KINDS = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", type(None): "null"}

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded answers are not beside this checkout"
)


def paths(value: Any, path: str = "") -> set[tuple[str, str]]:
    """Every key path with the kind of its value; the portal's own property names are left out."""
    found = {(path, KINDS[type(value)])}
    if isinstance(value, dict):
        for key, each in value.items():
            found |= paths(each, f"{path}.{'<property>' if path.endswith('.properties') else key}")
    elif isinstance(value, list):
        for each in value:
            found |= paths(each, f"{path}[]")
    return found


@pytest.mark.parametrize("kind", ["contacts", "companies", "deals"])
def test_every_key_path_and_value_type_of_real_lists_occurs(kind: str, tmp_path: Path) -> None:
    real = {
        each
        for each in paths(json.loads((RECORDED / f"{kind}.json").read_text()))
        if each[0].startswith(".results")
    }
    with fake_api("hubspot", tmp_path) as served:
        answer = httpx.get(
            f"{served.address}/crm/v3/objects/{kind}",
            params={"limit": 100, "properties": "email,phone,name,industry,amount,closedate"},
            headers={"Authorization": "Bearer pat-test"},
        )
    assert sorted(real - paths(answer.json())) == []
