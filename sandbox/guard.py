"""Protects a server on loopback from web pages and from other users of the machine. Uses the standard library only.

Loopback alone is no protection: every user of the machine can reach it, and so can every web page that the owner opens. A page can
send forms and uploads to any address without permission (https://fetch.spec.whatwg.org/#simple-header), and it can read answers
if its own name resolves to 127.0.0.1 (DNS rebinding). So a request is refused if it

- names another host than this machine,
- comes from a page of another origin, by its `Origin` or `Sec-Fetch-Site`
  (https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header), or
- does not have the server's token where one is needed.
"""

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HOSTS = ("127.0.0.1", "localhost")
# The values of `Sec-Fetch-Site` for requests that were not caused by a page of another origin.
OWN_SITES = (b"same-origin", b"none")


class Guard:
    """An ASGI middleware around `app`, which is served on loopback at `port`.

    `needs_token` decides by the path whether a request needs the `token`, sent as `Authorization: Bearer ...`.
    """

    def __init__(
        self, app: App, port: int, token: str, needs_token: Callable[[str], bool] = lambda path: True
    ) -> None:
        self._app = app
        self._token = token.encode()
        self._needs_token = needs_token
        self._hosts = {f"{host}:{port}".encode() for host in HOSTS}
        self._origins = {b"http://" + host for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403 or 401."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            # The servers behind this guard only use HTTP.
            await send({"type": "websocket.close", "code": 1008})
        elif refusal := self._refusal(scope):
            await _refuse(send, *refusal)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """The status and the reason if the request must be refused; None if it may pass."""

        def given(name: bytes) -> list[bytes]:
            return [value for each, value in scope["headers"] if each.lower() == name]

        hosts = given(b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return (
                403,
                "the Host is not this machine's. Ask for it by the address that was printed at its start.",
            )
        if any(origin.lower() not in self._origins for origin in given(b"origin")) or any(
            site not in OWN_SITES for site in given(b"sec-fetch-site")
        ):
            return 403, "pages of other origins may ask nothing here."
        if self._needs_token(scope["path"]) and not self._is_authorized(given(b"authorization")):
            return (
                401,
                "the token is missing or wrong. It is in the file 'token' of the server's data folder.",
            )
        return None

    def _is_authorized(self, authorizations: list[bytes]) -> bool:
        if len(authorizations) != 1:
            return False
        scheme, _, token = authorizations[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


async def _refuse(send: Send, status: int, reason: str) -> None:
    # In the form of Google's and HubSpot's errors, so that clients show the reason.
    body = json.dumps(
        {"error": {"code": status, "message": f"Refused: {reason}"}, "message": reason}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
