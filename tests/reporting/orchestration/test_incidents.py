"""What the task that tells incidents makes of the sync log, the metadata database, certificates and settings."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from cryptography import x509
from google.cloud import bigquery

from reporting.monitoring import expiry
from reporting.monitoring.record import Episode, Incident, Kind, Record
from reporting.orchestration import incidents
from reporting.settings import SettingError, Settings, read_settings
from reporting.warehouse.client import connect
from tests.support import receivers
from tests.support.certificates import certificate
from tests.support.marts import Marts

NOW = datetime.now(UTC)


@pytest.fixture
def web() -> Iterator[receivers.Received]:
    with receivers.http_server() as server:
        yield server


@pytest.fixture
def client(settings: Settings, web: receivers.Received, monkeypatch: pytest.MonkeyPatch) -> bigquery.Client:
    """An empty warehouse, a channel, and a run by schedule at an hour that is not the day's."""
    assert settings.emulator_host
    for variable, value in {
        **settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": settings.dataset_prefix,
        "REPORTING_ALERT_WEBHOOK": f"http://127.0.0.1:{web.port}/hook",
    }.items():
        monkeypatch.setenv(variable, value)
    for variable in ("AIRFLOW__API__BASE_URL", incidents.METADATA_URL, incidents.ENTRA_EXPIRES_ON):
        monkeypatch.delenv(variable, raising=False)
    begin(monkeypatch, "scheduled")
    # At no hour.
    monkeypatch.setattr(incidents, "DAILY_HOUR", -1)
    return connect(settings)


def begin(patch: pytest.MonkeyPatch, run_type: str) -> None:
    patch.setattr(incidents, "get_current_context", lambda: {"dag_run": SimpleNamespace(run_type=run_type)})


def enter_run(client: bigquery.Client, settings: Settings, at: datetime) -> None:
    client.query_and_wait(
        f"""
        INSERT INTO `{settings.dataset("ops")}.sync_runs`
            (run_id, source, entity, refresh, committed_at, cursor_at, is_complete)
        VALUES ('{at:%s}', 'hubspot', 'deals', 'full', TIMESTAMP '{at.isoformat()}', TIMESTAMP '{at.isoformat()}', TRUE)
        """
    )


def test_without_a_channel_it_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("REPORTING_ALERT_EMAIL", "REPORTING_ALERT_WEBHOOK"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(
        AirflowSkipException, match="neither REPORTING_ALERT_EMAIL nor REPORTING_ALERT_WEBHOOK"
    ):
        incidents.send_incidents()
    monkeypatch.setenv("REPORTING_ALERT_WEBHOOK", "hush")
    with pytest.raises(SettingError, match="REPORTING_ALERT_WEBHOOK is not an address"):
        incidents.send_incidents()


def test_a_schema_behind_the_code_names_the_dag(client: bigquery.Client) -> None:
    with pytest.raises(AirflowFailException, match="Run ops_warehouse__schema__upgrade"):
        incidents.send_incidents()


def test_a_source_that_is_not_read_and_is_read_again(
    client: bigquery.Client, settings: Settings, web: receivers.Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    Marts(client, settings).make_records()
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://127.0.0.1:8080/")
    enter_run(client, settings, NOW - timedelta(days=5))
    assert [incidents.send_incidents() for _ in range(2)] == [1, 0]
    text = web.next()[1]
    assert text.startswith("*hubspot.deals has not been read for 5 days*")
    assert "Link: http://127.0.0.1:8080/dags/raw_hubspot__deals__changed" in text
    enter_run(client, settings, NOW)
    assert [incidents.send_incidents() for _ in range(2)] == [1, 0]
    assert web.next()[1].startswith("*Resolved: hubspot.deals")


def test_a_channel_that_is_down_fails_nothing(
    client: bigquery.Client, settings: Settings, web: receivers.Received
) -> None:
    Marts(client, settings).make_records()
    enter_run(client, settings, NOW - timedelta(days=5))
    web.status = 500
    assert incidents.send_incidents() == 0
    web.status = 200
    assert incidents.send_incidents() == 1


def test_once_a_day_and_by_hand_more_is_looked_at() -> None:
    settings = read_settings({"REPORTING_TIMEZONE": "America/New_York"})
    seven = datetime(2026, 11, 21, 12, 47, tzinfo=UTC)
    hours = [incidents.is_thorough("scheduled", settings, seven + timedelta(hours=n)) for n in range(24)]
    assert hours == [True] + [False] * 23
    assert incidents.is_thorough("manual", settings, seven + timedelta(hours=5))


def test_spellings_and_stamps_of_the_future_are_among_what_is_looked_at_once_a_day() -> None:
    def names(*, thorough: bool) -> set[str]:
        found = incidents.checks(SimpleNamespace(), read_settings({}), NOW, thorough=thorough)  # type: ignore[arg-type]
        return {each.scope for each in found}

    assert names(thorough=True) - names(thorough=False) >= {"categories/", "stamps/"}


def test_what_is_dear_is_looked_at_and_what_is_not_stays_as_it_was(
    client: bigquery.Client, settings: Settings, web: receivers.Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    marts = Marts(client, settings)
    marts.make_records()
    marts.make()
    marts.hold("companies", [{"company_id": str(n), "city": city} for n, city in enumerate(["Bonn", "bonn"])])
    monkeypatch.setattr(incidents.connections, "find", lambda _: None)
    assert incidents.send_incidents() == 0
    begin(monkeypatch, "manual")
    assert incidents.send_incidents() == 1
    assert "companies.city spells 'Bonn' in 2 ways" in web.next()[1]
    # What was not looked at is not well again.
    begin(monkeypatch, "scheduled")
    marts.hold("companies", [])
    assert incidents.send_incidents() == 0
    begin(monkeypatch, "manual")
    assert incidents.send_incidents() == 1
    assert "Resolved: companies.city" in web.next()[1]


def task_failed(key: str, kind: Kind = "task") -> Incident:
    return Incident(problem_key=key, kind=kind, subject=key, what="It failed.", todo="Clear it.")


@pytest.fixture
def metadata(tmp_path: Path) -> str:
    """As much of Airflow's metadata database as is asked."""
    address = f"sqlite:///{tmp_path}/airflow.db"
    rows = [
        ("dag", "load", "success", NOW + timedelta(minutes=5)),
        ("dag", "before", "success", NOW - timedelta(minutes=5)),
        ("dag", "failed", "failed", NOW + timedelta(minutes=5)),
        ("dag", "skipped", "skipped", NOW + timedelta(minutes=5)),
        ("other", "alone", "success", NOW + timedelta(minutes=5)),
    ]
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE task_instance (dag_id TEXT, task_id TEXT, state TEXT, end_date TIMESTAMP)"
        )
        names = ("dag_id", "task_id", "state", "end_date")
        connection.execute(
            sa.insert(incidents.TASK_INSTANCES), [dict(zip(names, row, strict=True)) for row in rows]
        )
    engine.dispose()
    return address


def test_a_task_is_well_when_it_ended_well_after_its_failure(metadata: str) -> None:
    names = ("load", "before", "failed", "skipped", "alone", "never")
    given = [
        Episode(
            **{
                name: getattr(task_failed(f"task/dag/{each}"), name)
                for name in ("problem_key", "kind", "subject", "what", "todo")
            },
            first_seen_at=NOW,
            last_seen_at=NOW,
        )
        for each in names
    ]
    assert incidents._succeeded_again(given, metadata) == {"task/dag/load", "task/dag/skipped"}


def test_without_the_metadata_database_nothing_ends(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    failed = task_failed("task/dag/load")
    episode = Episode(
        problem_key=failed.problem_key,
        kind="task",
        subject="",
        what="",
        todo="",
        first_seen_at=NOW,
        last_seen_at=NOW,
    )
    assert incidents._succeeded_again([episode], None) == set()
    assert incidents._succeeded_again([episode], f"sqlite:///{tmp_path}/hush.db") == set()
    assert "REPORTING_METADATA_URL is not set" in caplog.text
    assert "OperationalError" in caplog.text
    assert "hush" not in caplog.text


def test_a_build_that_succeeds_ends_what_failed_in_dbt(
    client: bigquery.Client, settings: Settings, web: receivers.Received
) -> None:
    Marts(client, settings).make_records()
    record = Record(client, settings)
    long_ago = NOW - timedelta(hours=2)
    record.note([task_failed("dbt/test a", "dbt")], long_ago)
    record.mark_alerted(["dbt/test a"], long_ago)
    assert incidents.send_incidents() == 0
    client.query_and_wait(
        f"""
        INSERT INTO `{settings.dataset("ops")}.dbt_builds` (build_id, refresh, started_at, committed_at)
        VALUES ('b', 'full', CURRENT_TIMESTAMP(), CURRENT_TIMESTAMP())
        """
    )
    assert incidents.send_incidents() == 1
    assert web.next()[1].startswith("*Resolved: dbt/test a*")


def test_what_lasts_is_asked_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidents.connections, "find", lambda _: None)
    with receivers.answering({}, certificate(tmp_path, "web", timedelta(days=3))) as port:
        environment = {
            "AIRFLOW__API__BASE_URL": f"https://127.0.0.1:{port}",
            incidents.ENTRA_EXPIRES_ON: f"{NOW + timedelta(days=5):%Y-%m-%d}",
            incidents.METADATA_URL: "postgresql://a:hush@127.0.0.1/airflow?sslmode=disable",
        }
        found = [each for check in incidents._expiring(environment, NOW) for each in check.find()]
    assert [each.problem_key for each in found] == ["expiry/web", "expiry/entra"]
    assert "the certificate of 127.0.0.1 expires in" in found[0].subject
    assert "the client secret of Microsoft Entra expires in" in found[1].subject
    # Where nothing is configured nothing is wrong, and what was is resolved.
    assert [each for check in incidents._expiring({}, NOW) for each in check.find()] == []


def test_a_login_in_testing_is_told_two_days_before(monkeypatch: pytest.MonkeyPatch) -> None:
    user = {"client_id": "a", "client_secret": "b", "refresh_token": "c"}
    noted = user | {"refresh_token_expires_at": (NOW + timedelta(days=1)).isoformat()}
    for given, count in ((user, 0), (noted, 1)):
        connection = SimpleNamespace(extra_dejson={"credential_config_file": given})
        monkeypatch.setattr(incidents.connections, "find", lambda _, found=connection: found)
        for name in ("google", "google_calendar"):
            found = list(incidents._google(name, NOW))
            assert [each.problem_key for each in found] == [f"expiry/{name}"] * count


def test_a_key_is_asked_for_by_its_id(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = x509.load_pem_x509_certificate(certificate(tmp_path, "key", timedelta(days=3))[0].read_bytes())
    email = "reporting@my-project.iam.gserviceaccount.com"
    key = {"client_email": email, "private_key_id": "one", "private_key": "hush"}
    monkeypatch.setattr(incidents.connections, "service_account_key", lambda: key)
    monkeypatch.setattr(expiry, "key_certificate", lambda given, key_id: made if key_id == "one" else None)
    found = list(incidents._key(NOW))
    assert [each.problem_key for each in found] == ["expiry/key/one", "expiry/key/age/one"]
    assert "hush" not in str(found)
    key["private_key_id"] = "other"
    with pytest.raises(expiry.CannotAskError, match="does not know the key"):
        list(incidents._key(NOW))
    monkeypatch.setattr(incidents.connections, "service_account_key", lambda: str(tmp_path / "none.json"))
    with pytest.raises(expiry.CannotAskError, match="FileNotFoundError"):
        list(incidents._key(NOW))
