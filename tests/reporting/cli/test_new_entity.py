"""A database of the owner's own: what is written for it works as it is, in a copy of the project."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from reporting.cli.command import call
from reporting.deploy import configuration
from reporting.deploy.errors import CommandError
from reporting.local.bigquery import LocalBigQuery
from reporting.scaffold import column_name, distinct
from reporting.settings import ROOT
from reporting.sources.sql.entities import SQL
from sandbox.serving import fake_api
from tests.support.control import client

COPIED = ("plugins", "migrations", "dbt", "sandbox", "dags", "alembic.ini")
# Jinja, YAML, SQL and Python may take something in a name for their own.
HOSTILE = (
    "Done {% of %} all",
    "{{ x }} {{",
    "{# said #}",
    "a: b - c # d & *e !f |",
    "back\\slash `tick` \u2028 two\nlines",
    "*/ -- ; DROP TABLE x",
    "%s %(y)s 🎉",
)
# What a sync does, in the copy: revisions, read, load, dbt.
SYNC = """
import json, os, subprocess
from reporting.transform import dbt
from reporting.sources.registry import entity_named
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing
from reporting.sources.registry import open_reader
from reporting.settings import read_settings
from reporting.sources.http import Policy
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from reporting.ingest.load import load

settings = read_settings()
client = connect(settings)
schema.upgrade(client)
entity = entity_named("notion__reading_list")
reader = open_reader(settings, entity, "ntn_any", os.environ["NOTION"])
landing = Landing(settings.landing_uri)
folder = extract(client, settings, entity, "full", reader, landing)
counts = load(client, settings, entity, landing, folder)
done = subprocess.run(
    dbt.build_command(settings, ["source:notion.reading_list+,tag:staging"]),
    env=dbt.environment(settings), capture_output=True, text=True, check=False,
)
assert done.returncode == 0, done.stdout
rows = client.query_and_wait(f"SELECT * FROM {settings.dataset('staging')}.stg_notion__reading_list WHERE author != ''")
print(json.dumps({"inserted": counts.inserted, "rows": [dict(row) for row in rows]}, default=str))
"""


@dataclass
class Notion:
    """A running fake API, in which a database is called as a test wants."""

    address: str
    http: httpx.Client

    def source_id(self, name: str) -> str:
        state = self.http.get("/_control/state").json()
        return str(next(each["id"] for each in state["data_sources"] if each["name"] == name))

    def change(self, key: str, **body: Any) -> None:
        self.http.patch(f"/v1/data_sources/{key}", json=body).raise_for_status()


@pytest.fixture
def notion(tmp_path: Path) -> Iterator[Notion]:
    headers = {"Authorization": "Bearer ntn_any", "Notion-Version": "2025-09-03"}
    with (
        fake_api("notion", tmp_path / "notion", None, "--days", "40") as served,
        client(served, headers=headers) as http,
    ):
        yield Notion(served.address, http)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project that shares its environments."""
    root = tmp_path / "project"
    root.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "target", "logs")
            shutil.copytree(source, root / name, ignore=ignored)
        else:
            shutil.copy(source, root / name)
    (root / ".venv").symlink_to(ROOT / ".venv")
    return root


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, notion: Notion, copy: Path
) -> Callable[..., int]:
    monkeypatch.setenv("REPORTING_CONFIG", str(tmp_path / "nowhere"))
    monkeypatch.setenv("AIRFLOW_CONN_NOTION", configuration.token_connection("ntn_any", notion.address))

    def ran(*arguments: str) -> int:
        return call("new-entity", [*arguments, "--root", str(copy)])

    return ran


def text(value: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": {"content": value}}]


def test_a_database_is_ready_to_run(
    notion: Notion,
    copy: Path,
    command: Callable[..., int],
    bigquery_endpoint: LocalBigQuery,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    key = notion.source_id("Monthly Disciplines")
    notion.change(
        key,
        title=text("Reading list"),
        properties={
            "Author": {"rich_text": {}},
            "Pages (n): how many?": {"number": {}},
            "Done": {"checkbox": {}},
            "Finished": {"date": {}},
            "Shelf": {"select": {"options": [{"name": "Fiction"}]}},
            "Tags": {"multi_select": {"options": [{"name": "old"}, {"name": "long"}]}},
            "Link": {"url": {}},
            "page_id": {"number": {}},
            '2nd look\'s "why"': {"rich_text": {}},
            **{name: {"checkbox": {}} for name in HOSTILE},
        },
    )
    written = {
        "Author": {"rich_text": text("A. Baker")},
        "Pages (n): how many?": {"number": 312},
        "Done": {"checkbox": True},
        "Finished": {"date": {"start": "2026-03-01"}},
        "Shelf": {"select": {"name": "Fiction"}},
        "Tags": {"multi_select": [{"name": "old"}, {"name": "long"}]},
        "Link": {"url": "https://example.com/book"},
        "page_id": {"number": 7},
        '2nd look\'s "why"': {"rich_text": text("It is good.")},
    }
    page = notion.http.post(
        "/v1/pages", json={"parent": {"data_source_id": key}, "properties": written}
    ).raise_for_status()
    assert command("notion", "Reading list") == 0
    assert "notion__reading_list is ready" in capsys.readouterr().out

    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": f"{copy}/plugins:{copy}",
        **bigquery_endpoint.variables,
        "REPORTING_DATASET_PREFIX": "own_",
        "REPORTING_STATE": str(tmp_path / "state"),
        "NOTION": notion.address,
    }

    def run(program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env=environment,
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout.strip().splitlines()[-1]

    made = json.loads(run(SYNC))
    assert made["inserted"] > 1
    [row] = made["rows"]
    assert row["page_id"] == page.json()["id"]
    expected = {
        "author": "A. Baker",
        "done": True,
        "finished": "2026-03-01",
        "link": "https://example.com/book",
        "n_2nd_look_s_why": "It is good.",
        "page_id_2": "7",
        "pages_n_how_many": "312",
        "shelf": "Fiction",
        "tags": ["old", "long"],
        "is_deleted": False,
    }
    assert {name: row[name] for name in expected} == expected

    # Run again it changes nothing, and another name for it is refused.
    before = {path: path.read_bytes() for path in copy.rglob("*reading_list*") if path.is_file()}
    before[copy / "plugins/reporting/own_entities.py"] = (
        copy / "plugins/reporting/own_entities.py"
    ).read_bytes()
    assert command("notion", key) == 0
    assert "Left as it is" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in before} == before


def test_a_second_database_is_added_to_the_first(
    notion: Notion, copy: Path, command: Callable[..., int]
) -> None:
    notion.change(notion.source_id("Monthly Disciplines"), title=text("Films"))
    notion.change(notion.source_id("Weekly Disciplines"), title=text('Größe &\n "Maße"'))
    assert command("notion", "Films") == 0
    assert command("notion", 'Größe &\n "Maße"') == 0
    own: dict[str, Any] = {}
    exec((copy / "plugins/reporting/own_entities.py").read_text(), own)  # noqa: S102 (what was written is what is tried)
    assert [each.name for each in own["NOTION"]] == ["films", "grosse_masse"]
    revisions = sorted(path.name for path in (copy / "migrations/versions").glob("own_*"))
    assert revisions == ["own_0001_notion__films.py", "own_0002_notion__grosse_masse.py"]
    assert 'down_revision = "own_0001"' in (copy / "migrations/versions" / revisions[1]).read_text()


def test_what_cannot_be_added_is_refused_and_writes_nothing(
    notion: Notion, copy: Path, command: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path for path in copy.rglob("*") if "__pycache__" not in path.parts}
    with pytest.raises(CommandError, match="no Notion database named 'Nowhere' is shared"):
        command("notion", "Nowhere")
    monthly = notion.source_id("Monthly Disciplines")
    notion.change(monthly, title=text("Daily Disciplines"))
    with pytest.raises(CommandError, match="2 Notion databases are named 'Daily Disciplines'"):
        command("notion", "Daily Disciplines")
    notion.change(monthly, title=text("読書"))
    with pytest.raises(CommandError, match=r"is no name for an entity.* --as NAME"):
        command("notion", "読書")
    with pytest.raises(CommandError, match="notion__daily_habits is another database already"):
        command("notion", "読書", "--as", "daily_habits")
    with pytest.raises(CommandError, match="'Books' is no name"):
        command("notion", "読書", "--as", "Books")
    with pytest.raises(CommandError, match="'nothing__here' is not an entity"):
        command("nothing__here")
    with pytest.raises(CommandError, match="are written by hand"):
        command("hubspot__deals")
    monkeypatch.delenv("AIRFLOW_CONN_NOTION")
    with pytest.raises(CommandError, match="Notion is not configured"):
        command("notion", "読書")
    assert {path for path in copy.rglob("*") if "__pycache__" not in path.parts} == before


def test_what_is_listed_gets_what_the_project_has(copy: Path, command: Callable[..., int]) -> None:
    [entity] = SQL
    names = {"stg_sql__time_entries.sql", "_sql__time_entries__sources.yml", "_sql__time_entries__models.yml"}
    folder = copy / "dbt/models/staging/sql"
    assert {path.name for path in folder.iterdir()} == names
    shutil.rmtree(folder)
    revision = next((copy / "migrations/versions").glob(f"*_{entity.table}.py"))
    text_before = revision.read_text()
    # The project as it was before that.
    for path in revision.parent.glob("0*.py"):
        if path.name >= revision.name:
            path.unlink()
    assert command(entity.table) == 0
    for name in names:
        assert (folder / name).read_text() == (ROOT / "dbt/models/staging/sql" / name).read_text()
    assert revision.read_text() == text_before


def test_revisions_of_two_are_joined(notion: Notion, copy: Path, command: Callable[..., int]) -> None:
    assert command("--join") == 0
    notion.change(notion.source_id("Monthly Disciplines"), title=text("Films"))
    command("notion", "Films")
    versions = copy / "migrations/versions"
    head = (versions / "own_0001_notion__films.py").read_text().split('down_revision = "')[1][:4]
    (versions / "9001_later.py").write_text(f'revision = "9001"\ndown_revision = "{head}"\n')
    notion.change(notion.source_id("Weekly Disciplines"), title=text("Plants"))
    with pytest.raises(CommandError, match=r"2 newest revisions .*--join"):
        command("notion", "Plants")
    assert command("--join") == 0
    assert 'down_revision = ("9001", "own_0001")' in (versions / "own_0002_join.py").read_text()
    assert command("notion", "Plants") == 0
    assert 'down_revision = "own_0002"' in (versions / "own_0003_notion__plants.py").read_text()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Reading list", "reading_list"),
        ("  Bücher  & Maße ", "bucher_masse"),
        ("2nd", "n_2nd"),
        ("a__b", "a_b"),
        ("Group", "group_value"),
        ("読書", ""),
    ],
)
def test_names_of_columns(given: str, expected: str) -> None:
    assert column_name(given) == expected


def test_names_are_there_once() -> None:
    assert distinct(["a", "a", "b", "a_2"], ["b"]) == ["a", "a_2", "b_2", "a_2_2"]
