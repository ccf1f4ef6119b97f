"""The revision that is written is one that works: applied, filled and taken back."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command as alembic
from alembic.config import Config
from alembic.script import ScriptDirectory

from reporting.cli import new_revision as command
from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.ingest.landing import Landing, Manifest
from reporting.local.bigquery import LocalBigQuery
from reporting.settings import ROOT, read_settings
from reporting.sources.hubspot.entities import HUBSPOT
from reporting.sources.notion.entities import NOTION
from reporting.warehouse import schema
from reporting.warehouse.client import connect

DEALS = HUBSPOT[2]


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """A copy, so that nothing is written into the project."""
    return Path(shutil.copytree(ROOT / "migrations", tmp_path / "migrations"))


def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *arguments: str) -> int:
    monkeypatch.setenv("REPORTING_CONFIG", "/nowhere")
    return call("new-revision", [*arguments, "--data", str(tmp_path / "state")])


def test_the_columns_are_added_filled_and_taken_back(
    bigquery_endpoint: LocalBigQuery,
    migrations: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in bigquery_endpoint.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REPORTING_DATASET_PREFIX", "new_revision_")
    client = connect(read_settings())
    schema.upgrade(client)
    table = "new_revision_raw.hubspot__deals"
    client.query_and_wait(
        f"""INSERT INTO {table} (id, _payload) VALUES
            ('1', JSON '{{"id": "1", "properties": {{"hs_priority": "high", "hs_mrr": "12.5"}}}}'),
            ('2', JSON '{{"id": "2", "properties": {{"hs_priority": null}}}}'),
            ('3', NULL)"""
    )
    assert (
        run(monkeypatch, tmp_path, DEALS.table, "hs_priority", "hs_mrr", "--migrations", str(migrations)) == 0
    )
    said = capsys.readouterr().out
    assert '"hs_mrr": Property("text", "Mrr, as HubSpot gives it."),' in said
    assert "- name: hs_priority" in said

    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    config.attributes["client"] = client
    alembic.upgrade(config, "head")
    # Cut off after the columns, it is begun again.
    before = ScriptDirectory.from_config(schema.migrations(client)).get_current_head()
    assert before is not None
    alembic.stamp(config, before)
    alembic.upgrade(config, "head")
    found = client.query_and_wait(f"SELECT id, hs_priority, hs_mrr FROM {table} ORDER BY id")
    assert [tuple(row.values()) for row in found] == [
        ("1", "high", "12.5"),
        ("2", None, None),
        ("3", None, None),
    ]
    fields = {field.name: field for field in client.get_table(table).schema}
    assert (fields["hs_mrr"].field_type, fields["hs_mrr"].mode) == ("STRING", "NULLABLE")
    assert fields["hs_priority"].description == "Priority, as HubSpot gives it."
    with pytest.raises(schema.DiscardError, match="holds 1 values in the column hs_mrr"):
        alembic.downgrade(config, "-1")
    config.attributes["discard"] = True
    alembic.downgrade(config, "-1")
    made = client.get_table(table)
    assert not {"hs_mrr", "hs_priority"} & {field.name for field in made.schema}
    (left,) = client.query_and_wait(f"SELECT COUNT(*) AS n FROM {table}")
    assert left["n"] == 3


def test_revisions_are_numbered_one_after_the_other(migrations: Path) -> None:
    first = command.write_revision(migrations, DEALS, ["a"])
    second = command.write_revision(migrations, DEALS, ["b"])
    number = int(first.name[:4])
    assert second.name == f"{number + 1:04d}_deals_b.py"
    assert f'down_revision = "{number:04d}"' in second.read_text()
    shutil.copy(second, second.with_name("9999_other.py"))
    text = second.with_name("9999_other.py")
    text.write_text(text.read_text().replace(f'revision = "{number + 1:04d}"', 'revision = "9999"', 1))
    with pytest.raises(CommandError, match="2 newest revisions"):
        command.write_revision(migrations, DEALS, ["c"])


def test_what_gets_no_column_is_said(tmp_path: Path) -> None:
    landing = Landing(str(tmp_path))
    for entity, name, said in (
        (NOTION[0], "Meditate", "the columns of notion__daily_habits are not properties"),
        (HUBSPOT[-1], "label", "the columns of hubspot__list_memberships are not properties"),
        (DEALS, "amount", "hubspot__deals has a column 'amount' already"),
        (DEALS, "archived", "hubspot__deals has a column 'archived' already"),
        (DEALS, "x'; DROP", "is no internal name"),
    ):
        with pytest.raises(CommandError, match=said):
            command.checked_kinds(entity, [name], landing)


def test_the_last_read_knows_the_properties(tmp_path: Path) -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    landing = Landing(str(tmp_path))
    folder = landing.folder("hubspot", "deals", "hubspot-deals-full-1")
    with landing.writer(folder) as writer:
        writer.finish(
            Manifest(
                run_id="hubspot-deals-full-1",
                source="hubspot",
                entity="deals",
                refresh="full",
                started_at=at,
                extracted_at=at,
                window_since=None,
                cursor_at=at,
                record_count=0,
                tombstone_count=0,
                request_count=1,
                part_count=0,
                is_complete=True,
                schema={"properties": {"hs_mrr": "number", "hs_priority": "enumeration"}},
            )
        )
    assert command.checked_kinds(DEALS, ["hs_mrr", "hs_priority"], landing) == {
        "hs_mrr": "number",
        "hs_priority": "text",
    }
    with pytest.raises(CommandError, match=r"had no property 'hs_mmr' .* Did you mean hs_mrr\?"):
        command.checked_kinds(DEALS, ["hs_mmr"], landing)
