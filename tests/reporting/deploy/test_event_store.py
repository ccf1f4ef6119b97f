"""The project's tables in the metadata database, in a real PostgreSQL and in SQLite."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet, MultiFernet

from reporting.deploy import database, event_store, metadata
from reporting.deploy.errors import CommandError
from reporting.settings import read_settings
from reporting.sources.events import Event
from tests.support import postgres

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
CIPHER = MultiFernet([Fernet(Fernet.generate_key())])


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.running() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty metadata database, as far as Airflow's own mark."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path}/airflow.db"
        engine = sa.create_engine(found)
    else:
        cluster = request.getfixturevalue("cluster")
        found = database.parse(cluster.url()).render_as_string(hide_password=False)
        engine = sa.create_engine(sa.make_url(found).set(drivername="postgresql+psycopg2"))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
    # A start that was killed does it again.
    event_store.create(engine)
    event_store.create(engine)
    engine.dispose()
    return found


def events(*keys: str) -> list[tuple[str, Event]]:
    return [("hubspot", Event(key, "contact.creation", None, NOW)) for key in keys]


def test_an_event_is_kept_once_and_for_a_week(address: str) -> None:
    with event_store.connected(address) as connection:
        assert len(event_store.note(connection, events("a", "b", "a"), NOW)) == 2
        assert [event.key for _, event in event_store.note(connection, events("b", "c"), NOW)] == ["c"]
        assert event_store.note(connection, [("notion", events("a")[0][1])], NOW)
        many = events(*(f"key {number}" for number in range(1200)))
        assert len(event_store.note(connection, many, NOW + timedelta(days=1))) == 1200
        assert event_store.note(connection, [], NOW) == []
        event_store.count(connection, {"hubspot": 3}, {"hubspot": 2, "notion": 0}, NOW)
        event_store.count(connection, {}, {"hubspot": 1}, NOW + timedelta(hours=1))
        sender = event_store.senders(connection)["hubspot"]
        assert (sender.noted_count, sender.refused_count) == (3, 3)
        assert (sender.last_noted_at, sender.last_refused_at) == (NOW, NOW + timedelta(hours=1))
        assert event_store.forget_old(connection, NOW + timedelta(days=7)) == 0
        assert event_store.forget_old(connection, NOW + timedelta(days=7, seconds=1)) == 4
        # Enrolment by the same rules in both databases.
        assert event_store.open_enrolment(connection, "notion", NOW)
        assert event_store.enrol(connection, "notion", "secret", CIPHER, NOW)
        assert not event_store.enrol(connection, "notion", "another", CIPHER, NOW)
        event_store.close_enrolment(connection, "notion", confirmed=True)
        assert event_store.senders(connection, CIPHER)["notion"].key == "secret"
        other = MultiFernet([Fernet(Fernet.generate_key())])
        assert event_store.senders(connection, other)["notion"].key == ""
    if address.startswith("postgresql"):
        _drop(address)


def test_a_restored_database_has_the_events_that_were_noted(address: str, tmp_path: Path) -> None:
    settings = read_settings(
        {"REPORTING_STATE": str(tmp_path), "REPORTING_BACKUP_URI": str(tmp_path / "kept")}
    )
    with event_store.connected(address) as connection:
        event_store.note(connection, events("before"), NOW)
    kept = metadata.keep(settings, address, NOW)
    with event_store.connected(address) as connection:
        event_store.note(connection, events("after"), NOW)
    metadata.restore_kept(settings, kept, address)
    with event_store.connected(address) as connection:
        assert [event.key for _, event in event_store.note(connection, events("before", "after"), NOW)] == [
            "after"
        ]
    if address.startswith("postgresql"):
        _drop(address)


def _drop(address: str) -> None:
    engine = sa.create_engine(sa.make_url(address).set(drivername="postgresql+psycopg2"))
    with engine.begin() as connection:
        for name in ("alembic_version", *event_store.names()):
            connection.execute(sa.text(f"DROP TABLE {name}"))


def test_a_database_that_cannot_be_used_is_said_without_its_address(tmp_path: Path) -> None:
    with (
        pytest.raises(CommandError, match="creates the tables of events") as caught,
        event_store.connected(f"sqlite:///{tmp_path}/airflow.db") as connection,
    ):
        event_store.senders(connection)
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(CommandError, match="no installation yet"), event_store.connected(None):
        pass


def test_without_a_fernet_key_no_key_is_kept() -> None:
    with pytest.raises(CommandError, match="AIRFLOW__CORE__FERNET_KEY is not set"):
        event_store.cipher_of({})
    keys = [Fernet.generate_key().decode() for _ in range(2)]
    old = event_store.cipher_of({event_store.FERNET_KEYS: keys[1]}).encrypt(b"said")
    assert event_store.cipher_of({event_store.FERNET_KEYS: f"{keys[0]}, {keys[1]}"}).decrypt(old) == b"said"
