"""The address of streams: what is accepted is in the landing before the answer, and in the raw table after the next sync."""

import asyncio
import copy
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from google.cloud import bigquery
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.schema import CreateTable
from sqlalchemy_bigquery import BigQueryDialect

from reporting.cli.command import call
from reporting.deploy import event_store, stream_store
from reporting.deploy.errors import CommandError
from reporting.ingest import inbox, states
from reporting.ingest.landing import Landing
from reporting.ingest.suppression import Matcher
from reporting.privacy import places
from reporting.settings import ROOT, Settings, read_settings
from reporting.sources import registry
from reporting.sources.base import Page, Record
from reporting.sources.registry import SOURCES
from reporting.sources.stream import DeclarationError, Property, StreamTable, reader
from reporting.sources.stream.inbox import Inbox
from reporting.sources.stream.records import parsed
from reporting.sources.stream.rows import row
from reporting.warehouse import tables as described
from reporting.warehouse.tables import raw_table
from reporting.web.stream import PREFIX
from reporting.web.stream.endpoint import LIMIT, Stream
from tests.support.event_desk import ask
from tests.support.serving_app import served_app
from tests.support.syncs import Syncs

NOW = datetime(2026, 11, 30, 12, 0, 30, tzinfo=UTC)
DAY = {"day": "2026-11-30", "score": 7, "remark": "rested"}


def example() -> StreamTable:
    """The stream that the documents declare."""
    spec = importlib.util.spec_from_file_location(
        "example_mood", ROOT / "docs" / "examples" / "mood" / "__init__.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    [found] = module.ENTITIES
    assert isinstance(found, StreamTable)
    return found


MOOD = example()
# Every record a row of its own.
VISITS = StreamTable(
    name="visits",
    description="Visits.",
    columns={"at": Property("datetime", "When."), "isNew": Property("bool", "Whether it is new.")},
    required=("at",),
)
TABLES = {each.name: each for each in (MOOD, VISITS)}


class Desk:
    """One server's address of streams, over a metadata database and a landing of a test's own."""

    def __init__(self, folder: Path) -> None:
        self.settings = read_settings({"REPORTING_STATE": str(folder)})
        self.landing = Landing.of(self.settings)
        self.engine = sa.create_engine(
            "sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False}
        )
        stream_store.create(self.engine)
        self.time, self.seconds = NOW, 0.0
        self.rung: list[str] = []
        self.asked = 0
        self.is_away = False
        self.app = Stream(TABLES, self, lambda: self.seconds, lambda: self.time)
        self.token = self.made("mood")

    def made(self, name: str) -> str:
        with self.engine.begin() as connection:
            return stream_store.make_token(connection, name, NOW)

    def tokens(self) -> Mapping[str, frozenset[str]]:
        self.asked += 1
        with self.engine.begin() as connection:
            return stream_store.tokens(connection)

    def answered(self, table: StreamTable, key: str) -> stream_store.Kept | None:
        with self.engine.begin() as connection:
            return stream_store.answered(connection, table.name, key)

    def keep(self, table: StreamTable, records: list[Record], request_id: str, received_at: datetime) -> None:
        if self.is_away:
            raise OSError("ada@example.org cannot be written")
        inbox.keep(self.landing, table, records, request_id, received_at)

    def done(self, table: StreamTable, key: str | None, content: str, said: Mapping[str, Any]) -> None:
        # What is accepted is there before anything else is done.
        assert self.requests(table.name)
        self.rung.append(table.name)
        if key is not None:
            with self.engine.begin() as connection:
                stream_store.keep_answer(connection, table.name, key, content, said, NOW)

    def requests(self, name: str = "mood") -> list[list[dict[str, Any]]]:
        found = Inbox(self.settings, name)
        return [list(found.payloads(folder)) for _, folder in found.requests()]

    def push(
        self, content: Any, name: str = "mood", token: str | None = None, key: str | None = None, **more: Any
    ) -> tuple[int, Any]:
        if isinstance(content, list):
            body = "\n".join(json.dumps(each) for each in content).encode()
        else:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = {"Authorization": f"Bearer {token or self.token}"} | (
            {"Idempotency-Key": key} if key else {}
        )
        return asyncio.run(ask(self.app, f"{PREFIX}/{name}", body, headers, **more))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_is_accepted_is_in_the_landing_before_the_answer(desk: Desk) -> None:
    assert desk.push(DAY) == (202, {"accepted": 1, "refused": []})
    assert desk.requests() == [[{"id": "2026-11-30", "record": DAY, "received_at": NOW.isoformat()}]]
    assert desk.rung == ["mood"]
    desk.is_away = True
    assert desk.push(DAY)[0] == 503
    assert desk.rung == ["mood"]


def test_each_record_that_is_refused_says_where_and_why_and_not_what(desk: Desk) -> None:
    lines = [
        json.dumps(DAY),
        "{",
        "[1]",
        "",
        json.dumps(DAY | {"score": "many, ada@example.org"}),
        json.dumps(DAY | {"score": True}),
        json.dumps({"score": 3}),
        json.dumps(DAY | {"Remark": "ada@example.org"}),
        json.dumps(DAY | {"day": "30.11.2026"}),
        json.dumps(DAY | {"remark": {"a": 1}}),
        json.dumps({"day": "2026-11-29", "score": "6.5", "remark": None}),
    ]
    status, said = desk.push("\n".join(lines).encode())
    assert (status, said["accepted"]) == (202, 2)
    assert said["refused"] == [
        {"position": 2, "error": "not_json"},
        {"position": 3, "error": "not_an_object"},
        {"position": 4, "error": "wrong_type", "field": "score", "expected": "number"},
        {"position": 5, "error": "wrong_type", "field": "score", "expected": "number"},
        {"position": 6, "error": "missing_field", "field": "day", "expected": "date"},
        {"position": 7, "error": "unknown_field", "field": "Remark"},
        {"position": 8, "error": "wrong_type", "field": "day", "expected": "date"},
        {"position": 9, "error": "wrong_type", "field": "remark", "expected": "text"},
    ]
    assert "ada" not in json.dumps(said)
    assert desk.push([{"day": "never"}])[0] == 422
    assert len(desk.requests()) == 1


def test_a_request_that_is_sent_again_with_its_key_changes_nothing(desk: Desk) -> None:
    first = desk.push([DAY, {"day": 1}], key="phone-1")
    assert first[0] == 202
    assert desk.push(DAY | {"score": 3}, key="phone-2")[0] == 202
    desk.time += timedelta(minutes=1)
    assert desk.push([DAY, {"day": 1}], key="phone-1") == first
    assert desk.push(DAY | {"score": 9}, key="phone-1")[0] == 409
    assert len(desk.requests()) == 2
    assert desk.push(DAY, key="x" * 201)[0] == 400
    # The key of one stream is none of another's. A new token counts after five seconds.
    token, visit = desk.made("visits"), {"at": "2026-11-30 12:00"}
    assert desk.push(visit, "visits", token, "phone-1")[0] == 401
    desk.seconds += 5
    assert desk.push(visit, "visits", token, "phone-1")[0] == 202


def test_a_request_whose_answer_was_lost_makes_the_same_rows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = desk.made("visits")

    def lost(*_: object) -> None:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(desk, "done", lost)
        assert desk.push({"at": "2026-11-30 12:00"}, "visits", token, "phone-1")[0] == 503
    desk.time += timedelta(seconds=1)
    assert desk.push({"at": "2026-11-30 12:00"}, "visits", token, "phone-1")[0] == 202
    one, two = desk.requests("visits")
    assert one[0]["id"] == two[0]["id"]


def test_a_token_is_for_one_stream_until_it_is_revoked(desk: Desk) -> None:
    visits = desk.made("visits")
    for name, token in (
        ("visits", desk.token),
        ("mood", visits),
        ("nothing", desk.token),
        ("mood", "stream_x"),
        ("", ""),
    ):
        assert desk.push(DAY, name, token or "none")[0] == 401
    path, body = f"{PREFIX}/mood", json.dumps(DAY).encode()
    right = f"Bearer {desk.token}"
    for headers in (
        [],
        [("Authorization", desk.token)],
        [("Authorization", f"Basic {desk.token}")],
        [("Authorization", right)] * 2,
    ):
        assert asyncio.run(ask(desk.app, path, body, headers))[0] == 401
    assert asyncio.run(ask(desk.app, path, body, [("authorization", f"bearer {desk.token}")]))[0] == 202
    assert desk.push(DAY, method="GET")[0] == 405
    with desk.engine.begin() as connection:
        assert desk.token not in str(list(connection.execute(sa.select(stream_store.TOKENS))))
        assert stream_store.revoke(connection, "mood") == 1
    desk.seconds += 5
    assert desk.push(DAY)[0] == 401
    assert desk.asked == 2


def test_a_token_has_a_limit_and_says_when_it_is_over(desk: Desk) -> None:
    assert [desk.push(DAY)[0] for _ in range(LIMIT + 1)] == [202] * LIMIT + [429]
    desk.seconds = 61
    assert desk.push(DAY)[0] == 202


def test_too_many_records_and_too_long_bodies_are_refused_whole(desk: Desk) -> None:
    assert desk.push([DAY] * 1001)[0] == 413
    assert desk.push(b" " * (2**20 + 1))[0] == 413
    assert desk.requests() == []
    assert (
        desk.push(
            [DAY | {"day": f"2026-{month:02}-{day:02}"} for month in range(1, 13) for day in range(1, 29)]
        )[0]
        == 202
    )


def test_a_database_that_is_away_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> Any:
        raise OSError("postgresql://owner:hush@db")

    monkeypatch.setattr(desk, "tokens", away)
    status, said = desk.push(DAY)
    assert (status, "hush" in str(said) + caplog.text) == (503, False)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each),
    max_leaves=3,
)


@given(
    records=st.lists(
        st.dictionaries(st.sampled_from(["day", "score", "remark", "other"]), JSONS) | JSONS, max_size=5
    ),
    more=st.binary(max_size=20),
)
def test_any_body_is_records_that_fit_or_problems(records: list[Any], more: bytes) -> None:
    body = b"\n".join([*(json.dumps(each).encode() for each in records), more])
    accepted, refused = parsed(MOOD, body, "id", NOW)
    positions = [each.position for each in refused]
    assert len(set(positions)) == len(positions)
    for record in accepted:
        values = row(MOOD, record, {}, read_settings({}))
        assert values["id"]
        json.dumps(values).encode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Mood"}, "a name has letters"),
        ({"columns": {}}, "no columns"),
        ({"key": "nothing"}, "is needed and no column"),
        ({"columns": {"received_at": Property("text", "")}}, "is there already"),
        ({"columns": {"%": Property("text", "")}}, "makes no name"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(changes: dict[str, Any], words: str) -> None:
    given_ = {"name": "mood", "description": "", "columns": {"day": Property("date", "")}}
    with pytest.raises(DeclarationError, match=words):
        StreamTable(**given_ | changes)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The streams are declared, as in a package of the owner's."""
    source = copy.replace(SOURCES["stream"], entities=tuple(TABLES.values()))
    monkeypatch.setitem(SOURCES, "stream", source)
    entities = (*registry.ENTITIES, *TABLES.values())
    for module in (registry, described):
        monkeypatch.setattr(module, "ENTITIES", entities)


@pytest.fixture
def syncs(declared: None, desk: Desk, shared_warehouse: tuple[bigquery.Client, Settings]) -> Iterator[Syncs]:
    client, settings = shared_warehouse
    raw = settings.dataset("raw")
    settings = copy.replace(settings, state=desk.settings.state)
    for table in TABLES.values():
        made = raw_table(table, sa.MetaData(), raw.removesuffix("raw"))
        client.query_and_wait(f"DROP TABLE IF EXISTS {raw}.{table.table}")
        client.query_and_wait(str(CreateTable(made).compile(dialect=BigQueryDialect())))
        states.forget(settings, table)
    yield Syncs(client, settings, desk.landing)
    for table in TABLES.values():
        client.query_and_wait(f"DROP TABLE {raw}.{table.table}")


def synced(syncs: Syncs, desk: Desk, table: StreamTable = MOOD) -> list[tuple[str, ...]]:
    """What the raw table holds after another sync."""
    opened = reader.open_reader(desk.settings, table, "", None)
    syncs.loaded(table, syncs.extracted(table, "changed", opened))
    names = ", ".join(["id", *(name for name in table.staged if name != "received_at")])
    sql = f"SELECT {names} FROM {syncs.settings.dataset('raw')}.{table.table} WHERE _deleted_at IS NULL ORDER BY id"
    return [tuple(each) for each in syncs.client.query_and_wait(sql)]


def test_records_reach_the_raw_table_once_whatever_is_repeated(syncs: Syncs, desk: Desk) -> None:
    visits = desk.made("visits")
    desk.time = datetime.now(UTC) - timedelta(minutes=2)
    desk.push([DAY, {"day": "2026-11-29", "score": "4"}], key="a")
    desk.push([{"at": "2026-11-30T10:00:00Z", "isNew": True}] * 2, "visits", visits, key="a")
    first = [("2026-11-29", "2026-11-29", "4", None), ("2026-11-30", "2026-11-30", "7", "rested")]
    assert synced(syncs, desk) == first
    # What was read is read again within the overlap, and changes nothing.
    assert synced(syncs, desk) == first
    desk.time = datetime.now(UTC)
    desk.push(DAY | {"score": 2})
    desk.push([DAY, {"day": "2026-11-29", "score": "4"}], key="a")
    assert synced(syncs, desk)[1] == ("2026-11-30", "2026-11-30", "2", "rested")
    found = synced(syncs, desk, VISITS)
    assert [each[1:] for each in found] == [("2026-11-30T10:00:00Z", "true")] * 2


def test_what_was_loaded_is_removed_after_a_week(desk: Desk) -> None:
    now = datetime.now(UTC)
    for days in (10, 6, 0):
        desk.time = now - timedelta(days=days)
        desk.push(DAY)
    opened = reader.open_reader(desk.settings, MOOD, "", None)
    assert len(list(opened.read(None))) == 3
    assert len(list(opened.read(now))) == 1
    assert len(desk.requests()) == 2


def test_a_purge_looks_into_the_inbox(declared: None, desk: Desk) -> None:
    desk.push([DAY, DAY | {"day": "2026-11-29"}])
    [(source, entity, suppression, run_id)] = places.landings(desk.landing, Matcher([]))
    folder = desk.landing.folder(source, entity, run_id)
    assert (source, desk.landing.erase(folder, suppression.page)) == ("inbox", 0)
    # The first record is somebody's who is erased; the other one stays, although nothing was loaded yet.
    one = desk.landing.erase(
        folder, lambda page: page if page.records[0].id != "2026-11-30" else Page(page.requested_at)
    )
    assert one == 1
    [[left]] = desk.requests()
    assert left["id"] == "2026-11-29"


def test_the_command_makes_a_token_that_it_shows_once(
    declared: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REPORTING_CONFIG", str(tmp_path / "config"))
    address = f"sqlite:///{tmp_path}/airflow.db"
    engine = sa.create_engine(address)
    stream_store.create(engine)
    engine.dispose()
    assert call("connect", ["stream", "mood", "--data", str(tmp_path)]) == 0
    found = re.search(r"^ +(stream_\S{43})$", capsys.readouterr().out, re.MULTILINE)
    assert found is not None
    with event_store.connected(address) as connection:
        assert stream_store.tokens(connection) == {"mood": {stream_store.digest(found[1])}}
    assert call("connect", ["stream", "mood", "--forget", "--data", str(tmp_path)]) == 0
    with event_store.connected(address) as connection:
        assert stream_store.tokens(connection) == {}
    with pytest.raises(CommandError, match=r"is no stream. Use one of mood, visits."):
        call("connect", ["stream", "moods", "--data", str(tmp_path)])


def test_the_documents_example_works(desk: Desk) -> None:
    """The command as it stands in docs/guides/events.md, with another server and token."""
    text = (ROOT / "docs" / "guides" / "events.md").read_text()
    found = re.search(r"^    (curl (?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert found is not None
    assert shutil.which("curl")
    with served_app(desk.app, PREFIX) as address:
        command = found[1].replace("\\\n", " ").replace("https://reporting.example", address)
        done = subprocess.run(
            shlex.split(command.replace("$TOKEN", desk.token)),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert json.loads(done.stdout) == {"accepted": 1, "refused": []}
    assert len(desk.requests()[0]) == 1
    declared_text = (ROOT / "docs" / "examples" / "mood" / "__init__.py").read_text()
    assert declared_text.strip() in text
