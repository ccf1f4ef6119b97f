"""Every folder of tests/fixtures: the records of an entity, and the rows that its transformation makes of them.

A folder is named like the raw table. `script/run-entity ENTITY --input FOLDER/input.ndjson --output FOLDER/expected`
writes what is expected; whoever commits it has read it.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reporting.cli import run_entity
from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.ingest.landing import Landing
from reporting.settings import ROOT
from reporting.sources.registry import entity_named
from reporting.transform import single_entity
from tests.dbt.sample_warehouse import migrated

FIXTURES = sorted(path for path in (ROOT / "tests" / "fixtures").iterdir() if path.is_dir())

# The first test waits for a build.


@pytest.fixture(scope="module")
def made(shared_environment: dict[str, str]) -> single_entity.Made:
    """What the transformations make of all inputs, in one build."""
    inputs = {}
    for path in FIXTURES:
        entity = entity_named(path.name)
        inputs[entity] = single_entity.read_records(entity, path / "input.ndjson")
    with migrated(shared_environment) as (client, settings):
        return single_entity.run(client, settings, inputs, Landing(settings.landing_uri))


def test_there_are_fixtures_and_no_test_of_dbt_fails(made: single_entity.Made) -> None:
    assert FIXTURES
    assert made.failures == []


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.name)
def test_an_entity_makes_of_its_input_what_is_expected(fixture: Path, made: single_entity.Made) -> None:
    found = {name: content.decode() for name, content in made.files[entity_named(fixture.name)].items()}
    expected = {path.name: path.read_text() for path in (fixture / "expected").iterdir()}
    assert found == expected


def write(folder: Path, *lines: object) -> Path:
    path = folder / "input.ndjson"
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines))
    return path


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "holds no record of google__contacts"),
        (({"resourceName": "people/a"}, "{oops"), "line 2 of .* is not JSON"),
        (("", '["a"]'), "line 2 of .* is a JSON list; it must be an object"),
        (({"name": "secret"},), "line 1 of .* has no key"),
        (
            ({"resourceName": "people/a"}, {"resourceName": "people/a"}),
            "line 2 of .* has the same key as line 1",
        ),
    ],
)
def test_input_that_cannot_be_taken_is_named_and_not_shown(
    lines: tuple[object, ...], said: str, tmp_path: Path
) -> None:
    with pytest.raises(single_entity.InputError, match=said) as caught:
        single_entity.read_records(entity_named("google__contacts"), write(tmp_path, *lines))
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(single_entity.InputError, match=r"cannot be read .*FileNotFoundError"):
        single_entity.read_records(entity_named("google__contacts"), tmp_path / "input.ndjson")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    monkeypatch.setattr(run_entity, "end_on_signals", lambda: None)
    monkeypatch.setattr(run_entity, "CALLER", tmp_path)

    def ran(entity: str, path: str, output: str) -> int:
        return call("run-entity", [entity, "--input", path, "--output", output])

    return ran


def test_the_command_writes_what_is_expected(command: Callable[..., int], tmp_path: Path) -> None:
    fixture = next(path for path in FIXTURES if path.name == "google_sheets__ledger")
    assert command(fixture.name, str(fixture / "input.ndjson"), "made/here") == 0
    written = {path.name: path.read_text() for path in (tmp_path / "made" / "here").iterdir()}
    assert written == {path.name: path.read_text() for path in (fixture / "expected").iterdir()}


def test_the_command_refuses_before_it_starts_anything(
    command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_entity, "running", None)
    path = write(tmp_path, {"resourceName": "people/a"})
    with pytest.raises(CommandError, match="is a file"):
        command("google__contacts", path.name, path.name)
    with pytest.raises(CommandError, match=r"Did you mean google__contacts\?"):
        command("google__nothing", path.name, "made")
    with pytest.raises(CommandError, match=r"missing.ndjson cannot be read"):
        command("google__contacts", "missing.ndjson", "made")
    assert not (tmp_path / "made").exists()


def test_a_record_that_makes_no_row_is_an_error(
    command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(*_: object) -> dict[str, object]:
        raise KeyError("hidden")

    monkeypatch.setattr("reporting.sources.hubspot.rows.row", row)
    path = write(tmp_path, {"id": "101", "secret": "hidden"})
    with pytest.raises(
        CommandError,
        match=r"the record 101 does not have the form that the API of hubspot__deals returns .KeyError.",
    ) as caught:
        command("hubspot__deals", path.name, "made")
    assert "hidden" not in str(caught.value)
