"""What the tasks of data quality do when there is nothing to do, and when a table is not as it should be."""

from datetime import datetime

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from google.cloud import bigquery

from reporting.entity import Entity
from reporting.monitoring import profiles
from reporting.orchestration import quality
from reporting.settings import Settings
from reporting.sources.google_contacts.entities import GOOGLE
from reporting.warehouse.client import WarehouseError


@pytest.fixture(autouse=True)
def warehouse(
    shared_warehouse: tuple[bigquery.Client, Settings], monkeypatch: pytest.MonkeyPatch
) -> tuple[bigquery.Client, Settings]:
    client, settings = shared_warehouse
    for name, value in settings.emulator_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REPORTING_DATASET_PREFIX", settings.dataset_prefix)
    return client, settings


def test_without_a_change_it_is_skipped() -> None:
    with pytest.raises(AirflowSkipException, match="No raw table changed"):
        quality.profile_tables()


def test_a_table_that_cannot_be_profiled_keeps_no_other_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def take(_client: bigquery.Client, _settings: Settings, entity: Entity, _now: datetime) -> int:
        if entity == GOOGLE[0]:
            raise WarehouseError("it has no column")
        taken.append(entity)
        return 3

    monkeypatch.setattr(profiles, "due", lambda *_: list(GOOGLE))
    monkeypatch.setattr(profiles, "take", take)
    with pytest.raises(AirflowException, match="google__contacts could not be profiled"):
        quality.profile_tables()
    assert taken == [GOOGLE[1]]
    monkeypatch.setattr(profiles, "due", lambda *_: [GOOGLE[1]])
    assert quality.profile_tables() == {"google__contact_groups": 3}
