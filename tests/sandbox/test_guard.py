"""Servers on loopback answer their own clients alone: no page of another origin, no other user of the machine."""

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from reporting.local import bigquery as server
from reporting.local.serving import Served
from reporting.local.tokens import token_of
from reporting.settings import read_settings
from reporting.warehouse.client import connect
from sandbox.guard import Guard
from sandbox.serving import fake_api

PORT = 9050
TOKEN = "t" * 43
NOBODY = 65534
STATE = "/_control/state"
DATASETS = "/bigquery/v2/projects/local/datasets"


@dataclass
class Server:
    """One that runs, and a path that its token alone opens."""

    served: Served
    folder: Path
    path: str


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    """Everything of the sandbox that listens, in a folder that every user of the machine may enter, unlike pytest's."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        found = {
            name: Server(stack.enter_context(fake_api(name, folder / name)), folder / name, STATE)
            for name in ("notion", "hubspot", "google")
        }
        local = stack.enter_context(server.running(folder / "bigquery"))
        yield {**found, "bigquery": Server(local, folder / "bigquery", DATASETS)}


NAMES = ("notion", "hubspot", "google", "bigquery")
HOSTS = (
    None,
    "",
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1",
    "127.0.0.1:1",
    "localhost.evil.example:{port}",
    "127.0.0.1:{port}.",
)
ORIGINS = (
    "http://evil.example",
    "http://127.0.0.1:1",
    "http://localhost",
    "https://127.0.0.1:{port}",
    "null",
    "",
)
SITES = ("cross-site", "same-site", "")


def asked(
    server: Server, headers: Mapping[str, str | None], method: str = "GET", path: str | None = None
) -> int:
    """The status of an answer; a header of None is not sent, and nothing else is but what is given."""
    address = urlsplit(server.served.address)
    port = str(address.port)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=120)
    connection.putrequest(method, path or server.path, skip_host=True, skip_accept_encoding=True)
    whole = {"Host": address.netloc, "Authorization": f"Bearer {server.served.token}", **headers}
    for name, value in whole.items():
        if value is not None:
            connection.putheader(name, value.replace("{port}", port))
    connection.endheaders()
    try:
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("name", NAMES)
def test_its_own_clients_are_answered(servers: dict[str, Server], name: str) -> None:
    port = str(urlsplit(servers[name].served.address).port)
    for headers in (
        {},
        {"Host": f"localhost:{port}"},
        {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ):
        assert asked(servers[name], headers) == 200, headers


@pytest.mark.parametrize("name", NAMES)
def test_another_host_origin_or_token_is_refused(servers: dict[str, Server], name: str) -> None:
    for host in HOSTS:
        # What HTTP itself refuses never gets to the guard.
        assert asked(servers[name], {"Host": host}) in (400, 403), host
    for origin in ORIGINS:
        assert asked(servers[name], {"Origin": origin}) == 403, origin
        assert asked(servers[name], {"Origin": origin}, "OPTIONS") == 403, origin
    for site in SITES:
        assert asked(servers[name], {"Sec-Fetch-Site": site}) == 403, site
    right = servers[name].served.token
    for authorization in (
        None,
        "",
        "Bearer ",
        f"Bearer {right[:-1]}",
        f"Bearer {right}x",
        f"Basic {right}",
        right,
        "Bearer ü",
    ):
        assert asked(servers[name], {"Authorization": authorization}) == 401, authorization


def test_the_apis_of_the_fake_apis_take_any_token_and_no_foreign_page(servers: dict[str, Server]) -> None:
    paths = {"notion": "/v1/users/me", "hubspot": "/crm/v3/owners", "google": "/v1/people/me/connections"}
    for name, path in paths.items():
        headers = {"Authorization": "Bearer any", "Notion-Version": "2025-09-03"}
        # Google's asks for a token that it gave.
        assert asked(servers[name], headers, path=path) == (401 if name == "google" else 200), name
        for foreign in (
            {"Host": "evil.example:{port}"},
            {"Origin": "http://evil.example"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            assert asked(servers[name], {**headers, **foreign}, path=path) == 403, (name, foreign)


@pytest.mark.parametrize(
    "path",
    [
        "/_control/state",
        "/%5Fcontrol/state",
        "//_control/state",
        "/_control/../_control/state",
        "/_CONTROL/state",
    ],
)
def test_no_spelling_of_a_control_path_goes_without_the_token(servers: dict[str, Server], path: str) -> None:
    for name in ("notion", "hubspot", "google"):
        status = asked(
            servers[name], {"Authorization": "Bearer any", "Notion-Version": "2025-09-03"}, path=path
        )
        assert status in (400, 401, 404), (name, path, status)


def test_the_storage_api_is_not_served(servers: dict[str, Server]) -> None:
    """Nothing of the project asks for it, and it took every request."""
    port = urlsplit(servers["bigquery"].served.address).port
    listening = {
        int(line.split()[1].rpartition(":")[2], 16)
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    assert port in listening
    command = f"--port\0{port}\0".encode()
    (process,) = (
        path.parent
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if command in path.read_bytes() and b"sandbox.bigquery" in path.read_bytes()
    )
    inodes = {
        os.readlink(each)
        for each in (process / "fd").iterdir()
        if os.path.lexists(each) and each.is_symlink()
    }
    own = {
        int(line.split()[1].rpartition(":")[2], 16)
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and f"socket:[{line.split()[9]}]" in inodes
    }
    assert own == {port}


def in_a_child(user: int, work: Callable[[], Any]) -> Any:
    """What `work` gives as another user of this machine; the exception's name where it fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            try:
                result = work()
            except OSError as error:
                result = type(error).__name__
            os.write(writing, json.dumps(result).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("name", NAMES)
def test_another_user_of_the_machine_gets_nothing(
    servers: dict[str, Server], name: str, tmp_path: Path
) -> None:
    running = servers[name]
    pid = next(
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if f"sandbox.{name}\0".encode() in path.read_bytes()
        and str(running.folder).encode() in path.read_bytes()
    )

    def attack() -> dict[str, Any]:
        def tried(work: Callable[[], Any]) -> Any:
            try:
                return work()
            except OSError as error:
                return type(error).__name__

        return {
            "can become nobody": os.getuid(),
            "sees that it runs": "--port" in tried(lambda: Path(f"/proc/{pid}/cmdline").read_text()),
            "token on the command line": running.served.token
            in tried(lambda: Path(f"/proc/{pid}/cmdline").read_text()),
            "token's file": tried((running.folder / "token").read_text),
            "list of files": tried(lambda: [str(each) for each in running.folder.iterdir()]),
            "environment": tried(lambda: Path(f"/proc/{pid}/environ").read_text()),
            "without a token": asked(running, {"Authorization": None}),
            "with a guess": asked(running, {"Authorization": "Bearer any"}),
        }

    assert in_a_child(NOBODY, attack) == {
        "can become nobody": NOBODY,
        "sees that it runs": True,
        "token on the command line": False,
        "token's file": "PermissionError",
        "list of files": "PermissionError",
        "environment": "PermissionError",
        "without a token": 401,
        "with a guess": 401,
    }


def test_a_token_outlives_a_restart_and_one_that_others_can_read_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    first = token_of(folder)
    assert len(first) == 43
    assert token_of(folder) == first
    path = folder / "token"
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    path.chmod(0o644)
    second = token_of(folder)
    assert second != first
    assert path.stat().st_mode & 0o777 == 0o600
    for broken in (b"", b"short", b"\xff" * 50, b"a" * 43 + b"\n" + b"b" * 43, b"a b" * 20):
        path.write_bytes(broken)
        assert token_of(folder) not in (first, second, broken.decode(errors="replace"))
    assert [each.name for each in folder.iterdir()] == ["token"]


def test_a_token_that_somebody_else_placed_is_not_taken(tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text("k" * 43)
    known.chmod(0o600)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "token").symlink_to(known)
    assert token_of(folder) != "k" * 43
    assert known.read_text() == "k" * 43
    # A folder from before there were tokens becomes its owner's alone.
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "token").unlink()
    (folder / "token").mkdir()
    with pytest.raises(IsADirectoryError):
        token_of(folder)


def test_all_who_begin_at_once_have_one_token(tmp_path: Path) -> None:
    for number in range(10):
        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(token_of, [tmp_path / str(number)] * 8))
        assert len(found) == 1


def test_the_token_is_not_shown_and_goes_to_this_machine_alone(
    servers: dict[str, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = servers["bigquery"].served
    assert served.token not in f"{served!r} {served} {servers!r}"
    state = {"REPORTING_STATE": str(servers["bigquery"].folder.parent)}
    for elsewhere in ("http://bigquery.example:9050", "http://127.0.0.1.evil.example:9050", "no address"):
        assert read_settings({**state, "BIGQUERY_EMULATOR_HOST": elsewhere}).emulator_token is None
    # A proxy of the environment is not asked for this machine.
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    list(connect(read_settings({**state, "BIGQUERY_EMULATOR_HOST": served.address})).list_datasets())
    with fake_api("notion", tmp_path / "notion", None, "--days", "2"):
        pass


def test_the_client_says_what_to_do_without_the_token(servers: dict[str, Server], tmp_path: Path) -> None:
    address = servers["bigquery"].served.address
    environment = {"BIGQUERY_EMULATOR_HOST": address, "REPORTING_STATE": str(tmp_path)}
    with pytest.raises(
        Exception, match=r"asks for a token\. The right one is in the file bigquery/token of the state folder"
    ):
        list(connect(read_settings(environment)).list_datasets())
    with pytest.raises(Exception, match=r"refuses the token that it got"):
        list(connect(read_settings({**environment, "BIGQUERY_EMULATOR_TOKEN": "wrong"})).list_datasets())
    # It is found in the state folder, so that nobody has to know it.
    found = read_settings({**environment, "REPORTING_STATE": str(servers["bigquery"].folder.parent)})
    assert found.emulator_token == servers["bigquery"].served.token
    assert found.emulator_token not in repr(found)
    list(connect(found).list_datasets())


async def _answered(scope: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sent.append({"type": "passed on"})

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def receive() -> Any:
        raise AssertionError("nothing is read of what is refused")

    await Guard(app, PORT, TOKEN)(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"127.0.0.1:9050"), (b"host", b"evil.example")],
        [(b"Host", b"127.0.0.1:9050"), (b"HOST", b"127.0.0.1:9050")],
        [
            (b"host", b"127.0.0.1:9050"),
            (b"origin", b"http://127.0.0.1:9050"),
            (b"origin", b"http://evil.example"),
        ],
        [(b"host", b"127.0.0.1:9050"), (b"Sec-Fetch-Site", b"none"), (b"sec-fetch-site", b"cross-site")],
    ],
)
def test_a_header_that_is_sent_twice_hides_nothing(headers: list[tuple[bytes, bytes]]) -> None:
    right = (b"authorization", f"Bearer {TOKEN}".encode())
    (start, _) = asyncio.run(_answered({"type": "http", "path": "/", "headers": [*headers, right]}))
    assert start["status"] == 403


def test_two_tokens_are_none() -> None:
    right = (b"authorization", f"Bearer {TOKEN}".encode())
    scope = {"type": "http", "path": "/", "headers": [(b"host", b"localhost:9050"), right, right]}
    assert asyncio.run(_answered(scope))[0]["status"] == 401


def test_nothing_but_http_is_spoken() -> None:
    assert asyncio.run(_answered({"type": "websocket", "path": "/", "headers": []})) == [
        {"type": "websocket.close", "code": 1008}
    ]


def test_nothing_listens_beyond_loopback(servers: dict[str, Server]) -> None:
    for running in servers.values():
        port = urlsplit(running.served.address).port
        assert port is not None
        with socket.socket() as probe:
            # Another address of this machine's own; it would answer if the server listened on all.
            assert probe.connect_ex(("127.0.0.2", port)) != 0
    assert httpx.get(servers["notion"].served.address + STATE).status_code == 401
