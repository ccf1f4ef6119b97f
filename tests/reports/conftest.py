"""Marts and a sync log that are there and empty, made once a file."""

from collections.abc import Callable
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.local.bigquery import LocalBigQuery
from reporting.reports.marts import Marts
from reporting.settings import Settings, read_settings
from reporting.warehouse.client import connect
from sandbox.mart_tables import create, fill
from tests.reports.sample_warehouse import NOW

Fill = Callable[..., None]


@pytest.fixture(scope="module")
def warehouse(
    bigquery_endpoint: LocalBigQuery, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bigquery.Client, Settings]:
    """A client and settings of a warehouse with every mart and the sync log, all of it empty."""
    settings = read_settings(
        {
            **bigquery_endpoint.variables,
            "REPORTING_DATASET_PREFIX": "reports_",
            "REPORTING_STATE": str(tmp_path_factory.mktemp("reports")),
            "REPORTING_TIMEZONE": "Europe/Berlin",
        }
    )
    client = connect(settings)
    create(client, settings.dataset_prefix)
    return client, settings


@pytest.fixture
def marts(warehouse: tuple[bigquery.Client, Settings]) -> Marts:
    """The marts on the morning of 30 June 2026."""
    return Marts(*warehouse, NOW)


@pytest.fixture
def hold(marts: Marts) -> Fill:
    """Makes rows all that a mart has: `hold("habits", {...}, {...})`."""

    def made(name: str, *rows: dict[str, Any]) -> None:
        marts.client.query_and_wait(f"DELETE FROM {marts.mart(name)} WHERE TRUE")
        fill(marts.client, marts.settings.dataset("marts"), name, rows)

    return made
