"""The metadata database's address, and real connections of both of Airflow's clients to a real PostgreSQL."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from reporting.deploy import database
from reporting.deploy.errors import CommandError
from tests.support import postgres
from tests.support.certificates import certificate


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hush", "is not an address"),
        ("mysql://owner:hush@db.example/airflow", "begins with 'mysql'"),
        ("postgresql+psycopg2://owner:hush@db.example/airflow", "begins with 'postgresql[+]psycopg2'"),
        ("postgresql://owner:hush@db.example", "lacks a host, a user or a database"),
        ("postgresql://owner:hush@db.example:x/airflow", "is not an address"),
        ("postgresql://owner:hush@db.example/airflow?connect_timeout=1", "parameter connect_timeout"),
        ("postgresql://owner:hush@db.example/airflow?sslmode=always", "sslmode=always"),
        ("postgresql://owner:hush@db.example/airflow?sslmode=prefer", "is not this machine"),
        ("postgresql://owner@db.example/airflow", "has no password"),
    ],
)
def test_a_wrong_address_is_told_without_its_password(text: str, said: str) -> None:
    with pytest.raises(database.DatabaseUrlError, match=said) as caught:
        database.parse(text)
    assert "hush" not in str(caught.value)
    assert caught.value.__context__ is None


def test_the_certificate_is_checked_unless_told_otherwise() -> None:
    made = database.environment(database.parse("postgresql://owner:x@db.example/airflow"))
    assert "sslmode=verify-full" in made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert "ssl=verify-full" in made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"]
    assert Path(made["PGSSLROOTCERT"]).is_file()


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.running() as cluster:
        yield cluster


def connect_both(url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[object, object]:
    """What Airflow's blocking and its asynchronous address answer, with the environment that goes with them."""
    made = database.environment(database.parse(url))
    if authorities := made.get("PGSSLROOTCERT"):
        monkeypatch.setenv("PGSSLROOTCERT", authorities)
    question = sa.text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    engine = sa.create_engine(made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    with engine.connect() as connection:
        first = connection.execute(question).scalar()
    engine.dispose()

    async def ask() -> object:
        engine = create_async_engine(made["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"])
        async with engine.connect() as connection:
            answer = (await connection.execute(question)).scalar()
        await engine.dispose()
        return answer

    return first, asyncio.run(ask())


def test_both_clients_connect_with_a_password_of_every_special_character(
    cluster: postgres.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connect_both(cluster.url(), monkeypatch) == (False, False)
    database.await_answer(database.parse(cluster.url()), seconds=0)


@pytest.mark.parametrize(
    ("url", "said"),
    [({"password": "wrong"}, "authentication failed"), ({"database": "other"}, "does not exist")],
)
def test_what_waiting_does_not_mend_is_said_at_once(
    cluster: postgres.Cluster, url: dict[str, str], said: str
) -> None:
    with pytest.raises(CommandError, match=said) as caught:
        database.await_answer(database.parse(cluster.url(**url)), say=lambda _: pytest.fail("it waited"))
    assert postgres.PASSWORD not in str(caught.value)


def test_a_database_that_is_away_is_waited_for(cluster: postgres.Cluster) -> None:
    cluster.stop()
    is_waiting = threading.Event()
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        is_waiting.set()

    def bring_back() -> None:
        assert is_waiting.wait(30)
        cluster.start()

    helper = threading.Thread(target=bring_back)
    helper.start()
    try:
        database.await_answer(database.parse(cluster.url()), seconds=60, pause=0.1, say=say)
    finally:
        helper.join(60)
    assert "Connection refused" in said[0]


def test_a_database_that_stays_away_is_given_up(cluster: postgres.Cluster) -> None:
    cluster.stop()
    try:
        with pytest.raises(
            CommandError, match=r"has not answered for 0 s.*Connection refused.*Check that it runs"
        ):
            database.await_answer(database.parse(cluster.url()), seconds=0.2, pause=0.1, say=lambda _: None)
    finally:
        cluster.start()


def test_tls_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that is checked is the right one, of the right host; a clear connection is never a fallback."""
    with postgres.tls_folder() as folder:
        right, other = certificate(folder, "right"), certificate(folder, "other")
        with postgres.running(tls=right) as cluster:
            verified = cluster.url(query=f"?sslmode=verify-full&sslrootcert={right[0]}")
            assert connect_both(verified, monkeypatch) == (True, True)
            assert connect_both(cluster.url(query="?sslmode=require"), monkeypatch) == (True, True)
            for query, host, said in (
                (f"?sslmode=verify-full&sslrootcert={other[0]}", "127.0.0.1", "certificate verify failed"),
                (f"?sslmode=verify-full&sslrootcert={right[0]}", "localhost", "does not match host name"),
            ):
                url = cluster.url(host=host, query=query)
                with pytest.raises(CommandError, match=said):
                    database.await_answer(database.parse(url), say=lambda _: pytest.fail("it waited"))


def test_a_server_without_tls_is_not_spoken_to_in_clear(cluster: postgres.Cluster) -> None:
    url = database.parse(cluster.url(query="?sslmode=require"))
    with pytest.raises(CommandError, match="does not support SSL"):
        database.await_answer(url, say=lambda _: pytest.fail("it waited"))
