"""The tables of the marts without dbt: made as their contracts say, and filled with any rows."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from google.cloud import bigquery

MODELS = Path(__file__).resolve().parents[1] / "dbt" / "models"
Row = dict[str, Any]


def contracts() -> dict[str, list[Row]]:
    """Every mart, and every table of `ops`, by the name of its dataset, as the contracts and the dbt sources describe them."""
    marts = [
        model
        for path in sorted(MODELS.glob("marts/*/*__models.yml"))
        for model in yaml.safe_load(path.read_text())["models"]
    ]
    [ops] = yaml.safe_load((MODELS / "staging/ops/_ops__sources.yml").read_text())["sources"]
    return {"marts": marts, "ops": ops["tables"]}


def create(client: bigquery.Client, prefix: str = "") -> None:
    """Make all of them, without rows, in datasets whose names begin with `prefix`."""
    for dataset, tables in contracts().items():
        client.query_and_wait(f"CREATE SCHEMA IF NOT EXISTS `{prefix}{dataset}`")
        for table in tables:
            columns = ", ".join(f"`{each['name']}` {each['data_type']}" for each in table["columns"])
            client.query_and_wait(f"CREATE OR REPLACE TABLE `{prefix}{dataset}.{table['name']}` ({columns})")


def fill(client: bigquery.Client, dataset: str, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append `rows`, whose columns may be any of the mart's."""
    table = client.get_table(f"{client.project}.{dataset}.{name}")
    plain = [{column: _plain(value) for column, value in row.items()} for row in rows]
    if plain:
        config = bigquery.LoadJobConfig(schema=table.schema)
        client.load_table_from_json(plain, table, job_config=config).result()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
