"""Stands before every request to Airflow's web server: keeps what is internal inside, keeps pages of other origins out, and
counts who asks for tokens.

- `/execution` is for Airflow's own tasks. One api-server serves it and the web interface, since a second process
  would cost more than 200 MB, so here it exists only for connections that were made to 127.0.0.1, or to the address in
  REPORTING_INTERNAL_ADDRESS, by a client that no proxy and no browser speaks for. Where a connection arrived is a fact of
  the socket, which no header changes.
- A page of another origin may lead here, and may not act here: the browser says of each request which page caused it. A
  connection to this machine's own address also has to name this machine, or the name in AIRFLOW__API__BASE_URL, since the
  name of a page can be led here (DNS rebinding); such a page can send any header but `Host` and those of the browser's own.
- Flask-AppBuilder limits the form of its sign-in, and not the tokens of the API: those are limited here, by client
  address. Behind a front end that address is right only with FORWARDED_ALLOW_IPS, which `script/start` sets.
- Every answer gets the headers that tell a browser to stay strict.

https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header
"""

import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

INTERNAL = "/execution"
# The address of this machine at which workers on other machines ask, instead of this machine alone.
INTERNAL_ADDRESS = "REPORTING_INTERNAL_ADDRESS"
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
LIMITED = "/auth/token"
LIMIT = 10
WINDOW_SECONDS = 60.0
MOST_CLIENTS = 10_000
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
        self._inside = {LOOPBACK, os.environ.get(INTERNAL_ADDRESS) or LOOPBACK}
        self._public = _host(os.environ.get(BASE_URL, ""))[0]
        # When each client asked last; the ones that asked longest ago come first.
        self._asked: OrderedDict[str, list[float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, 404 or 429, or pass the request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = _path(scope)
        if _is_under(path, INTERNAL) and not self._is_internal(scope):
            await _refuse(scope, send, 404, b'{"detail":"Not Found"}')
            return
        if self._is_foreign(scope):
            await _refuse(scope, send, 403, FOREIGN)
            return
        if _is_under(path, LIMITED) and scope.get("method") == "POST":
            wait = self._seconds_to_wait(_client(scope))
            if wait > 0:
                retry = (b"retry-after", str(int(wait) + 1).encode())
                await _refuse(scope, send, 429, b'{"detail":"Too many requests"}', retry)
                return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = HEADERS + (HTTPS_HEADERS if scope.get("scheme") == "https" else ())
                given = {name.lower() for name, _ in message.get("headers", ())}
                added = [each for each in more if each[0] not in given]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, with_headers)

    def _is_internal(self, scope: Scope) -> bool:
        is_of_browser = bool(_given(scope, b"origin") or _given(scope, b"sec-fetch-site"))
        return _arrived_at(scope) in self._inside and not _is_forwarded(scope) and not is_of_browser

    def _is_foreign(self, scope: Scope) -> bool:
        """Whether a page of another origin asks for something that it could not lead a person to."""
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
        """Whether a host's name is one that no page can take for its own: an address, this machine's name, or the public one."""
        if name is None:
            return False
        return name in ("localhost", self._public) or _is_address(name)

    def _is_same(self, origin: str, host: str) -> bool:
        """Whether a page of that origin is one of this server."""
        scheme = origin.partition("://")[0]
        port = DEFAULT_PORTS.get(scheme)
        name, given = _host(origin)
        if name is not None and name == self._public:
            return True
        own_name, own_port = _host(f"//{host}")
        return name is not None and (name, given or port) == (own_name, own_port or port)

    def _seconds_to_wait(self, client: str) -> float:
        now = self._clock()
        asked = [when for when in self._asked.pop(client, []) if now - when < WINDOW_SECONDS]
        wait = WINDOW_SECONDS - (now - asked[0]) if len(asked) >= LIMIT else 0.0
        if not wait:
            asked.append(now)
        self._asked[client] = asked
        while len(self._asked) > MOST_CLIENTS:
            self._asked.popitem(last=False)
        return wait


def _given(scope: Scope, name: bytes) -> list[bytes]:
    """The values of a header in lower case."""
    return [value.lower() for each, value in scope["headers"] if each.lower() == name]


def _arrived_at(scope: Scope) -> str:
    """The address of this machine at which the connection arrived."""
    server = scope.get("server")
    return str(server[0]) if server else ""


def _is_forwarded(scope: Scope) -> bool:
    names = (name.lower() for name, _ in scope["headers"])
    return any(name.startswith(b"x-forwarded") or name in FORWARDING_HEADERS for name in names)


def _host(address: str) -> tuple[str | None, int | None]:
    """The host and the port of an address; None for each that it does not name."""
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
    """Whether an address is this machine's own, also as IPv6 writes one of IPv4."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _path(scope: Scope) -> str:
    """The path below the application's root, as routing sees it."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def _is_under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _refuse(scope: Scope, send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
