"""What GitHub runs: every action pinned by its commit, every job with an end, and no write access by default."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from reporting.settings import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_there_are_these() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "deploy", "round"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_pinned_and_bounded(path: Path) -> None:
    text = path.read_text()
    uses = re.findall(r"uses: (.+)", text)
    assert uses
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in uses)
    content = yaml.safe_load(text)
    assert content["permissions"] == {"contents": "read"}
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            # An expression in a command's text would let its value be code.
            assert "${{" not in step.get("run", "")
            for script in re.findall(r"script/[a-z-]+", step.get("run", "")):
                assert os.access(ROOT / script, os.X_OK), script


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed; GitHub's machines have it")
def test_a_round_gets_the_variables_of_the_repository(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / ".github" / "workflows" / "round.yml").read_text())
    (step,) = (each for each in content["jobs"]["round"]["steps"] if "VARIABLES" in each.get("env", {}))
    variables = {
        "REPORTING_TIMEZONE": "Europe/Berlin",
        "REPORTING_NAME_NOTION__DAILY_HABITS": 'My $(habits); `x` "day"',
        "AZURE_APP": "reporting",
    }
    stub = tmp_path / "script" / "round"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\nenv -0 >given\n")
    stub.chmod(0o755)
    # As GitHub runs a step.
    subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "VARIABLES": json.dumps(variables)},
        check=True,
        timeout=30,
    )
    given = dict(each.split("=", 1) for each in (tmp_path / "given").read_text().split("\0") if each)
    reporting = {name: value for name, value in variables.items() if name.startswith("REPORTING_")}
    assert {name: value for name, value in given.items() if name in variables} == reporting


def test_the_development_container_sets_itself_up() -> None:
    content = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert content["postCreateCommand"] == "script/bootstrap"
    assert (ROOT / ".python-version").read_text().strip() in content["image"]
