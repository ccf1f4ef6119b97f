"""An installation that f25aa81 (2026-11-21) has filled, taken to this version: nothing of it changes, and it goes on.

`tests/installations/f25aa81.tar.xz` holds its state folder, its backup, and `owner.patch`, the owner's own files: an entity with its
revision and staging model. Its sources were the project's own samples. In it are a landing with a checkpoint of a read that was
cut off, an open incident, a DAG that is paused until a day, and a person who was erased.
"""

import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reporting.local.serving import free_port
from reporting.scaffold import revisions
from reporting.settings import ROOT
from sandbox.serving import fake_api
from tests.support.clones import copy_to

ARCHIVE = ROOT / "tests" / "installations" / "f25aa81.tar.xz"
COMMIT = "f25aa81"
DAGS = """
import json
from airflow.dag_processing.dagbag import DagBag
from airflow.models import Variable
bag = DagBag("dags")
paused = Variable.get("reporting_paused_until__raw_notion__weekly_habits__full", default_var=None)
print(json.dumps({"dags": sorted(bag.dags), "errors": bag.import_errors, "paused": paused}))
"""
READ = """
import hashlib, json, sys
from pathlib import Path
from reporting.deploy import configuration, installation
from rich.console import Console
variables = configuration.read_owner_file(configuration.owner_file())
is_written = sys.argv[2] == "upgrade"
with installation.warehouse_running(Path(sys.argv[1]), variables, Console(stderr=True), bigquery_port=int(sys.argv[3]), is_written=is_written) as found:
    tables = {}
    for dataset in ("raw", "ops", "snapshots"):
        for table in found.client.list_tables(f"local.{dataset}"):
            if table.table_type != "TABLE" or table.table_id.startswith("stage__"):
                continue
            name = f"{dataset}.{table.table_id}"
            columns = json.loads(sys.argv[4]).get(name) or [field.name for field in found.client.get_table(f"local.{name}").schema]
            fields = ", ".join(f"TO_JSON_STRING({column})" for column in columns)
            rows = sorted(repr(tuple(row.values())) for row in found.client.query_and_wait(f"SELECT {fields} FROM {name}"))
            tables[name] = [columns, len(rows), hashlib.sha256("\\n".join(rows).encode()).hexdigest()]
    print(json.dumps(tables))
"""
SYNC = """
import json, sys
from pathlib import Path
from reporting.deploy import configuration, installation
from reporting.ingest import suppression
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing
from reporting.ingest.load import load
from reporting.monitoring.record import Record
from reporting.sources.registry import entity_named, open_reader
from rich.console import Console
state = Path(sys.argv[1])
hosts = {"notion": ("ntn_recorded_sample", sys.argv[3]), "hubspot": ("pat-recorded-sample", sys.argv[4])}
said = {}
with installation.warehouse_running(state, {}, Console(stderr=True), bigquery_port=int(sys.argv[2]), is_written=False) as found:
    client, settings = found.client, found.settings
    landing = Landing.of(settings)
    for name in ("notion.daily_habits", "notion.journal", "hubspot.contacts"):
        entity = entity_named(name)
        for number in range(2):
            token, host = hosts[entity.source]
            reader = open_reader(settings, entity, token, host)
            try:
                folder = extract(client, settings, entity, "full", reader, landing)
                counts = load(client, settings, entity, landing, folder)
            finally:
                reader.close()
            said[f"{name} {number}"] = [counts.read, counts.inserted, counts.updated, counts.tombstoned, landing.manifest(folder).is_unchanged]
    said["incidents"] = [each.problem_key for each in Record(client, settings).unfinished() if each.is_open]
    said["contacts"] = sorted(row["id"] for row in client.query_and_wait("SELECT id FROM raw.hubspot__contacts"))
    said["checkpoints"] = [str(path) for path in (state / "landing").rglob("checkpoint-*")]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This version with the owner's own files, and what the installation has kept."""
    folder = copy_to(tmp_path_factory.mktemp("installation") / "clone")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder.parent, filter="data")
    subprocess.run(["git", "apply", folder.parent / "owner.patch"], cwd=folder, check=True)
    # As docs/guides/upgrade.md says: the project has made revisions since then, and so has the owner.
    path, text = revisions.join(folder / "migrations", "own_")
    path.write_text(text)
    return folder


def run(clone: Path, program: str, *arguments: object, **variables: str) -> Any:
    """What a program prints in the clone, with the installation's state."""
    state = clone.parent / "state"
    environment = {
        **{name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ},
        "PYTHONPATH": f"{clone}/plugins:{clone}",
        "REPORTING_CONFIG": "/nowhere",
        "REPORTING_STATE": str(state),
        "REPORTING_BACKUP_URI": str(clone.parent / "backups"),
        "AIRFLOW_HOME": str(clone),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{state}/airflow.db",
        "AIRFLOW__CORE__FERNET_KEY": json.loads((state / "keys.json").read_text())[
            "AIRFLOW__CORE__FERNET_KEY"
        ],
        **variables,
    }
    done = subprocess.run(
        [ROOT / ".venv" / "airflow" / "bin" / "python", "-W", "ignore", "-c", program, *map(str, arguments)],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def before(clone: Path) -> dict[str, Any]:
    """Every table as it was found: its columns, the number of its rows, and their digest."""
    found: dict[str, Any] = run(clone, READ, clone.parent / "state", "look", free_port(), "{}")
    return found


@pytest.fixture(scope="module")
def upgraded(clone: Path, before: dict[str, Any]) -> dict[str, Any]:
    """The same of the columns that were there, after the schema went to its newest revision."""
    columns = json.dumps({name: found[0] for name, found in before.items()})
    found: dict[str, Any] = run(clone, READ, clone.parent / "state", "upgrade", free_port(), columns)
    return found


def test_the_schema_goes_up_and_no_row_changes(before: dict[str, Any], upgraded: dict[str, Any]) -> None:
    assert {"raw.notion__journal", "raw.hubspot__contacts", "ops.sync_runs", "snapshots.person_keys"} <= set(
        before
    )
    assert sum(count for _, count, _ in before.values()) > 300
    # One row that says how far the schema is, which is further now.
    version = "ops.alembic_version"
    assert upgraded[version][1] == before[version][1] == 1
    assert upgraded[version] != before[version]
    assert {name: upgraded[name] for name in before if name != version} == {
        name: found for name, found in before.items() if name != version
    }


def test_its_dags_have_the_ids_that_they_had_and_stay_paused(clone: Path, upgraded: dict[str, Any]) -> None:
    migrated = subprocess.run(
        [ROOT / ".venv" / "airflow" / "bin" / "airflow", "db", "migrate"],
        cwd=clone,
        env=os.environ
        | {
            "AIRFLOW_HOME": str(clone),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{clone.parent}/state/airflow.db",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr
    found = run(clone, DAGS)
    recorded = json.loads((clone.parent / "dags.json").read_text())
    assert found["errors"] == {}
    assert set(recorded) <= set(found["dags"])
    assert {"raw_notion__journal__full", "raw_notion__journal__changed"} <= set(recorded)
    assert found["paused"] == "2099-01-01"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What its sources hold, as they did."""
    folder = tmp_path_factory.mktemp("sources")
    with (
        fake_api("notion", folder / "notion", None, "--days", "20", "--today", "2026-11-21") as notion,
        fake_api(
            "hubspot",
            folder / "hubspot",
            None,
            *("--contacts", "20", "--companies", "6", "--deals", "4", "--engagements", "30", "--days", "60"),
            *("--today", "2026-11-21"),
        ) as hubspot,
    ):
        yield {"notion": notion.address, "hubspot": hubspot.address}


def test_its_next_sync_makes_its_rows_again_once_and_brings_nobody_back(
    clone: Path, before: dict[str, Any], upgraded: dict[str, Any], sources: dict[str, str]
) -> None:
    said = run(clone, SYNC, clone.parent / "state", free_port(), sources["notion"], sources["hubspot"])
    for name, table in (
        ("notion.daily_habits", "raw.notion__daily_habits"),
        ("notion.journal", "raw.notion__journal"),
        ("hubspot.contacts", "raw.hubspot__contacts"),
    ):
        count = before[table][1]
        # Rows of an earlier version are made again; nothing is new, and nothing is gone.
        assert said[f"{name} 0"][1:4] == [0, count, 0], name
        assert said[f"{name} 1"][1:] == [0, 0, 0, True], name
    assert said["incidents"] == ["task/raw_hubspot__deals__full"]
    assert "1041" not in said["contacts"]
    assert len(said["contacts"]) == before["raw.hubspot__contacts"][1]
    # It was of another version, and so nothing to go on from.
    assert said["checkpoints"] == []


def test_its_backup_comes_back(clone: Path, upgraded: dict[str, Any]) -> None:
    done = subprocess.run(
        [
            clone / "script" / "restore",
            *("raw.notion__journal", "raw.hubspot__contacts", "snapshots.person_keys"),
            *(
                "--into",
                "beside_",
                "--yes",
                "--data",
                clone.parent / "state",
                "--bigquery-port",
                str(free_port()),
            ),
        ],
        cwd=clone,
        env={
            **os.environ,
            "REPORTING_CONFIG": "/nowhere",
            "REPORTING_BACKUP_URI": str(clone.parent / "backups"),
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 tables with" in done.stdout
    assert "rows were restored, and compared with the backup." in done.stdout


def test_its_owner_merges_this_version_without_a_conflict(tmp_path: Path) -> None:
    def git(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        identity = (
            "-c",
            "user.name=Owner",
            "-c",
            "user.email=owner@example.com",
            "-c",
            "commit.gpgsign=false",
        )
        return subprocess.run(
            ["git", *identity, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=check,
            timeout=600,
        )

    folder = ROOT
    if git("cat-file", "-e", f"{COMMIT}^{{commit}}", check=False).returncode != 0:
        pytest.skip("the history of this clone does not reach back so far")
    head = git("rev-parse", "HEAD").stdout.strip()
    folder = tmp_path
    git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), "owners")
    folder = tmp_path / "owners"
    git("checkout", "--quiet", "-b", "own", COMMIT)
    with tarfile.open(ARCHIVE) as archive:
        archive.extract("owner.patch", tmp_path, filter="data")
    git("apply", "--index", str(tmp_path / "owner.patch"))
    git("commit", "--quiet", "-m", "Own entity")
    merged = git("merge", "--quiet", "--no-edit", head, check=False)
    assert merged.returncode == 0, merged.stdout + merged.stderr
    own = git("diff", "--name-only", head).stdout.split()
    assert "plugins/reporting/own_entities.py" in own
    assert "migrations/versions/own_0001_notion__journal.py" in own
    assert len(own) == 5
