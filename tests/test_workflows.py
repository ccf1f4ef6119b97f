"""What GitHub runs: every action pinned by its commit, every job with an end, and no write access by default."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from reporting.cli.sync import hide_from_github
from reporting.redaction import SECRET_NAME
from reporting.settings import PREFIX, ROOT, VARIABLES
from reporting.settings.model import PARTS
from reporting.sources.registry import ENTITIES, SOURCES

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_there_are_these() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "deploy", "docs", "round"]


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
def test_a_sync_gets_the_variables_of_the_repository(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / ".github" / "workflows" / "round.yml").read_text())
    (step,) = (each for each in content["jobs"]["round"]["steps"] if "VARIABLES" in each.get("env", {}))
    secrets = {
        "AIRFLOW_CONN_NOTION": '{"password": "ntn_x"}',
        "AIRFLOW_CONN_SQL": "",
        "REPORTING_SMTP_URL": "",
    }
    variables = {
        "REPORTING_TIMEZONE": "Europe/Berlin",
        "REPORTING_NAME_NOTION__DAILY_HABITS": 'My $(habits); `x` "day"',
        "AZURE_APP": "reporting",
    }
    stub = tmp_path / "script" / "sync"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\nenv -0 >given\n")
    stub.chmod(0o755)
    # As GitHub runs a step.
    subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "VARIABLES": json.dumps(variables), **secrets},
        check=True,
        timeout=600,
    )
    given = dict(each.split("=", 1) for each in (tmp_path / "given").read_text().split("\0") if each)
    reporting = {name: value for name, value in variables.items() if name.startswith("REPORTING_")}
    assert {name: value for name, value in given.items() if name in variables} == reporting
    # One that is not set is not there.
    assert {name: value for name, value in given.items() if name in secrets} == {
        "AIRFLOW_CONN_NOTION": secrets["AIRFLOW_CONN_NOTION"]
    }


def test_documents_are_published_by_the_original_alone_and_only_when_it_says_so() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "docs.yml").read_text())["jobs"]
    assert jobs["build"]["if"] == "vars.PUBLISH_DOCS == 'true' && !github.event.repository.fork"
    assert "script/docs --publish" in [step.get("run") for step in jobs["build"]["steps"]]
    # What publishes runs nothing else, and waits for what was refused or not.
    assert (jobs["publish"]["needs"], len(jobs["publish"]["steps"])) == ("build", 1)


SECRETS = {
    name
    for part in PARTS
    for field in part.model_fields.values()
    if str(name := field.alias).startswith(PREFIX) and "SecretStr" in str(field.annotation)
}

# Of the sources that send events, those that do not send the key of their signatures themselves.
WITH_WEBHOOK_SECRET = [
    each for each in SOURCES.values() if each.events and not hasattr(each.events, "handshake_in")
]


def test_these_are_all_the_settings_that_are_secret() -> None:
    """By the rule that hides them in logs."""
    assert {name for name in VARIABLES if name.startswith(PREFIX) and SECRET_NAME.search(name)} == SECRETS


def test_no_secret_of_a_sync_is_a_variable_that_the_runner_prints() -> None:
    content = yaml.safe_load((ROOT / ".github" / "workflows" / "round.yml").read_text())
    steps = content["jobs"]["round"]["steps"]
    # Nothing has been given to any step before it is refused.
    refused = set(re.findall(r"vars\.(REPORTING_[A-Z_]+) != ''", steps[0]["if"]))
    secrets = {name.replace("*", source.name.upper()) for name in SECRETS for source in WITH_WEBHOOK_SECRET}
    assert refused == secrets
    assert "env" not in steps[0]
    assert all(name in steps[0]["run"] for name in secrets)
    given = {name: value for step in steps for name, value in step.get("env", {}).items()}
    for name, value in given.items():
        wanted = r"toJSON\(vars\)" if name == "VARIABLES" else r"secrets\.[A-Z_]+"
        assert re.fullmatch(rf"\$\{{\{{ {wanted} \}}\}}", value), name
    assert {"REPORTING_ALERT_WEBHOOK", "REPORTING_SMTP_URL", "AIRFLOW_CONN_SMTP"} <= set(given)
    assert {f"AIRFLOW_CONN_{entity.connection.upper()}" for entity in ENTITIES} <= set(given)


def test_a_secret_that_does_not_come_ends_the_job(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / ".github" / "workflows" / "round.yml").read_text())
    done = subprocess.run(
        ["bash", "-e", "-c", content["jobs"]["round"]["steps"][0]["run"]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("::error::A secret is a variable")
    assert len(done.stdout.splitlines()) == 1


def test_what_is_secret_within_a_secret_is_hidden_from_githubs_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    connection = json.dumps({"conn_type": "http", "password": "ntn_100%_own"})
    key = json.dumps({"extra": {"keyfile_dict": {"private_key": "-----BEGIN\nabcdefgh"}}})
    environment = {
        "GITHUB_ACTIONS": "true",
        "AIRFLOW_CONN_NOTION": connection,
        "AIRFLOW_CONN_BIGQUERY": key,
        "REPORTING_SMTP_URL": "smtps://user:pass%20word@mail.example",
        "REPORTING_TIMEZONE": "Europe/Berlin",
    }
    hide_from_github(environment)
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("::add-mask::") for line in lines)
    hidden = {line.removeprefix("::add-mask::") for line in lines}
    assert {"ntn_100%25_own", "-----BEGIN%0Aabcdefgh", "pass%2520word", "pass word"} <= hidden
    assert "Europe/Berlin" not in hidden
    hide_from_github(environment | {"GITHUB_ACTIONS": ""})
    assert capsys.readouterr().out == ""


def test_the_development_container_sets_itself_up() -> None:
    content = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert content["postCreateCommand"] == "script/setup"
    assert (ROOT / ".python-version").read_text().strip() in content["image"]


def run_await_health(tmp_path: Path, digest: str) -> subprocess.CompletedProcess[str]:
    """What the step of the deployment says, when the instance answers with the package `digest`."""
    content = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    steps = {step.get("name"): step for step in content["jobs"]["deploy"]["steps"]}
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in {
        "az": "echo reporting.example",
        "unzip": "echo abc",
        "curl": f"printf 'HTTP/2 200\\r\\nX-Reporting-Package: {digest}\\r\\n'",
        "sleep": "exit 0",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path),
        "GROUP": "g",
        "APP": "a",
        "LONGEST": "1",
    }
    for name in ("Say how health is waited for", "Wait for health"):
        done = subprocess.run(
            ["bash", "-e", "-c", steps[name]["run"]],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    return done


def test_a_deployment_waits_for_its_own_package(tmp_path: Path) -> None:
    assert run_await_health(tmp_path, "abc").returncode == 0


def test_a_deployment_that_does_not_become_healthy_goes_back_and_waits_again(tmp_path: Path) -> None:
    done = run_await_health(tmp_path, "another")
    assert done.returncode == 1
    assert "has not answered 200 with package.zip for half an hour" in done.stdout
    content = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    back = content["jobs"]["deploy"]["steps"][-1]
    assert back["if"] == "failure() && steps.health.conclusion == 'failure'"
    lines = back["run"].strip().splitlines()
    assert lines[-2].startswith('bash "$RUNNER_TEMP/await-health" last-good.zip')


def test_no_document_puts_a_secret_on_a_command_line() -> None:
    """Every process of a machine can read the command lines of the others, and a shell keeps them in its history."""
    option = re.compile(
        r"--(?:admin-|client-)?(?:password|token|secret)[ =](?!@)\S|gh secret set .*--body|"
        # A line that begins with the name is one of a file.
        r"^ {4}(?![A-Z_]+=).*\b(?:[A-Z_]*(?:PASSWORD|SECRET|TOKEN|_KEY)|AIRFLOW_CONN_[A-Z]+|REPORTING_[A-Z]+_URL)=(?!@)\S"
    )
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in [ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/**/*.md")]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if option.search(line) and not line.lstrip().startswith("export ")
    ]
    assert found == []
