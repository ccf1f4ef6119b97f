"""The revisions and the described tables cannot drift apart, and can be taken back."""

from collections.abc import Iterator

import pytest
import yaml
from alembic.script import ScriptDirectory
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.settings import ROOT, Settings, read_settings
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from reporting.warehouse.tables import describe

STANDARD_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}


@pytest.fixture
def client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> bigquery.Client:
    for name, value in settings.emulator_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REPORTING_DATASET_PREFIX", settings.dataset_prefix)
    return connect(read_settings())


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


def test_a_downgrade_refuses_to_drop_rows(client: bigquery.Client, settings: Settings) -> None:
    schema.upgrade(client)
    table = f"{settings.dataset('raw')}.notion__daily_habits"
    client.query(f"INSERT INTO {table} (id) VALUES ('a')").result()
    with pytest.raises(schema.DiscardError, match="holds 1 rows"):
        schema.downgrade(client, "base")
    assert client.get_table(table).num_rows == 1
    schema.downgrade(client, "base", discard=True)
    with pytest.raises(NotFound):
        client.get_table(table)
