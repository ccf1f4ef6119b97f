"""A type of HubSpot's objects that an owner adds: what is written for it works as it is, in a copy of the project."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reporting.cli.command import call
from reporting.deploy import configuration
from reporting.deploy.errors import CommandError
from reporting.local.bigquery import LocalBigQuery
from tests.reporting.cli.test_new_entity import copy
from tests.support.hubspot_portal import SMALL, Portal, portal

__all__ = ["copy"]
# What a sync does, in the copy: revisions, read, load, dbt; and the associations and pipelines of the type.
SYNC = """
import json, os, subprocess
from reporting.transform import dbt
from reporting.sources.registry import BROKEN, entity_named, open_reader
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing
from reporting.ingest.load import load
from reporting.settings import read_settings
from reporting.warehouse import schema
from reporting.warehouse.client import connect

assert not BROKEN
settings = read_settings()
client = connect(settings)
schema.upgrade(client)
landing = Landing(settings.landing_uri)
counts = {}
for name in ("projects", "associations", "pipelines", "property_history"):
    entity = entity_named(f"hubspot__{name}")
    reader = open_reader(settings, entity, "a-key", os.environ["CRM"])
    folder = extract(client, settings, entity, "full", reader, landing)
    counts[name] = load(client, settings, entity, landing, folder).inserted
done = subprocess.run(
    dbt.build_command(settings, ["source:hubspot.projects+,tag:staging"]),
    env=dbt.environment(settings), capture_output=True, text=True, check=False,
)
assert done.returncode == 0, done.stdout
raw = settings.dataset("raw")
print(json.dumps({
    "counts": counts,
    "rows": [dict(row) for row in client.query_and_wait(f"SELECT * FROM {settings.dataset('staging')}.stg_hubspot__projects")],
    "links": [row[0] for row in client.query_and_wait(f"SELECT to_type FROM {raw}.hubspot__associations WHERE from_type = 'projects'")],
    "pipelines": [row[0] for row in client.query_and_wait(f"SELECT id FROM {raw}.hubspot__pipelines ORDER BY id")],
    "history": [row[0] for row in client.query_and_wait(
        f"SELECT DISTINCT property FROM {raw}.hubspot__property_history WHERE object_type = 'projects' ORDER BY 1")],
}, default=str))
"""


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[Portal]:
    with portal(tmp_path / "crm", *SMALL) as running:
        yield running


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, crm: Portal, copy: Path) -> Callable[..., int]:
    monkeypatch.setenv("REPORTING_CONFIG", str(tmp_path / "nowhere"))
    monkeypatch.setenv("AIRFLOW_CONN_HUBSPOT", configuration.token_connection("a-key", crm.address))

    def ran(*arguments: str) -> int:
        return call("new-source", ["hubspot", *arguments, "--root", str(copy)])

    return ran


def test_a_custom_object_is_read_with_what_is_written_for_it(
    command: Callable[..., int], copy: Path, crm: Portal, bigquery_endpoint: LocalBigQuery, tmp_path: Path
) -> None:
    crm.define("2-4711", "Odd-Name")
    assert command("2-4711") == 0
    package = (copy / "plugins/reporting/sources/own/hubspot_projects/__init__.py").read_text()
    assert '"budget": Property("number", "Budget, as HubSpot gives it."),' in package
    assert "hs_object_id" not in package
    assert "Odd-Name" not in package
    environment = os.environ | {
        **bigquery_endpoint.variables,
        "REPORTING_DATASET_PREFIX": "projects_",
        "REPORTING_STATE": str(tmp_path / "state"),
        "CRM": crm.address,
        "PYTHONPATH": str(copy / "plugins"),
    }
    done = subprocess.run(
        [sys.executable, "-c", SYNC],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    truth = crm.truth("2-4711")
    assert {
        row["record_id"]: (row["name"], float(row["budget"]), row["starts_on"]) for row in found["rows"]
    } == {
        key: (
            each["properties"]["name"],
            float(each["properties"]["budget"]),
            each["properties"]["starts_on"],
        )
        for key, each in truth.items()
    }
    assert all(row["uncastable_columns"] == [] for row in found["rows"])
    assert found["links"] == ["companies"] * len(truth)
    assert "projects:work" in found["pipelines"]
    assert found["history"] == ["hs_pipeline", "hs_pipeline_stage", "hubspot_owner_id"]

    # Again, it changes nothing.
    before = {path: path.read_bytes() for path in copy.rglob("*projects*") if path.is_file()}
    assert command("projects") == 0
    assert {path: path.read_bytes() for path in copy.rglob("*projects*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), r"it takes hubspot TYPE, such as hubspot 2-123456"),
        (("2-1; DROP",), r"'2-1; DROP' is no type of HubSpot's"),
        (("2-99",), r"HubSpot does not know the properties of 2-99 \(404\)\. Nothing was written\."),
        (
            ("2-4711", "budgett"),
            r"projects has no property 'budgett'\. Did you mean budget\? Nothing was written\.",
        ),
        (("2-4711", "created_at"), r"projects has no property 'created_at'"),
        (("deals",), r"hubspot__deals is there already"),
        (("deals", "--as", "sales"), r"that type is hubspot__deals already"),
        (("2-4711", "--as", "Two Words"), r"'Two Words' is no name for an entity"),
    ],
)
def test_what_cannot_be_added_is_said_and_nothing_is_written(
    command: Callable[..., int], copy: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = sum(1 for _ in copy.rglob("*"))
    with pytest.raises(CommandError, match=words):
        command(*arguments)
    assert sum(1 for _ in copy.rglob("*")) == before


def test_a_type_of_hubspots_own_gets_the_properties_that_are_named(
    command: Callable[..., int], copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the project did not have them.
    monkeypatch.setattr("reporting.cli.new_object._check_free", lambda *_: None)
    assert command("line_items", "quantity", "name", "--as", "lines") == 0
    package = (copy / "plugins/reporting/sources/own/hubspot_lines/__init__.py").read_text()
    assert package.index('"quantity"') < package.index('"name": Property')
    assert '    object_type="line_items",\n' in package
    assert "price" not in package
    model = (copy / "dbt/models/staging/own/stg_hubspot__lines.sql").read_text()
    assert "{{ hubspot_value('quantity', 'numeric') }} as quantity," in model
