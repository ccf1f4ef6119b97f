"""Stands before every request to Airflow's web server: keeps what is internal inside, and counts who asks for tokens.

- `/execution` is for Airflow's own tasks. One api-server serves it and the web interface, since a second process
  would cost more than 200 MB, so here it exists only for connections that were made to 127.0.0.1, or to the address in
  REPORTING_INTERNAL_ADDRESS, by a client that no proxy speaks for. Where a connection arrived is a fact of the socket,
  which no header changes.
- Flask-AppBuilder limits the form of its sign-in, and not the tokens of the API: those are limited here, by client
  address. Behind a front end that address is right only with FORWARDED_ALLOW_IPS, which `script/start` sets.
- Every answer gets the headers that tell a browser to stay strict.

https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
"""

import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

INTERNAL = "/execution"
# The address of this machine at which workers on other machines ask, instead of this machine alone.
INTERNAL_ADDRESS = "REPORTING_INTERNAL_ADDRESS"
LOOPBACK = "127.0.0.1"
FORWARDING_HEADERS = (b"forwarded", b"via", b"x-real-ip")
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
        # When each client asked last; the ones that asked longest ago come first.
        self._asked: OrderedDict[str, list[float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404 or 429, or pass the request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = _path(scope)
        if _is_under(path, INTERNAL) and not self._is_internal(scope):
            await _refuse(scope, send, 404, b'{"detail":"Not Found"}')
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
        server = scope.get("server") or ("", 0)
        headers = (name for name, _ in scope["headers"])
        is_forwarded = any(name.startswith(b"x-forwarded") or name in FORWARDING_HEADERS for name in headers)
        return server[0] in self._inside and not is_forwarded

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
