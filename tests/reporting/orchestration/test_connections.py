"""Clients from Airflow's connections."""

import json

import pytest

from reporting.orchestration import connections
from reporting.settings import read_settings
from tests.support.bucket import ACCOUNT, bucket


# An owner may have chosen either in Airflow's web interface.
@pytest.mark.parametrize("conn_type", ["gcpbigquery", "google_cloud_platform"])
def test_the_warehouse_is_opened_with_the_key_of_the_connection(
    monkeypatch: pytest.MonkeyPatch, conn_type: str
) -> None:
    with bucket(monkeypatch) as connection:
        monkeypatch.setenv(
            "AIRFLOW_CONN_BIGQUERY", json.dumps(json.loads(connection) | {"conn_type": conn_type})
        )
        client = connections.warehouse(read_settings({"REPORTING_BIGQUERY_PROJECT": "of-the-owner"}))
    assert client.project == "of-the-owner"
    assert client._credentials.service_account_email == ACCOUNT
