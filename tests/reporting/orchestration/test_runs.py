"""What the task of the run history does with the metadata database, the schedules and the warehouse."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from airflow.utils.types import DagRunType
from google.cloud import bigquery
from pendulum import instance

from reporting.orchestration import cleanup, runs
from reporting.settings import METADATA_URL, Settings
from tests.support.airflow_metadata import Metadata

NOW = datetime.now(UTC).replace(microsecond=0)
OWN = SimpleNamespace(dag_id="raw_airflow__runs__changed", run_id="manual__now")
CANARY = "ops_airflow__canary__ping"


def bring(monkeypatch: pytest.MonkeyPatch, everything: bool = False) -> dict[str, int]:
    context = {"dag_run": OWN, "params": {"everything": everything}}
    monkeypatch.setattr(runs, "get_current_context", lambda: context)
    return runs.bring_runs(NOW)


def test_without_the_databases_address_it_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(METADATA_URL, raising=False)
    with pytest.raises(AirflowSkipException, match=f"{METADATA_URL} is not set"):
        bring(monkeypatch)


@pytest.fixture
def warehouse(
    shared_warehouse: tuple[bigquery.Client, Settings], monkeypatch: pytest.MonkeyPatch
) -> tuple[bigquery.Client, Settings]:
    client, settings = shared_warehouse
    for name, value in settings.emulator_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REPORTING_DATASET_PREFIX", settings.dataset_prefix)
    for name in ("airflow_runs", "airflow_tries"):
        client.query_and_wait(f"DELETE FROM {settings.dataset('ops')}.{name} WHERE TRUE")
    return client, settings


def test_a_database_that_cannot_be_read_is_said_without_its_address(
    warehouse: tuple[bigquery.Client, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(METADATA_URL, "postgresql+psycopg2://owner:hidden@127.0.0.1:1/airflow")
    with pytest.raises(AirflowException, match="metadata database cannot be read") as said:
        bring(monkeypatch)
    assert "hidden" not in str(said.value)


def test_runs_are_brought_from_the_cursor_on_and_all_of_them_when_asked(
    warehouse: tuple[bigquery.Client, Settings],
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client, settings = warehouse
    monkeypatch.setenv(METADATA_URL, f"sqlite:///{database}")
    half = NOW.replace(minute=NOW.minute // 30 * 30, second=0)
    metadata = Metadata(f"sqlite:///{database}")
    metadata.dag(CANARY, cron="*/30 * * * *")
    # The one before the last has not come.
    for back in (5, 4, 2):
        metadata.run(
            CANARY, half - back * timedelta(minutes=30), updated_at=half - back * timedelta(minutes=30)
        )
    metadata.run(OWN.dag_id, NOW, run_id=OWN.run_id)
    caplog.set_level("WARNING")
    assert bring(monkeypatch) == {"runs": 3, "missing": 2, "tries": 0}
    assert f"{CANARY} was due at" in caplog.text
    table = f"{settings.dataset('ops')}.airflow_runs"
    states = [row["state"] for row in client.query_and_wait(f"SELECT state FROM {table} ORDER BY due_at")]
    assert states == ["success", "success", "missing", "success", "missing"]
    metadata.run(CANARY, half - timedelta(minutes=30))
    # With an hour of overlap the oldest two are not read again, and what is there now is missing no more.
    assert bring(monkeypatch) == {"runs": 2, "missing": 1, "tries": 0}
    assert bring(monkeypatch, everything=True) == {"runs": 4, "missing": 1, "tries": 0}
    states = [row["state"] for row in client.query_and_wait(f"SELECT state FROM {table} ORDER BY due_at")]
    assert states == ["success", "success", "missing", "success", "success"]


def test_a_day_of_summer_time_has_the_hours_that_airflow_gives_it() -> None:
    def hours(first: datetime, last: datetime) -> list[datetime]:
        return list(runs.due_times("30 * * * *", "Europe/Berlin", first, last))

    spring = datetime(2026, 3, 29, tzinfo=UTC)
    for begin in (spring, datetime(2026, 10, 25, tzinfo=UTC)):
        found = hours(begin, begin + timedelta(hours=4))
        assert found == [begin + timedelta(hours=number, minutes=30) for number in range(4)]
    # Once a day at a time of the clock, which is at another time in UTC.
    daily = runs.due_times(
        "17 3 * * *", "Europe/Berlin", spring - timedelta(days=1), spring + timedelta(days=1)
    )
    assert [each.hour for each in daily] == [2, 1]


def test_both_ends_of_the_span_belong_to_it() -> None:
    at = datetime(2026, 6, 30, 12, tzinfo=UTC)
    assert list(runs.due_times("0 * * * *", "UTC", at, at)) == [at]


def test_a_missing_run_has_the_id_that_airflow_would_give_it() -> None:
    from reporting.monitoring.runs import _absent

    at = datetime(2026, 6, 30, 12, tzinfo=UTC)
    theirs = DagRunType.SCHEDULED.generate_run_id(suffix=instance(at).isoformat())
    assert _absent(CANARY, at)["run_id"] == theirs


def test_the_history_ends_by_its_own_age_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for params in ({"days": 30, "dag_ids": []}, {"days": None, "dag_ids": [CANARY]}):
        monkeypatch.setattr(cleanup, "get_current_context", lambda params=params: {"params": params})
        with pytest.raises(AirflowSkipException, match="does not touch the history of runs"):
            cleanup.clean_history()
