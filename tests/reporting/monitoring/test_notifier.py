"""One message per incident and one for its end, by the record in a warehouse and channels on loopback."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from google.cloud import bigquery

from reporting.local.bigquery import LocalBigQuery
from reporting.monitoring.alerts import read_channels
from reporting.monitoring.checks import Check, record_result, run_checks
from reporting.monitoring.notifier import MOST_AT_ONCE, Notifier, not_alerted, notify
from reporting.monitoring.record import Incident, Kind, Record
from reporting.settings import Settings, read_settings
from reporting.warehouse.client import connect
from tests.support import receivers
from tests.support.marts import Marts

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Warehouse = tuple[bigquery.Client, Settings]
NUMBERS = count()


@pytest.fixture(scope="module")
def warehouse(bigquery_endpoint: LocalBigQuery) -> Warehouse:
    """A warehouse that has the project's own records, and no more."""
    settings = read_settings(bigquery_endpoint.variables)
    client = connect(settings)
    Marts(client, settings).make_records()
    return client, settings


@pytest.fixture
def record(warehouse: Warehouse) -> Record:
    """An empty record."""
    client, settings = warehouse
    client.query_and_wait(f"DELETE FROM `{settings.dataset('ops')}.problems` WHERE TRUE")
    return Record(client, settings)


@pytest.fixture
def web() -> Iterator[receivers.Received]:
    with receivers.http_server() as server:
        yield server


def notifier(*servers: receivers.Received) -> Notifier:
    hook = f"http://127.0.0.1:{servers[0].port}/hook"
    mail = {
        "REPORTING_ALERT_EMAIL": "o@example.org",
        "REPORTING_SMTP_URL": f"smtp://127.0.0.1:{servers[-1].port}",
    }
    given = {"REPORTING_ALERT_WEBHOOK": hook} | (mail if len(servers) > 1 else {})
    return Notifier(read_channels(given), "https://reporting.example", "Europe/Berlin")


def incident(key: str, kind: Kind = "stale", said: str | None = None) -> Incident:
    return Incident(
        problem_key=key,
        kind=kind,
        subject=f"{key} is wrong",
        what=f"{key} happened.",
        todo="Mend it.",
        link=f"/dags/{key}",
        dag_id="any",
        said=said,
    )


def look_and_tell(record: Record, by: Notifier, now: datetime, *keys: str, well: tuple[str, ...] = ()) -> int:
    """What a run of the DAG does when its one check finds these."""
    before = record.unfinished()
    seen = run_checks([Check("stale/", lambda: [incident(key) for key in keys])])
    record_result(record, before, seen, well, now)
    return notify(record, by, now)


def rows(warehouse: Warehouse) -> list[dict[str, object]]:
    client, settings = warehouse
    sql = f"SELECT * FROM `{settings.dataset('ops')}.problems` ORDER BY first_seen_at, problem_key"
    return [dict(row) for row in client.query_and_wait(sql)]


def test_an_incident_is_told_once_and_so_is_its_end(
    record: Record, web: receivers.Received, warehouse: Warehouse
) -> None:
    by = notifier(web)
    assert look_and_tell(record, by, NOW, "stale/one") == 1
    text = web.next()[1]
    assert text.startswith("*stale/one is wrong*\nstale/one happened.")
    assert "Since: 2026-11-21 13:00 (Europe/Berlin)" in text
    assert "What to do: Mend it." in text
    assert "Link: https://reporting.example/dags/stale/one" in text
    assert look_and_tell(record, by, NOW + HOUR, "stale/one") == 0
    assert look_and_tell(record, by, NOW + 5 * HOUR) == 1
    text = web.next()[1]
    assert text.startswith("*Resolved: stale/one is wrong*")
    assert "from 2026-11-21 13:00 (Europe/Berlin) to 2026-11-21 18:00 (Europe/Berlin) (5 hours)" in text
    assert look_and_tell(record, by, NOW + 6 * HOUR) == 0
    assert web.is_empty()
    (row,) = rows(warehouse)
    assert row["last_seen_at"] == NOW + HOUR
    assert (row["told_at"], row["well_at"]) == (NOW, NOW + 5 * HOUR)


def test_one_that_comes_back_is_another(
    record: Record, web: receivers.Received, warehouse: Warehouse
) -> None:
    by = notifier(web)
    for hour, keys in enumerate((["stale/one"], [], ["stale/one"], ["stale/one"], [])):
        look_and_tell(record, by, NOW + hour * HOUR, *keys)
    said = [web.next()[1].splitlines()[0] for _ in range(4)]
    assert said == ["*stale/one is wrong*", "*Resolved: stale/one is wrong*"] * 2
    assert web.is_empty()
    assert len(rows(warehouse)) == 2


def test_what_no_channel_took_is_sent_again_and_what_one_took_is_not(record: Record) -> None:
    with receivers.http_server() as hook, receivers.mail_server(refused=["o@example.org"]) as mail:
        hook.status = 500
        assert look_and_tell(record, notifier(hook, mail), NOW, "stale/one") == 0
        hook.next()
        hook.status = 200
        assert look_and_tell(record, notifier(hook, mail), NOW + HOUR, "stale/one") == 1
        hook.next()
        assert look_and_tell(record, notifier(hook, mail), NOW + 2 * HOUR, "stale/one") == 0
        assert hook.is_empty()


def test_an_end_of_what_nobody_heard_of_is_not_told(record: Record, web: receivers.Received) -> None:
    web.status = 500
    assert look_and_tell(record, notifier(web), NOW, "stale/one") == 0
    web.next()
    web.status = 200
    assert look_and_tell(record, notifier(web), NOW + HOUR) == 0
    assert web.is_empty()
    assert record.unfinished() == []


def test_a_kill_after_sending_tells_twice_rather_than_never(
    record: Record, web: receivers.Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        """What ends a process and not a task."""

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(record, "mark_alerted", killed)
        with pytest.raises(KilledError):
            look_and_tell(record, notifier(web), NOW, "stale/one", "stale/two")
    assert look_and_tell(record, notifier(web), NOW + HOUR, "stale/one", "stale/two") == 2
    assert sorted(web.next()[1].splitlines()[0] for _ in range(3)) == [
        "*stale/one is wrong*",
        "*stale/one is wrong*",
        "*stale/two is wrong*",
    ]


def test_many_at_once_are_one_message_and_each_end_is_told(record: Record, web: receivers.Received) -> None:
    keys = [f"stale/{number}" for number in range(MOST_AT_ONCE + 1)]
    assert look_and_tell(record, notifier(web), NOW, *keys) == 1
    text = web.next()[1]
    assert text.startswith(f"*{len(keys)} incidents at once*")
    assert all(f"- {key} is wrong (https://reporting.example/dags/{key})" in text for key in keys)
    assert look_and_tell(record, notifier(web), NOW + HOUR, *keys[1:]) == 1
    assert web.next()[1].startswith("*Resolved: stale/0 is wrong*")


def test_what_a_task_saw_it_tells_itself_and_what_it_did_not_get_to_is_told_later(
    record: Record, web: receivers.Received, warehouse: Warehouse
) -> None:
    failed = incident("task/dag/load", "task", said="what an error said of somebody")
    assert not_alerted(record, [failed, failed], NOW) == [failed]
    assert look_and_tell(record, notifier(web), NOW + timedelta(minutes=1)) == 0
    # It was killed before it sent anything.
    assert look_and_tell(record, notifier(web), NOW + HOUR) == 1
    assert "task/dag/load happened." in web.next()[1]
    assert not_alerted(record, [failed], NOW + 2 * HOUR) == []
    assert look_and_tell(record, notifier(web), NOW + 3 * HOUR, well=("task/dag/load",)) == 1
    assert not_alerted(record, [failed], NOW + 4 * HOUR) == [failed]
    # What an error says may quote a record, and is nowhere kept.
    assert "somebody" not in str(rows(warehouse))


def test_the_record_is_asked_with_patience_for_a_moment_alone(bigquery_endpoint: LocalBigQuery) -> None:
    settings = read_settings({"BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1"})
    record = Record(connect(settings), settings, patience=0.2)
    with pytest.raises(Exception, match=r"(?i)timeout|connection|retr"):
        record.note([incident("stale/one")], NOW)
