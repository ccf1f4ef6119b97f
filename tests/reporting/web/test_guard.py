"""What the guard lets through, by what an ASGI server tells of a connection."""

import asyncio
from typing import Any

import pytest

from reporting.web.guard import LIMIT, MOST_CLIENTS, WINDOW_SECONDS, Guard, Message, Receive, Scope, Send


async def airflow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers everything."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"X-Frame-Options", b"SAMEORIGIN")]}
    )
    await send({"type": "http.response.body", "body": b""})


def ask(guard: Guard, path: str, **more: Any) -> tuple[int, dict[str, str]]:
    """The status and the headers of the answer."""
    scope = {"type": "http", "method": "GET", "path": path, "scheme": "http"}
    scope |= {"server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 50000), **more}
    headers = list(more.get("headers", ()))
    if not any(name == b"host" for name, _ in headers):
        headers.append((b"host", b"127.0.0.1:8000"))
    scope["headers"] = headers
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize(
    ("path", "more", "status"),
    [
        ("/execution/health", {}, 200),
        ("/execution/health", {"server": ("10.0.0.4", 8000)}, 404),
        ("/execution/health", {"server": ("127.0.0.2", 8000)}, 404),
        ("/execution/health", {"server": None}, 404),
        # A front end on this machine says for whom it asks.
        ("/execution/health", {"headers": [(b"x-forwarded-for", b"127.0.0.1")]}, 404),
        ("/execution/health", {"headers": [(b"x-forwarded-proto", b"https")]}, 404),
        ("/execution/health", {"headers": [(b"forwarded", b"for=127.0.0.1")]}, 404),
        # A browser is no task.
        ("/execution/health", {"headers": [(b"origin", b"http://127.0.0.1:8000")]}, 404),
        ("/execution/health", {"headers": [(b"sec-fetch-site", b"same-origin")]}, 404),
        ("/execution/health", {"headers": [(b"host", b"evil.example:8000")]}, 403),
        ("/execution", {"server": ("10.0.0.4", 8000)}, 404),
        ("/base/execution/health", {"server": ("10.0.0.4", 8000), "root_path": "/base"}, 404),
        ("/executions", {"server": ("10.0.0.4", 8000)}, 200),
        ("/api/v2/dags", {"server": ("10.0.0.4", 8000)}, 200),
    ],
)
def test_execution_is_for_this_machine_alone(path: str, more: dict[str, Any], status: int) -> None:
    assert ask(Guard(airflow), path, **more)[0] == status


def test_execution_is_for_workers_at_the_internal_address_and_not_for_the_front_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REPORTING_INTERNAL_ADDRESS", "10.0.0.4")
    guard = Guard(airflow)
    inside = {"server": ("10.0.0.4", 8000), "client": ("10.0.0.5", 1)}
    assert ask(guard, "/execution/health", **inside)[0] == 200
    assert ask(guard, "/execution/health")[0] == 200
    assert ask(guard, "/execution/health", headers=[(b"x-forwarded-for", b"10.0.0.5")], **inside)[0] == 404
    assert ask(guard, "/execution/health", server=("203.0.113.7", 8000))[0] == 404


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"host": "127.0.0.1:8000"}, 200),
        ("POST", {"host": "localhost:9000"}, 200),
        ("GET", {"host": "[::1]:8000"}, 200),
        ("POST", {"host": "REPORTING.example"}, 200),
        (
            "POST",
            {"host": "localhost:8000", "origin": "http://localhost:8000", "sec-fetch-site": "same-origin"},
            200,
        ),
        ("GET", {"host": "localhost:8000", "sec-fetch-site": "none"}, 200),
        # A link on another page leads a person here.
        ("GET", {"host": "localhost:8000", "sec-fetch-site": "cross-site"}, 200),
        ("POST", {"host": "localhost:8000", "sec-fetch-site": "cross-site"}, 403),
        ("PATCH", {"host": "localhost:8000", "sec-fetch-site": "same-site"}, 403),
        ("DELETE", {"host": "localhost:8000", "Sec-Fetch-Site": "Cross-Site"}, 403),
        ("POST", {"host": "localhost:8000", "origin": "http://localhost:3000"}, 403),
        ("GET", {"host": "localhost:8000", "origin": "null"}, 403),
        # Names that are led to this machine.
        ("GET", {"host": "evil.example"}, 403),
        ("GET", {"host": "evil.example:8000"}, 403),
        ("GET", {"host": "127.0.0.1.evil.example"}, 403),
        ("GET", {"host": "localhost:8000@evil.example"}, 403),
        ("GET", {"host": "localhost.:8000"}, 200),
        ("POST", {"host": "192.168.1.7:8000"}, 200),
        # A proxy on this machine that puts its own idea of a host, or a port that goes without saying.
        ("POST", {"host": "127.0.0.1:8000", "origin": "https://reporting.example"}, 200),
        ("POST", {"host": "reporting.example:443", "origin": "https://reporting.example"}, 200),
        ("GET", {"host": ""}, 403),
        ("GET", {"host": "["}, 403),
        # A page whose name was led here can add what a front end adds.
        ("GET", {"host": "evil.example:8000", "x-forwarded-for": "203.0.113.7"}, 403),
        ("POST", {"host": "evil.example:8000", "x-real-ip": "x", "sec-fetch-site": "same-origin"}, 403),
        (
            "POST",
            {"host": "reporting.example", "x-forwarded-for": "a", "origin": "https://reporting.example"},
            200,
        ),
        ("POST", {"host": "reporting.example", "x-forwarded-for": "a", "sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_a_page_of_another_origin_does_nothing_here(
    method: str, headers: dict[str, str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://reporting.example/airflow")
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert ask(Guard(airflow), "/api/v2/dags", method=method, headers=given)[0] == status


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
def test_every_address_of_this_machine_alone_asks_for_a_name(address: str) -> None:
    foreign = [(b"host", b"evil.example:8000")]
    assert ask(Guard(airflow), "/api/v2/dags", server=(address, 8000), headers=foreign)[0] == 403
    assert ask(Guard(airflow), "/api/v2/dags", server=(address, 8000))[0] == 200


def test_whoever_asks_from_another_machine_may_name_it_as_he_likes() -> None:
    """A platform's probe, for one, asks by an address."""
    inside = {"server": ("10.0.0.4", 8000), "headers": [(b"host", b"169.254.130.2:8000")]}
    assert ask(Guard(airflow), "/reporting/health", **inside)[0] == 200
    foreign = [(b"host", b"reporting.example"), (b"sec-fetch-site", b"cross-site")]
    assert (
        ask(Guard(airflow), "/api/v2/dags", method="POST", server=("10.0.0.4", 8000), headers=foreign)[0]
        == 403
    )


def test_tokens_are_limited_by_client_and_only_when_asked_for() -> None:
    now = 0.0
    guard = Guard(airflow, clock=lambda: now)

    def token(client: str, method: str = "POST", path: str = "/auth/token") -> int:
        return ask(guard, path, method=method, client=(client, 1))[0]

    assert [token("203.0.113.7") for _ in range(LIMIT + 1)] == [200] * LIMIT + [429]
    assert token("203.0.113.7", path="/auth/token/cli") == 429
    assert token("203.0.113.8") == 200
    assert token("203.0.113.7", method="GET") == 200
    now = WINDOW_SECONDS - 1
    status, headers = ask(guard, "/auth/token", method="POST", client=("203.0.113.7", 1))
    assert (status, headers["retry-after"]) == (429, "2")
    now = WINDOW_SECONDS + 1
    assert token("203.0.113.7") == 200


def test_many_clients_do_not_fill_the_memory() -> None:
    guard = Guard(airflow)
    guard._asked.update({str(number): [0.0] for number in range(MOST_CLIENTS + 5)})
    ask(guard, "/auth/token", method="POST")
    assert len(guard._asked) == MOST_CLIENTS


def test_every_answer_tells_the_browser_to_stay_strict() -> None:
    _, headers = ask(Guard(airflow), "/")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "strict-transport-security" not in headers
    assert "strict-transport-security" in ask(Guard(airflow), "/", scheme="https")[1]
