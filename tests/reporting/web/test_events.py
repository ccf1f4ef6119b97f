"""The address of events: what is taken, what is refused, and what that costs."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from reporting.deploy import event_store
from reporting.web import bodies
from reporting.web.events import PREFIX, noting
from reporting.web.guard import Guard, Message
from tests.support.event_desk import BASE, SECRETS, Desk, ask, hubspot_headers, notion_headers

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
CHANGE = {
    "eventId": 1,
    "subscriptionId": 2,
    "occurredAt": int(NOW.timestamp() * 1000),
    "subscriptionType": "contact.propertyChange",
    "attemptNumber": 0,
    "objectId": 4,
    "propertyName": "email",
    "propertyValue": "ada@example.org",
}
PAGE = {
    "id": "page-1",
    "timestamp": NOW.isoformat(),
    "type": "page.properties_updated",
    "entity": {"id": "page", "type": "page"},
    "data": {"parent": {"id": "habits", "type": "database"}},
}


@pytest.fixture
def desk() -> Desk:
    return Desk(now=lambda: NOW, containers=lambda ids: ("daily_habits",) if "habits" in ids else ())


def test_an_event_is_noted_once_and_triggers_what_it_is_about(desk: Desk) -> None:
    assert desk.hubspot([CHANGE]) == (200, {"noted": 1})
    assert desk.hubspot([CHANGE | {"attemptNumber": 1}, CHANGE])[0] == 200
    assert desk.notion(PAGE)[0] == 200
    assert desk.notion(PAGE)[0] == 200
    desk.restarted()
    assert desk.notion(PAGE)[0] == 200
    assert desk.triggered == ["raw_hubspot__contacts__changed", "raw_notion__daily_habits__changed"]
    assert [(each.source, each.object_id) for each in desk.noted()] == [("hubspot", "4"), ("notion", "page")]
    sender = desk.sender("hubspot")
    assert (sender.noted_count, sender.last_noted_at, sender.refused_count) == (1, NOW, 0)


def test_nothing_of_a_payload_is_kept(desk: Desk) -> None:
    desk.hubspot([CHANGE])
    desk.notion(PAGE | {"authors": [{"id": "ada"}], "data": {"properties": {"Name": "Ada"}}})
    with desk.engine.begin() as connection:
        kept = [list(connection.execute(sa.select(table))) for table in event_store.TABLES]
    assert "ada" not in str(kept).lower()


@pytest.mark.parametrize("source", SECRETS)
def test_what_is_not_signed_is_refused_and_counted(
    source: str, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps([CHANGE] if source == "hubspot" else PAGE).encode()

    def signed(secret: str) -> dict[str, str]:
        return notion_headers(body, secret) if source == "notion" else hubspot_headers(body, secret, NOW)

    right = signed(SECRETS[source])
    other = "hubspot" if source == "notion" else "notion"
    wrong: list[tuple[str, bytes, Any]] = [
        (source, body, {}),
        (source, body, signed("another secret")),
        (source, body + b" ", right),
        (source, body[:-1], right),
        (source, body, {name: value[:-1] for name, value in right.items()}),
        (source, body, dict.fromkeys(right, "")),
        (source, b"", right),
        # A second header before or after the right one.
        (source, body, [*right.items(), *right.items()]),
        # The signature of one source is none of the other's.
        (other, body, right),
    ]
    for where, sent, headers in wrong:
        assert desk.send(where, sent, headers)[0] == 401
    assert (desk.noted(), desk.triggered) == ([], [])
    assert desk.send(source, body, right)[0] == 200
    assert desk.sender(source).refused_count == len(wrong) - 1
    assert "ada@example.org" not in caplog.text
    assert len([each for each in caplog.records if each.levelno == logging.WARNING]) <= 2


def test_an_old_request_is_refused_although_it_was_right(desk: Desk) -> None:
    body = json.dumps([CHANGE]).encode()
    headers = hubspot_headers(body, SECRETS["hubspot"], NOW - timedelta(minutes=6))
    assert desk.send("hubspot", body, headers)[0] == 401
    assert desk.notion(PAGE | {"timestamp": (NOW - timedelta(days=4)).isoformat()})[0] == 401
    assert desk.noted() == []


def test_headers_that_name_another_host_do_not_change_what_is_signed(desk: Desk) -> None:
    body = json.dumps([CHANGE]).encode()
    foreign = hubspot_headers(body, SECRETS["hubspot"], NOW, "https://evil.example/reporting/events/hubspot")
    named = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    assert desk.send("hubspot", body, foreign | named)[0] == 401
    assert desk.send("hubspot", body, hubspot_headers(body, SECRETS["hubspot"], NOW) | named)[0] == 200


def test_the_query_is_signed_as_it_comes(desk: Desk) -> None:
    body = json.dumps([CHANGE]).encode()
    headers = hubspot_headers(body, SECRETS["hubspot"], NOW, f"{BASE}{PREFIX}/hubspot?portal=a:b")
    assert desk.send("hubspot", body, headers)[0] == 401
    assert desk.send("hubspot", body, headers, query_string=b"portal=a%3Ab")[0] == 200


def test_without_a_webhook_there_is_nothing_here() -> None:
    desk = Desk(secrets={})
    for source in ("notion", "hubspot", "google", "", "notion/", "../health"):
        assert desk.send(source, b"{}")[0] == 404
    assert desk.send("notion", b'{"verification_token": "secret_of_a_stranger"}')[0] == 404
    assert (desk.noted(), desk.writes) == ([], 0)


def test_only_post_is_taken(desk: Desk) -> None:
    assert desk.send("notion", b"", method="GET")[0] == 405


def test_a_signed_body_that_is_not_understood_is_said_so_without_its_words(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    status, said = desk.hubspot({"propertyValue": "ada@example.org"})
    assert (status, "ada" in str(said)) == (400, False)
    assert "ada" not in caplog.text


def test_when_the_database_is_away_the_source_sends_it_again(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.hubspot([CHANGE])
    desk.is_away = True
    assert desk.hubspot([CHANGE | {"eventId": 2}])[0] == 503
    desk.seconds = 60
    status, said = desk.hubspot([CHANGE | {"eventId": 2}])
    assert (status, "hush" in str(said) + caplog.text) == (503, False)
    desk.is_away = False
    assert desk.hubspot([CHANGE | {"eventId": 2}])[0] == 200
    assert len(desk.noted()) == 2


def exchange(desk: Desk, headers: dict[str, str], receive: Callable[[], Any]) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"{PREFIX}/notion",
        "root_path": PREFIX,
        "headers": given,
    }
    asyncio.run(desk.app(scope, receive, send))
    return sent


def test_a_huge_body_is_refused_before_it_is_read(desk: Desk) -> None:
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 2**16, "more_body": True}

    for length in (str(2**20 + 1), f"000{2**20 + 1}", "9" * 5000):
        sent = exchange(desk, {"content-length": length}, receive)
        assert (sent[0]["status"], asked) == (413, 0)
    # One that does not say how long it is.
    sent = exchange(desk, {"transfer-encoding": "chunked"}, receive)
    assert (sent[0]["status"], asked) == (413, 2**20 // 2**16 + 1)
    # A digit that is none of Latin.
    assert exchange(desk, {"content-length": "\N{SUPERSCRIPT TWO}"}, receive)[0]["status"] == 413
    body = b"x" * 2**20
    assert desk.send("notion", body, notion_headers(body, "another"))[0] == 401


def test_a_slow_body_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SECONDS", 0.05)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    assert exchange(desk, {}, receive)[0]["status"] == 408


def test_all_bodies_together_need_little_memory(desk: Desk) -> None:
    """A hundred clients that send a megabyte each and do not end: the rest is turned away, and everybody gets in afterwards."""

    async def crowd() -> list[int]:
        is_over = asyncio.Event()
        arrived = 0
        everybody = asyncio.Event()

        async def one() -> int:
            nonlocal arrived
            sent: list[Message] = []
            is_first = True

            async def receive() -> Message:
                nonlocal arrived, is_first
                if is_first:
                    is_first = False
                    arrived += 1
                    if arrived == 100:
                        everybody.set()
                    return {"type": "http.request", "body": b"x" * 2**20, "more_body": True}
                await is_over.wait()
                return {"type": "http.disconnect"}

            async def send(message: Message) -> None:
                sent.append(message)

            scope = {
                "type": "http",
                "method": "POST",
                "path": f"{PREFIX}/notion",
                "root_path": PREFIX,
                "headers": [],
            }
            await desk.app(scope, receive, send)
            return int(sent[0]["status"])

        clients = [asyncio.create_task(one()) for _ in range(100)]
        await everybody.wait()
        is_over.set()
        statuses = await asyncio.gather(*clients)
        body = json.dumps(PAGE).encode()
        assert (await ask(desk.app, f"{PREFIX}/notion", body, notion_headers(body, SECRETS["notion"])))[
            0
        ] == 200
        return list(statuses)

    statuses = asyncio.run(crowd())
    assert statuses.count(400) == bodies.MOST_BYTES_TOGETHER // 2**20
    assert statuses.count(503) == 100 - statuses.count(400)


def test_ten_thousand_strangers_cost_no_statement_each_and_keep_nobody_out(desk: Desk) -> None:
    async def strangers() -> None:
        for number in range(10_000):
            client = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1)
            status, _ = await ask(
                desk.app, f"{PREFIX}/hubspot", b"[]", {"X-HubSpot-Signature-v3": "x"}, client=client
            )
            assert status == 401
        body = json.dumps([CHANGE]).encode()
        headers = hubspot_headers(body, SECRETS["hubspot"], NOW)
        assert (await ask(desk.app, f"{PREFIX}/hubspot", body, headers))[0] == 200

    asyncio.run(strangers())
    assert desk.writes <= 3
    assert (desk.sender("hubspot").refused_count, len(desk.noted())) == (10_000, 1)


def test_what_comes_at_once_is_written_together(desk: Desk) -> None:
    async def burst() -> list[int]:
        async def one(number: int) -> int:
            body = json.dumps(PAGE | {"id": f"page-{number}"}).encode()
            return (await ask(desk.app, f"{PREFIX}/notion", body, notion_headers(body, SECRETS["notion"])))[0]

        return list(await asyncio.gather(*map(one, range(500))))

    assert set(asyncio.run(burst())) == {200}
    assert (len(desk.noted()), desk.writes <= 10) == (500, True)


def test_too_many_at_once_are_sent_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noting, "MOST_WAITING", 2)
    assert desk.hubspot([CHANGE | {"eventId": each} for each in range(3)])[0] == 503
    assert desk.hubspot([CHANGE | {"eventId": each} for each in range(2)])[0] == 200


def test_the_guard_lets_the_services_in_and_pages_of_other_origins_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", BASE)
    guard = Guard(desk.app)
    body = json.dumps(PAGE).encode()
    headers = notion_headers(body, SECRETS["notion"]) | {
        "host": "reporting.example",
        "x-forwarded-for": "203.0.113.7",
    }
    inside: dict[str, Any] = {"server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1), "scheme": "https"}
    path = f"{PREFIX}/notion"
    assert asyncio.run(ask(guard, path, body, headers, **inside))[0] == 200
    assert asyncio.run(ask(guard, path, body, headers | {"sec-fetch-site": "cross-site"}, **inside))[0] == 403


@pytest.fixture
def fresh() -> Desk:
    """Nothing is enrolled yet."""
    return Desk(secrets={}, now=lambda: NOW)


def enrolment(desk: Desk, key: str) -> int:
    return desk.send("notion", json.dumps({"verification_token": key}).encode())[0]


def opened(desk: Desk) -> datetime | None:
    desk.seconds += 60
    with desk.engine.begin() as connection:
        return event_store.open_enrolment(connection, "notion", desk.now())


def closed(desk: Desk, confirmed: bool) -> None:
    desk.seconds += 60
    with desk.engine.begin() as connection:
        event_store.close_enrolment(connection, "notion", confirmed=confirmed)


def test_a_key_is_taken_while_the_owner_enrols_and_never_overwritten(fresh: Desk) -> None:
    assert enrolment(fresh, "secret_early") == 404
    assert opened(fresh) == NOW + timedelta(minutes=10)
    assert enrolment(fresh, "secret_first") == 200
    assert enrolment(fresh, "secret_second") == 404
    assert fresh.sender("notion").pending_key == "secret_first"
    closed(fresh, confirmed=True)
    assert enrolment(fresh, "secret_third") == 401
    assert opened(fresh) is None
    assert enrolment(fresh, "secret_fourth") == 401
    sender = fresh.sender("notion")
    assert (sender.key, sender.pending_key, sender.open_until) == ("secret_first", None, None)
    assert fresh.notion(PAGE, "secret_first")[0] == 200
    assert fresh.notion(PAGE | {"id": "2"}, "secret_second")[0] == 401
    with fresh.engine.begin() as connection:
        assert "secret_first" not in str(list(connection.execute(sa.select(event_store.SENDERS))))
        assert event_store.forget_key(connection, "notion")
    fresh.seconds += 60
    assert fresh.notion(PAGE | {"id": "3"}, "secret_first")[0] == 404
    assert opened(fresh) is not None


def test_a_key_that_the_owner_does_not_confirm_is_forgotten(fresh: Desk) -> None:
    opened(fresh)
    assert enrolment(fresh, "secret_of_a_stranger") == 200
    closed(fresh, confirmed=False)
    assert fresh.notion(PAGE, "secret_of_a_stranger")[0] == 404
    opened(fresh)
    assert enrolment(fresh, "secret_of_notion") == 200


def test_enrolment_closes_by_itself(fresh: Desk) -> None:
    opened(fresh)
    later = NOW + timedelta(minutes=11)
    fresh.now = lambda: later
    assert enrolment(fresh, "secret_late") == 404


def test_of_two_keys_at_once_one_is_taken(fresh: Desk) -> None:
    opened(fresh)

    async def both() -> list[int]:
        bodies = [json.dumps({"verification_token": f"secret_{each}"}).encode() for each in range(2)]
        answers = await asyncio.gather(*(ask(fresh.app, f"{PREFIX}/notion", each) for each in bodies))
        return sorted(status for status, _ in answers)

    assert asyncio.run(both()) == [200, 401]
