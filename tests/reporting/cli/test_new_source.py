"""A source of the owner's own from a recorded answer: what is written works as it is, in a copy of the project."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.local.bigquery import LocalBigQuery
from reporting.scaffold import ScaffoldError
from reporting.scaffold import source as texts
from reporting.scaffold.propose import proposal
from reporting.settings import ROOT
from reporting.sources.registry import SOURCES
from reporting.sources.rest import Bearer
from reporting.sources.rest.client import Client
from reporting.sources.rest.reader import reader_of
from sandbox import todoist
from sandbox.lists import Lists, served
from tests.support.rest_api import PATIENT

pytestmark = pytest.mark.timeout(900)
COPIED = ("plugins", "migrations", "dbt", "sandbox", "dags", "alembic.ini", "tests/own", "tests/conftest.py")
# A library's loans: nested, with a reserved word, a name that no column takes, and whatever text may hold.
HOSTILE = 'hushed "quoted" {{ jinja }} {% x %} \\ */ -- `tick` %s \u2028 ; DROP TABLE x'
ANSWER = {
    "meta": {"next_cursor": "aHVzaGVk"},
    "loans": [
        {
            "loan_no": 70071 + number,
            "title": f"{HOSTILE} {number}",
            "pages": 120 + number,
            "fine": "0.50",
            "lentAt": f"2026-03-0{1 + number}T10:00:00+01:00",
            "due": f"2026-04-0{1 + number}",
            "updated_at": 1_772_000_000 + number,
            "is_back": False,
            "branch": {"name": "hushed branch", "select": None, "open": ["hushed"]},
            "deleted_at": None,
            "private@example.org": "hushed",
            "\u8aad\u66f8": "hushed",
        }
        for number in range(3)
    ],
}
# What an owner does in the copy: the files of what is declared there already, and then what a sync does.
SYNC = """
import importlib, json, subprocess, sys
from reporting.cli.command import call
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing
from reporting.ingest.load import load
from reporting.settings import read_settings
from reporting.sources.registry import BROKEN, OWN, entity_named, open_reader
from reporting.transform import dbt
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from sandbox.lists import served

CASH_FLOW = ["stg_google_sheets__ledger", "int_money_lover__entries", "cash_flow"]
for name in sorted(OWN - {"library__loans"}):
    assert call("new-source", [name, "--root", sys.argv[1]]) == 0
settings = read_settings()
client = connect(settings)
schema.upgrade(client)
landing = Landing(settings.landing_uri)
inserted = {}
for name in sorted(OWN):
    entity = entity_named(name)
    if entity.source == "files":
        reader = open_reader(settings, entity, f"{sys.argv[1]}/sandbox/files", None)
        folder = extract(client, settings, entity, "full", reader, landing)
        inserted[name] = load(client, settings, entity, landing, folder).inserted
        continue
    api = importlib.import_module(f"sandbox.own.{entity.source}" if name == "library__loans" else f"sandbox.{entity.source}")
    with served(api.fake()) as address:
        reader = open_reader(settings, entity, api.KEY, address)
        folder = extract(client, settings, entity, "full", reader, landing)
        reader.close()
    inserted[name] = load(client, settings, entity, landing, folder).inserted
done = subprocess.run(
    dbt.build_command(settings, [f"source:{name.replace('__', '.')}+,tag:staging" for name in sorted(OWN)] + CASH_FLOW),
    env=dbt.environment(settings), capture_output=True, text=True, check=False,
)
assert done.returncode == 0, done.stdout
found = client.query_and_wait(f"SELECT * FROM {settings.dataset('marts')}.cash_flow ORDER BY month_on, category")
rows = {"cash_flow": [dict(row) for row in found]}
for name in OWN:
    found = client.query_and_wait(f"SELECT * FROM {settings.dataset('staging')}.stg_{name} ORDER BY record_id")
    rows[name] = [dict(row) for row in found]
print(json.dumps({"inserted": inserted, "broken": BROKEN, "rows": rows}, default=str))
"""


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
        elif source.exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / name)
    (root / ".venv").symlink_to(ROOT / ".venv")
    return root


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, copy: Path) -> Callable[..., int]:
    monkeypatch.setenv("REPORTING_CONFIG", str(tmp_path / "nowhere"))
    known = dict(SOURCES)

    def ran(*arguments: str) -> int:
        try:
            return call("new-source", [*arguments, "--root", str(copy)])
        finally:
            SOURCES.clear()
            SOURCES.update(known)

    return ran


def recorded(tmp_path: Path, answer: Any = ANSWER) -> str:
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(answer))
    return str(path)


def files(folder: Path) -> dict[Path, str]:
    return {
        path.relative_to(folder): path.read_text(errors="replace")
        for path in folder.rglob("*")
        if path.is_file() and not {".venv", "__pycache__"} & set(path.parts)
    }


OFFLINE = (
    "--address",
    "https://library.example.org/api",
    "--path",
    "loans?branch=3",
    "--auth",
    "header X-Key",
)


def test_a_source_is_ready_to_run(
    copy: Path, command: Callable[..., int], bigquery_endpoint: LocalBigQuery, tmp_path: Path
) -> None:
    for example in ("todoist", "stripe", "bitpanda", "battery", "money_lover"):
        shutil.copytree(ROOT / "docs/examples" / example, copy / "plugins/reporting/sources/own" / example)
    entries = copy / "dbt/models/intermediate/own/int_money_lover__entries.sql"
    entries.parent.mkdir()
    shutil.move(copy / "plugins/reporting/sources/own/money_lover" / entries.name, entries)
    own = copy / "dbt/macros/own.sql"
    own.write_text(own.read_text().replace("return([])", "return(['int_money_lover__entries'])"))
    before = files(copy)
    assert command("library", "--from", recorded(tmp_path), *OFFLINE) == 0
    written = {path: text for path, text in files(copy).items() if path not in before}
    assert {str(path) for path in written} == {
        "plugins/reporting/sources/own/library/__init__.py",
        "migrations/versions/own_0001_library__loans.py",
        "dbt/models/staging/own/stg_library__loans.sql",
        "dbt/models/staging/own/_library__loans__sources.yml",
        "dbt/models/staging/own/_library__loans__models.yml",
        "sandbox/own/__init__.py",
        "sandbox/own/library.py",
        "tests/own/test_library.py",
    }
    # Nothing of what the API answered is in any of them.
    for text in written.values():
        for value in ("hushed", "70071", "aHVzaGVk", "private@", "2026-03-0", "1772000000"):
            assert value not in text
    assert all(
        path in before and before[path] == text for path, text in files(copy).items() if path not in written
    )
    environment = os.environ | {
        **bigquery_endpoint.variables,
        "PYTHONPATH": f"{copy}/plugins:{copy}",
        "REPORTING_STATE": str(tmp_path / "state"),
        "REPORTING_DATASET_PREFIX": "own_source_",
    }
    tested = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--import-mode=importlib",
            "--noconftest",
            "-p",
            "no:cacheprovider",
            "tests/own",
        ],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert tested.returncode == 0, tested.stdout
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SYNC, str(copy)],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["broken"] == {}
    assert found["inserted"] == {
        "library__loans": 10,
        "todoist__tasks": 25,
        "stripe__charges": 25,
        "bitpanda__holdings": 3,
        "files__battery_log": 37,
        "files__money_lover": 5,
    }
    numbers = sorted(path.name[:8] for path in (copy / "migrations/versions").glob("own_*"))
    assert numbers == [f"own_{number:04}" for number in range(1, 7)]
    check_rows(found["rows"])


def check_rows(rows: dict[str, list[dict[str, Any]]]) -> None:
    """What the staging models make of the examples, and of the source that was proposed."""
    assert float(rows["bitpanda__holdings"][1]["attributes_balance"]) == 0.125
    # The line of the sensor is in the raw table alone.
    assert len(rows["files__battery_log"]) == 36
    row = rows["files__battery_log"][0]
    assert (row["time"][:19], float(row["source_line"])) == ("2026-01-05 08:00:00", 2)
    assert all(isinstance(float(each["battery"]), float) for each in rows["files__battery_log"])
    assert all(each["uncastable_columns"] == [] for each in rows["files__battery_log"])
    assert [
        (each["month_on"], each["category"], float(each["net"]), float(each["balance"]))
        for each in rows["cash_flow"]
    ] == [
        ("2025-12-01", "Salary", 3000, 3000),
        ("2026-01-01", "Groceries", -40.25, 1709.75),
        ("2026-01-01", "Rent", -1250, 1709.75),
        ("2026-02-01", "Gifts", 25, 1725),
        ("2026-02-01", "Groceries", -9.75, 1725),
    ]
    assert (
        rows["bitpanda__holdings"][1]["record_id"] == rows["bitpanda__holdings"][1]["snapshot_day"] + "/w-btc"
    )
    assert rows["stripe__charges"][0]["created"].startswith("2026-01-05 08:00:00")
    assert (rows["todoist__tasks"][1]["checked"], float(rows["todoist__tasks"][1]["priority"])) == (False, 2)
    row = rows["library__loans"][0]
    assert (row["record_id"], row["title"], row["is_deleted"]) == ("1001", "title 1", False)
    assert float(row["fine"]) == 10.25
    assert (float(row["pages"]), row["due"], row["is_back"]) == (10, "2026-01-01", True)
    assert row["lent_at"].startswith("2026-01-01 08:00:00")
    assert row["updated_at"].startswith("2026-01-05 08:00:00")
    assert row["branch_name"] == "name 1"
    assert row["uncastable_columns"] == []


def test_an_api_is_asked_and_the_token_is_stored_nowhere(
    copy: Path,
    command: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = todoist.fake()
    with served(fake) as address:
        answers = iter([address, "bearer", "/tasks/?limit=5"])
        monkeypatch.setattr("builtins.input", lambda _: next(answers))
        monkeypatch.setattr("getpass.getpass", lambda _: todoist.KEY)
        assert command("todoist") == 0
        declared = (copy / "plugins/reporting/sources/own/todoist/__init__.py").read_text()
        assert 'name="tasks",' in declared
        assert 'path="tasks/",' in declared
        assert 'records="results"' in declared
        assert "paging=NextCursor()" in declared
        assert '"due.date": Property("date", "Due date, as Todoist gives it.")' in declared
        assert '# since=Since("NAME_OF_THE_PARAMETER", field="updated_at"),' in declared
        everything = "".join(files(copy).values()) + capsys.readouterr().out
        assert "Water the plants" not in "".join(files(copy / "plugins/reporting/sources/own").values())
        assert everything.count(todoist.KEY) == (copy / "sandbox/todoist.py").read_text().count(todoist.KEY)
        # The same again, and a token that is wrong.
        with pytest.raises(CommandError, match="there is a source 'todoist' already"):
            command("todoist")
        answers = iter([address, "bearer", "tasks"])
        monkeypatch.setattr("getpass.getpass", lambda _: "a wrong token")
        with pytest.raises(CommandError, match=r"refused the token \(401\).*Nothing was written") as caught:
            command("todoist_two")
        assert "a wrong token" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "answer", "said"),
    [
        (("Library",), ANSWER, "'Library' is no name for a source"),
        (("hubspot",), ANSWER, "there is a source 'hubspot' already"),
        (("a", "b"), ANSWER, "'a' takes no more words"),
        (("library", "--address", "http://library.example.org"), ANSWER, "would go in clear"),
        (("library", "--auth", "magic"), ANSWER, "'magic' is no way to sign"),
        (("library", "--auth", "header X\nY"), ANSWER, "is no way to sign"),
        (("library",), {"a": 1}, "holds no list of records"),
        (("library",), [], "holds no list of records"),
        (("library",), [{"a": 1}, {"a": 1}], "no field tells the records of the answer apart"),
        (("library", "--path", "https://other.example.org/x"), ANSWER, "below the base address"),
        (("library", "--as", "Big"), ANSWER, "a name has letters"),
        (("nothing__here",), ANSWER, "'nothing__here' is not an entity"),
    ],
    ids=lambda each: str(each)[:30],
)  # fmt: skip
def test_what_cannot_be_added_is_refused_and_writes_nothing(
    copy: Path,
    command: Callable[..., int],
    tmp_path: Path,
    arguments: tuple[str, ...],
    answer: Any,
    said: str,
) -> None:
    before = files(copy)
    given_by = dict(zip(OFFLINE[::2], OFFLINE[1::2], strict=True)) | {"--from": recorded(tmp_path, answer)}
    rest = [
        word
        for option, value in given_by.items()
        if option not in arguments and arguments not in (("a", "b"), ("nothing__here",))
        for word in (option, value)
    ]
    with pytest.raises(CommandError, match=said):
        command(*arguments, *rest)
    assert files(copy) == before


def test_what_the_older_commands_do_it_does(
    command: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_NOTION", raising=False)
    assert command("--join") == 0
    assert "There is one newest revision" in capsys.readouterr().out
    with pytest.raises(CommandError, match="Notion is not configured"):
        command("notion", "Reading list")
    with pytest.raises(CommandError, match="are written by hand"):
        command("hubspot__deals")
    with pytest.raises(CommandError, match="'No Name' is no internal name"):
        command("hubspot__deals", "No Name", "--data", str(tmp_path))
    assert command("hubspot__deals", "hs_made_up", "--data", str(tmp_path)) == 0
    assert "Wrote" in capsys.readouterr().out


def test_a_file_that_is_no_json_is_told(command: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text("hidden")
    with pytest.raises(CommandError, match="cannot be read as JSON") as caught:
        command("library", "--from", str(tmp_path / "answer.json"), *OFFLINE)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("way", ["none", "link", "address", "cursor", "after_last"])
def test_each_way_of_paging_is_proposed_and_faked(way: str) -> None:
    """The declaration that is written reads the fake that is written, to its end."""
    real = Lists({"things": [{"id": f"t{number}", "name": "x"} for number in range(9)]}, way, 4)
    described = texts.Described(
        source="sample",
        entity="things",
        title="Sample",
        base="https://api.example.org",
        auth=Bearer(),
        path="things/",
        parameters={},
    )
    with served(real) as address:
        answer = httpx.get(f"{address}/things")
    link = answer.links.get("next", {}).get("url")
    found = proposal(answer.json(), link)
    made: dict[str, Any] = {}
    exec(texts.package(described, found), made)  # noqa: S102 (what was written is what is tried)
    api: dict[str, Any] = {}
    exec(texts.fake(described, found), api)  # noqa: S102
    [entity] = made["SOURCE"].entities
    with served(api["fake"]()) as address:
        reader = reader_of(Client(entity.api, api["KEY"], address, PATIENT), entity)
        ids = [each.id for page in reader.read(None) for each in page.records]
        reader.close()
    assert ids == [each["id"] for each in api["RECORDS"]]


def test_what_is_unclear_is_said_in_the_declaration() -> None:
    described = texts.Described(
        source="sample",
        entity="things",
        title="Sample",
        base="https://api.example.org",
        auth=Bearer(),
        path="things",
        parameters={},
    )
    found = proposal({"items": [{"id": number, "name": "x"} for number in range(4)], "total": 40})
    assert "more than the 4 records" in found.unclear
    assert "# The answer does not show how pages follow" in texts.package(described, found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(
    JSON, st.lists(st.dictionaries(st.sampled_from(["id", "name", "a b", "{{x}}", "Due"]), JSON), max_size=4)
)
def test_any_answer_makes_a_declaration_that_is_good_or_a_sentence(noise: Any, records: list[Any]) -> None:
    described = texts.Described(
        source="sample",
        entity="things",
        title='Sam"ple\n\\',
        base="https://api.example.org",
        auth=Bearer(),
        path="things",
        parameters={},
    )
    try:
        found = proposal({"noise": noise, "items": records})
    except ScaffoldError:
        return
    made: dict[str, Any] = {}
    exec(texts.package(described, found), made)  # noqa: S102
    exec(texts.fake(described, found), made)  # noqa: S102
    assert len(made["RECORDS"]) == 10
    # What is written is what the table and the models were made from.
    assert made["SOURCE"] == texts.declared(described, found)
    assert made["SOURCE"].entities[0].resource == texts.declared(described, found).entities[0].resource  # type: ignore[attr-defined]
