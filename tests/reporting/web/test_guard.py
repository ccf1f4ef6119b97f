"""What the guard lets through, by what an ASGI server tells of a connection."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from reporting.deploy import configuration
from reporting.web.attempts import ACCOUNT_LIMIT, STRANGERS_LIMIT
from reporting.web.attempts import NETWORK_LIMIT as LIMIT
from reporting.web.attempts import NETWORK_SECONDS as WINDOW_SECONDS
from reporting.web.guard import MOST_BYTES, Guard, Message, Receive, Scope, Send


async def airflow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers everything."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"X-Frame-Options", b"SAMEORIGIN")]}
    )
    await send({"type": "http.response.body", "body": b""})


def ask(guard: Guard, path: str, body: bytes = b"", **more: Any) -> tuple[int, dict[str, str]]:
    """The status and the headers of the answer."""
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": b"", "scheme": "http"}
    scope |= {"server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 50000), **more}
    headers = list(more.get("headers", ()))
    if not any(name == b"host" for name, _ in headers):
        headers.append((b"host", b"127.0.0.1:8000"))
    scope["headers"] = headers
    sent: list[Message] = []
    pieces = [body[:5], body[5:]]

    async def receive() -> Message:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

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


@pytest.mark.parametrize("root", ["", "/base"])
def test_a_proxy_that_adds_no_header_does_not_find_the_way_of_tasks(
    monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    """It asks from this machine for whoever asks it, and looks like a task."""
    address = configuration.execution_url(8000, "x" * 64)
    monkeypatch.setenv(configuration.EXECUTION_URL, address)
    asked: list[tuple[str, bytes]] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append((scope["path"], scope["raw_path"]))
        await airflow(scope, receive, send)

    guard = Guard(noting)
    way = address.removeprefix("http://127.0.0.1:8000").rstrip("/")
    for path in ("/execution/health", "/execution", f"{way[:-1]}/health", f"{way}0/health"):
        found = ask(guard, f"{root}{path}", root_path=root)[0]
        assert found == (404 if path.startswith("/execution/") or path == "/execution" else 200)
    assert asked == [(f"{root}{way[:-1]}/health", b""), (f"{root}{way}0/health", b"")]
    asked.clear()
    assert ask(guard, f"{root}{way}/health", root_path=root)[0] == 200
    assert asked == [(f"{root}/execution/health", f"{root}/execution/health".encode())]
    # Who knows the path is still no browser, no proxy, and no other machine.
    outside: list[dict[str, Any]] = [
        {"server": ("10.0.0.4", 8000)},
        {"headers": [(b"x-forwarded-for", b"127.0.0.1")]},
        {"headers": [(b"origin", b"http://127.0.0.1:8000")]},
    ]
    for more in outside:
        assert ask(guard, f"{root}{way}/health", root_path=root, **more)[0] == 404


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


class SignIn:
    """Signs `owner` in whose password is right, as Airflow does, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.now = 0.0
        self.guard = Guard(self, clock=lambda: self.now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        body = (await receive())["body"].decode(errors="replace")
        is_right = "owner" in body and "right" in body
        if scope["path"] == "/auth/token":
            status, headers = (201 if is_right else 401), []
        else:
            status, headers = 302, [(b"Location", b"/" if is_right else b"/auth/login/?next=")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def token(self, address: str, password: str = "wrong", name: str = "owner", **more: Any) -> int:  # noqa: S107
        body = json.dumps({"username": name, "password": password}).encode()
        headers = [(b"content-type", b"application/json")]
        server = {"server": ("10.0.0.4", 8000)}
        return ask(
            self.guard,
            "/auth/token",
            body,
            method="POST",
            client=(address, 1),
            headers=headers,
            **server,
            **more,
        )[0]

    def form(self, address: str, password: str = "wrong", name: str = "owner") -> int:  # noqa: S107
        body = urlencode({"username": name, "password": password}).encode()
        headers = [(b"content-type", b"application/x-www-form-urlencoded")]
        return ask(
            self.guard,
            "/auth/login/",
            body,
            method="POST",
            client=(address, 1),
            server=("10.0.0.4", 8000),
            headers=headers,
        )[0]


def test_a_network_of_ipv6_is_one_client_and_a_mapped_address_that_of_ipv4() -> None:
    server = SignIn()
    assert [server.token(f"2001:db8:0:1::{number:x}") for number in range(LIMIT + 5)] == [401] * LIMIT + [
        429
    ] * 5
    assert server.token("2001:db8:0:2::1") == 401
    server.now = 1000
    found = [
        server.token(("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7:4711")[number % 3])
        for number in range(LIMIT + 1)
    ]
    assert found == [401] * LIMIT + [429]


def test_strangers_cost_no_more_however_many_they_are_and_erase_no_counter() -> None:
    server = SignIn()
    assert [server.token("203.0.113.7") for _ in range(LIMIT)] == [401] * LIMIT
    found = [server.token(f"2001:db8:{number:x}::1", name=f"n{number}") for number in range(10_000)]
    assert server.asked == STRANGERS_LIMIT
    assert set(found[STRANGERS_LIMIT:]) == {429}
    assert server.token("203.0.113.7") == 429
    assert len(server.guard._attempts) < 3 * STRANGERS_LIMIT
    # What counts no more is not kept.
    for minute in range(1, 100):
        server.now = minute * 61
        for number in range(100):
            server.token(f"2001:db8:{minute:x}:{number:x}::1", name=f"n{minute}-{number}")
    assert len(server.guard._attempts) < 20 * STRANGERS_LIMIT


@pytest.mark.parametrize("way", ["token", "form"])
def test_strangers_do_not_lock_out_whoever_signed_in_from_where_they_are(way: str) -> None:
    server = SignIn()
    sign_in = getattr(server, way)
    assert sign_in("198.51.100.1", "right") in (201, 302)
    for number in range(ACCOUNT_LIMIT + 10):
        server.now += 10
        server.token(f"2001:db8:{number:x}::1")
    # The account is closed to strangers, and other accounts are not.
    assert server.token("203.0.113.9", "right") == 429
    assert server.token("203.0.113.9", "right", "other") == 401
    assert sign_in("198.51.100.1", "right") in (201, 302)
    # The machine itself is no stranger.
    assert server.token("127.0.0.1", "right") == 429
    local = {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "method": "POST"}
    body = json.dumps({"username": "owner", "password": "right"}).encode()
    assert ask(server.guard, "/auth/token", body, **local)[0] == 201
    # It is known for this account alone, and has its own limit.
    assert server.token("198.51.100.1", name="other") == 401
    assert [server.token("198.51.100.1") for _ in range(LIMIT)][-1] == 429
    server.now += 10_000
    assert server.token("203.0.113.9", "right") == 201


def test_the_form_and_tokens_have_one_limit_and_right_passwords_cost_strangers_nothing() -> None:
    server = SignIn()
    for number in range(2 * STRANGERS_LIMIT):
        assert server.form(f"198.51.100.{number}", "right") == 302
    assert [server.form("203.0.113.1") for _ in range(5)] + [
        server.token("203.0.113.1") for _ in range(6)
    ] == [302] * 5 + [401] * 5 + [429]


FORM = "application/x-www-form-urlencoded"
PART = b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\nowner\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("path", "kinds", "body"),
    [
        ("/auth/login/", [FORM], b"username=owner&password=%d&more=\xff"),
        ("/auth/login/", [FORM], b"username=owner&username=n%d"),
        ("/auth/login/", [FORM], b'{"a":"&username=owner&password=wrong&b=","username":"n%d"}'),
        ("/auth/login/", [f"{FORM}; more=json"], b"username=owner&password=%d"),
        ("/auth/login/", ["multipart/form-data; boundary=b", FORM], b"&username=n%d&a=\r\n" + PART),
        ("/auth/login/", ["multipart/form-data; boundary=b"], b"&username=n%d&a=\r\n" + PART),
        ("/auth/login/", [], b"username=n%d"),
        ("/auth/token", [FORM], b'{"username": "owner", "password": "&username=n%d"}'),
        ("/auth/token", ["application/json"], b"username=n%d"),
    ],
)
def test_no_way_of_writing_a_name_gives_more_tries(path: str, kinds: list[str], body: bytes) -> None:
    server = SignIn()
    headers = [(b"content-type", kind.encode()) for kind in kinds]
    for number in range(2 * ACCOUNT_LIMIT):
        server.now += 3
        ask(
            server.guard,
            path,
            body % number,
            method="POST",
            client=(f"2001:db8:{number:x}::1", 1),
            server=("10.0.0.4", 8000),
            headers=headers,
        )
    assert server.asked == ACCOUNT_LIMIT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"username": 7}',
        b"\xff\xfe",
        b"username=a&username=b",
        b"{" * 60_000,
        b'{"username": ' + b"[" * 60_000,
        b'{"username": "\\ud800"}',
    ],
)
def test_a_body_of_any_kind_is_passed_on_as_it_came(body: bytes) -> None:
    came: list[bytes] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        came.append((await receive())["body"])
        await airflow(_, receive, send)

    assert ask(Guard(app), "/auth/token", body, method="POST")[0] == 200
    assert came == [body]


def test_a_body_that_is_too_long_is_no_sign_in() -> None:
    assert ask(Guard(airflow), "/auth/token", b"a" * (MOST_BYTES + 1), method="POST")[0] == 413


def test_every_answer_tells_the_browser_to_stay_strict() -> None:
    _, headers = ask(Guard(airflow), "/")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "strict-transport-security" not in headers
    assert "strict-transport-security" in ask(Guard(airflow), "/", scheme="https")[1]
