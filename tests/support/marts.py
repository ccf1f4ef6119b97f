"""A warehouse whose marts are what dbt's contracts say, with rows that a test gives; no dbt and no Alembic runs for it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import yaml
from google.cloud import bigquery
from sqlalchemy.schema import CreateTable
from sqlalchemy_bigquery import BigQueryDialect

from reporting.settings import ROOT, Settings
from reporting.warehouse.tables import describe

Row = Mapping[str, Any]


def contracts() -> dict[str, dict[str, str]]:
    """The type of each column of each mart, as the models declare it."""
    models = [
        model
        for path in sorted((ROOT / "dbt/models/marts").rglob("_*__models.yml"))
        for model in yaml.safe_load(path.read_text())["models"]
    ]
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
        for model in models
    }


class Marts:
    """The marts and the sync log of one warehouse."""

    def __init__(self, client: bigquery.Client, settings: Settings) -> None:
        self.client, self.settings = client, settings

    def make(self) -> None:
        """Make every mart, without rows."""
        self.client.create_dataset(self.settings.dataset("marts"), exists_ok=True)
        for name, columns in contracts().items():
            described = ", ".join(f"`{column}` {kind}" for column, kind in columns.items())
            self.client.query_and_wait(f"CREATE OR REPLACE TABLE {self.table(name)} ({described})")

    def make_records(self) -> None:
        """Make the tables in which the project keeps its own records, as they are described."""
        prefix = self.settings.dataset_prefix
        self.client.create_dataset(f"{prefix}ops", exists_ok=True)
        for table in describe(prefix).tables.values():
            if table.schema == f"{prefix}ops":
                self.client.query_and_wait(str(CreateTable(table).compile(dialect=BigQueryDialect())))

    def table(self, name: str) -> str:
        return f"`{self.settings.dataset('marts')}.{name}`"

    def hold(self, name: str, rows: Iterable[Row]) -> None:
        """Make these the rows of a mart; a column that a row lacks is null."""
        self.client.query_and_wait(f"DELETE FROM {self.table(name)} WHERE TRUE")
        self._load(f"{self.settings.dataset('marts')}.{name}", list(rows))

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a mart as BigQuery's client reads them."""
        return [dict(row) for row in self.client.query_and_wait(f"SELECT * FROM {self.table(name)}")]

    def read_by(self, source: str, at: datetime, changed_count: int = 0, refresh: str = "full") -> None:
        """Enter a complete run of a source into the sync log, or a replay."""
        self.client.query_and_wait(
            f"""
            INSERT INTO `{self.settings.dataset("ops")}.sync_runs`
                (run_id, source, entity, refresh, committed_at, cursor_at, rows_inserted, rows_updated, rows_tombstoned,
                is_complete)
            VALUES ('{source}-{at:%s}', '{source}', 'any', '{refresh}', TIMESTAMP '{at.astimezone(UTC).isoformat()}',
                TIMESTAMP '{at.astimezone(UTC).isoformat()}', {changed_count}, 0, 0, TRUE)
            """
        )

    def _load(self, table: str, rows: list[Row]) -> None:
        if rows:
            config = bigquery.LoadJobConfig(schema=self.client.get_table(table).schema)
            self.client.load_table_from_json(rows, table, job_config=config).result()
