"""Checks every request to Airflow's web server: hides internal paths, refuses requests of other origins, and limits attempts to
sign in.

- `/execution` is for Airflow's own tasks only. It shares one api-server with the web interface, since a second process would
  need more than 200 MB. So it only answers on connections to 127.0.0.1, or to the address in REPORTING_INTERNAL_ADDRESS, whose
  requests were sent neither by a proxy nor by a browser. The address at which a connection arrived is known from the socket,
  and no header can change it. Because a proxy on this machine may not add a header, `/execution` is only reached by the path in
  AIRFLOW__CORE__EXECUTION_API_SERVER_URL, which is secret unless that variable names `/execution` itself.
- A page of another origin may link to this server, but may not act on it: browsers say for each request which page caused it.
  A request to this machine's own address must also name this machine, or the name in AIRFLOW__API__BASE_URL, as its host. This
  prevents DNS rebinding, in which the name of a foreign page resolves to this machine: such a page can send any header except
  `Host` and those that only the browser sets.
- Attempts to sign in, with the form or for a token of the API, are limited by `reporting.web.attempts`. Behind a front end the
  client's address is only right with FORWARDED_ALLOW_IPS, which `script/start` sets.
- Every answer gets headers that switch on strict rules in the browser.

https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from hmac import compare_digest
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlsplit

from reporting.deploy.configuration import EXECUTION_URL
from reporting.settings import Production, read
from reporting.web.attempts import Attempts, Try

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

INTERNAL = "/execution"
LOOPBACK = "127.0.0.1"
DEFAULT_PORTS = {"http": 80, "https": 443}
BASE_URL = "AIRFLOW__API__BASE_URL"
FORWARDING_HEADERS = (b"forwarded", b"via", b"x-real-ip")
OTHER_SITES = (b"cross-site", b"same-site")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
FOREIGN = (
    b'{"detail":"Refused: the request comes from a page of another origin, or by a name that is not this server\'s. '
    b'AIRFLOW__API__BASE_URL says by which name it is asked."}'
)
TOKEN, FORM = "/auth/token", "/auth/login"
FORM_KIND = b"application/x-www-form-urlencoded"
# What gives no name that is the same to everybody has one budget, as an account has: else each account would have two.
UNREADABLE = "\0"
# A name and a password are not longer, and do not take longer to come.
MOST_BYTES = 2**16
BODY_SECONDS = 10.0
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
)
HTTPS_HEADERS = ((b"strict-transport-security", b"max-age=31536000"),)


class Guard:
    """An ASGI middleware around `app`."""

    def __init__(self, app: App, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._inside = {LOOPBACK, read(Production).internal_address or LOOPBACK}
        self._way_in = urlsplit(os.environ.get(EXECUTION_URL, "")).path.rstrip("/") or INTERNAL
        self._public = _host(os.environ.get(BASE_URL, ""))[0]
        self._attempts = Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request with 403, 404 or 429, or pass it on to the application."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        first = f"/{path[1:].partition('/')[0]}"
        is_way_in = compare_digest(first.encode(), self._way_in.encode())
        if (is_way_in or first == INTERNAL) and not (is_way_in and self._is_internal(scope)):
            await _refuse(scope, send, 404, b'{"detail":"Not Found"}')
            return
        if is_way_in:
            # Changed in the scope itself, so that the server's access log does not show the secret path.
            start = str(scope["path"]).removesuffix(path)
            scope["path"] = f"{start}{INTERNAL}{path.removeprefix(first)}"
            scope["raw_path"] = scope["path"].encode()
        if self._is_foreign(scope):
            await _refuse(scope, send, 403, FOREIGN)
            return
        done: Try | None = None
        if any(_is_under(path, each) for each in (TOKEN, FORM)) and scope.get("method") == "POST":
            body = await _body(receive)
            if body is None:
                await _refuse(
                    scope,
                    send,
                    413,
                    b'{"detail":"This is no sign-in: it is too long, or took too long to come."}',
                )
                return
            begun = self._attempts.begin(
                _client(scope),
                _account(scope, path, body),
                self._clock(),
                is_local=self._is_of_this_machine(scope),
            )
            if isinstance(begun, float):
                seconds = int(begun) + 1
                said = f'{{"detail":"Too many attempts to sign in. Try again in {seconds} seconds."}}'
                await _refuse(scope, send, 429, said.encode(), (b"retry-after", str(seconds).encode()))
                return
            done, receive = begun, _again(body, receive)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                if done is not None and _is_signed_in(path, message):
                    self._attempts.succeeded(done)
                more = HEADERS + (HTTPS_HEADERS if scope.get("scheme") == "https" else ())
                given = {name.lower() for name, _ in message.get("headers", ())}
                added = [each for each in more if each[0] not in given]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, with_headers)

    def _is_internal(self, scope: Scope) -> bool:
        is_of_browser = bool(_given(scope, b"origin") or _given(scope, b"sec-fetch-site"))
        return _arrived_at(scope) in self._inside and not _is_forwarded(scope) and not is_of_browser

    def _is_of_this_machine(self, scope: Scope) -> bool:
        return _is_loopback(_arrived_at(scope)) and _is_loopback(_client(scope)) and not _is_forwarded(scope)

    def _is_foreign(self, scope: Scope) -> bool:
        """Whether a page of another origin caused the request, and it is not just a link that a person followed."""
        sites = _given(scope, b"sec-fetch-site")
        if scope.get("method") not in SAFE_METHODS and any(site in OTHER_SITES for site in sites):
            return True
        if not _is_loopback(_arrived_at(scope)):
            return False
        hosts = _given(scope, b"host")
        if len(hosts) != 1 or not self._is_own(_host(f"//{hosts[0].decode('latin-1')}")[0]):
            return True
        origins = [] if _is_forwarded(scope) else _given(scope, b"origin")
        return not all(
            self._is_same(origin.decode("latin-1"), hosts[0].decode("latin-1")) for origin in origins
        )

    def _is_own(self, name: str | None) -> bool:
        """Whether a host name cannot belong to a foreign page: an IP address, this machine's name, or the public name."""
        if name is None:
            return False
        return name in ("localhost", self._public) or _is_address(name)

    def _is_same(self, origin: str, host: str) -> bool:
        """Whether `origin` is this server's own."""
        scheme = origin.partition("://")[0]
        port = DEFAULT_PORTS.get(scheme)
        name, given = _host(origin)
        if name is not None and name == self._public:
            return True
        own_name, own_port = _host(f"//{host}")
        return name is not None and (name, given or port) == (own_name, own_port or port)


def _given(scope: Scope, name: bytes) -> list[bytes]:
    """All values of a header, in lower case."""
    return [value.lower() for each, value in scope["headers"] if each.lower() == name]


def _arrived_at(scope: Scope) -> str:
    """The address of this machine at which the connection arrived."""
    server = scope.get("server")
    return str(server[0]) if server else ""


def _is_forwarded(scope: Scope) -> bool:
    names = (name.lower() for name, _ in scope["headers"])
    return any(name.startswith(b"x-forwarded") or name in FORWARDING_HEADERS for name in names)


def _host(address: str) -> tuple[str | None, int | None]:
    """The host and the port in an address; None for a part that is missing."""
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").rstrip(".") or None, parts.port
    except ValueError:
        return None, None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(address: str) -> bool:
    """Whether an IP address is a loopback address, including IPv4 in IPv6 notation."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def path_of(scope: Scope) -> str:
    """The path below the application's root, as the routing sees it."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def _is_under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _body(receive: Receive) -> bytes | None:
    """The whole body of a request; None if it is too long or does not arrive in time."""
    body: bytes = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if message["type"] != "http.request" or len(body) > MOST_BYTES:
                    return None
                if not message.get("more_body"):
                    return body
    except TimeoutError:
        return None


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` function that returns a body that was already read once more, and then the following messages."""
    given = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return given.pop() if given else await receive()

    return again


def _account(scope: Scope, path: str, body: bytes) -> str:
    """The name that a sign-in gives: as JSON for a token, else by the form; `UNREADABLE` where Airflow may read another."""
    kinds = [each.partition(b";")[0].strip() for each in _given(scope, b"content-type")]
    try:
        if _is_under(path, TOKEN):
            found = json.loads(body)
            name = found.get("username") if isinstance(found, dict) else None
        elif kinds == [FORM_KIND]:
            (name,) = parse_qs(body.decode(), keep_blank_values=True)["username"]
        else:
            name = None
    # Lists within lists go deeper than the parser does.
    except (ValueError, KeyError, RecursionError):
        name = None
    return name if isinstance(name, str) else UNREADABLE


def _is_signed_in(path: str, start: Message) -> bool:
    """Whether an answer means that the password was right."""
    if _is_under(path, TOKEN):
        return bool(start["status"] == 201)
    to = b"".join(value for name, value in start.get("headers", ()) if name.lower() == b"location")
    return start["status"] in (302, 303) and b"/login" not in to


async def _refuse(scope: Scope, send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
