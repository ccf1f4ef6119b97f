"""The revisions and the described tables cannot drift apart, and can be taken back."""

from collections.abc import Iterator

import pytest
import yaml
from alembic.script import ScriptDirectory
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.settings import ROOT, Settings
from reporting.warehouse import schema
from reporting.warehouse.tables import describe

STANDARD_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}


@pytest.fixture
def settings(shared_warehouse: tuple[bigquery.Client, Settings]) -> Settings:
    """Of the warehouse that the tests of this file take down and bring up again, each from wherever the one before left it."""
    return shared_warehouse[1]


@pytest.fixture
def client(current_warehouse: tuple[bigquery.Client, Settings]) -> bigquery.Client:
    return current_warehouse[0]


def leaves(fields: list[bigquery.SchemaField]) -> Iterator[tuple[str, str, str, str | None]]:
    for field in fields:
        yield (
            field.name,
            STANDARD_TYPES.get(field.field_type, field.field_type),
            field.mode,
            field.description,
        )


def test_there_is_one_head(client: bigquery.Client) -> None:
    assert len(ScriptDirectory.from_config(schema.migrations(client)).get_heads()) == 1


def test_the_migrated_tables_are_the_described_ones(client: bigquery.Client, settings: Settings) -> None:
    schema.upgrade(client)
    described = describe(settings.dataset_prefix)
    for dataset in ("raw", "ops"):
        made = {table.table_id for table in client.list_tables(settings.dataset(dataset))} - {
            "alembic_version"
        }
        expected = {
            table.name for table in described.tables.values() if table.schema == settings.dataset(dataset)
        }
        assert made == expected
    for table in described.tables.values():
        made_table = client.get_table(f"{table.schema}.{table.name}")
        assert made_table.description == table.comment
        assert made_table.clustering_fields == dict(table.dialect_options["bigquery"]).get(
            "clustering_fields"
        )
        expected_columns = []
        for column in table.columns:
            kind = str(column.type.compile(dialect=_dialect()))
            repeated = kind.startswith("ARRAY<")
            mode = "REPEATED" if repeated else "NULLABLE" if column.nullable else "REQUIRED"
            element = kind.removeprefix("ARRAY<").removesuffix(">") if repeated else kind
            expected_columns.append(
                (column.name, "STRUCT" if element.startswith("STRUCT<") else element, mode, column.comment)
            )
        # A column that is added later comes last, wherever it is described.
        assert sorted(leaves(made_table.schema)) == sorted(expected_columns)


def _dialect() -> object:
    from sqlalchemy_bigquery import BigQueryDialect

    return BigQueryDialect()


def test_the_dbt_sources_are_the_described_tables() -> None:
    declared = {
        table.get("identifier", table["name"]): {column["name"] for column in table["columns"]}
        for path in (ROOT / "dbt/models").rglob("_*__sources.yml")
        for source in yaml.safe_load(path.read_text())["sources"]
        for table in source["tables"]
    }
    described = {
        table.name: {column.name for column in table.columns} for table in describe().tables.values()
    }
    assert declared == described


def test_down_and_up_again(client: bigquery.Client, settings: Settings) -> None:
    schema.upgrade(client)
    schema.downgrade(client, "base")
    with pytest.raises(NotFound):
        client.get_table(f"{settings.dataset('raw')}.notion__daily_habits")
    schema.upgrade(client)
    client.get_table(f"{settings.dataset('raw')}.notion__daily_habits")


@pytest.mark.parametrize("second", ["0019", "0020", "0001"])
def test_what_two_starts_at_once_wrote_is_one_row_again(
    client: bigquery.Client, settings: Settings, second: str
) -> None:
    schema.upgrade(client)
    table = f"{settings.dataset('ops')}.alembic_version"
    newest = schema.head(client)
    client.query_and_wait(f"INSERT INTO `{table}` (version_num) VALUES ('{second}')")
    schema.upgrade(client)
    assert [row["version_num"] for row in client.query_and_wait(f"SELECT version_num FROM `{table}`")] == [
        newest
    ]
    schema.downgrade(client, "0019")
    assert [row["version_num"] for row in client.query_and_wait(f"SELECT version_num FROM `{table}`")] == [
        "0019"
    ]
    schema.upgrade(client)


def test_a_revision_of_a_newer_code_is_kept(client: bigquery.Client, settings: Settings) -> None:
    schema.upgrade(client)
    table = f"{settings.dataset('ops')}.alembic_version"
    client.query_and_wait(f"INSERT INTO `{table}` (version_num) VALUES ('9999')")
    schema.keep_one_version(
        client, settings.dataset("ops"), ScriptDirectory.from_config(schema.migrations(client))
    )
    assert [row["version_num"] for row in client.query_and_wait(f"SELECT version_num FROM `{table}`")] == [
        "9999"
    ]
    client.query_and_wait(f"UPDATE `{table}` SET version_num = '{schema.head(client)}' WHERE TRUE")


def test_a_downgrade_refuses_to_drop_rows(client: bigquery.Client, settings: Settings) -> None:
    schema.upgrade(client)
    table = f"{settings.dataset('raw')}.notion__daily_habits"
    client.query_and_wait(f"INSERT INTO {table} (id) VALUES ('a')")
    with pytest.raises(schema.DiscardError, match="holds 1 rows"):
        schema.downgrade(client, "base")
    assert client.get_table(table).num_rows == 1
    schema.downgrade(client, "base", discard=True)
    with pytest.raises(NotFound):
        client.get_table(table)


def test_a_downgrade_refuses_to_drop_the_values_of_a_column(
    client: bigquery.Client, settings: Settings
) -> None:
    schema.upgrade(client)
    table = f"{settings.dataset('raw')}.hubspot__contacts"
    client.query_and_wait(f"INSERT INTO {table} (id, phone_e164) VALUES ('a', '+4930111'), ('b', NULL)")
    with pytest.raises(schema.DiscardError, match="holds 1 values in the column phone_e164"):
        schema.downgrade(client, "0009")
    assert "phone_e164" in {field.name for field in client.get_table(table).schema}
    schema.downgrade(client, "0009", discard=True)
    assert "phone_e164" not in {field.name for field in client.get_table(table).schema}
    assert client.get_table(table).num_rows == 2
    client.query_and_wait(f"DELETE FROM {table} WHERE TRUE")


def test_every_column_is_dropped_under_the_guard() -> None:
    for path in sorted((ROOT / "migrations/versions").glob("*.py")):
        down = path.read_text().partition("def downgrade")[2]
        assert "DROP COLUMN" not in down, path.name
        assert "DROP TABLE" not in down, path.name


def test_a_downgrade_that_was_cut_off_begins_anew(client: bigquery.Client, settings: Settings) -> None:
    schema.upgrade(client)
    # What the revisions drop before their number is written.
    client.query_and_wait(f"ALTER TABLE {settings.dataset('ops')}.sync_runs DROP COLUMN caps_met")
    client.query_and_wait(f"DROP TABLE {settings.dataset('ops')}.dbt_results")
    schema.downgrade(client, "0015")
    with pytest.raises(NotFound):
        client.get_table(f"{settings.dataset('ops')}.airflow_runs")
    schema.upgrade(client)
    client.get_table(f"{settings.dataset('ops')}.dbt_results")
