"""Keeps web pages and other users of the machine away from a server on loopback. Standard library only.

Loopback is no protection by itself: every user of the machine reaches it, and so does every web page that its owner opens. A
page can send forms and uploads to any address without asking (https://fetch.spec.whatwg.org/#simple-header), and it can read
answers once its own name leads to 127.0.0.1 (DNS rebinding). So a request is refused that

- names another host than this machine,
- comes from a page of another origin, by its `Origin` or `Sec-Fetch-Site`
  (https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header), or
- does not carry the server's token, wherever one is needed.
"""

import errno
import hmac
import json
import os
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_FILE = "token"  # noqa: S105
TOKEN_BYTES = 32
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
HOSTS = ("127.0.0.1", "localhost")
# What a browser says of a request that no page of another origin has caused.
OWN_SITES = (b"same-origin", b"none")


def token_of(folder: Path) -> str:
    """The token of the server that keeps its data in `folder`, from a file of mode 0600; made when there is none.

    The folder becomes this user's alone, also one that was there before. A restart keeps the token, so that a client goes on
    where the server was killed. A file that others can read or have made, or that was cut off, is replaced by a new one. Raises
    `OSError` for a folder that is not this user's or cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    path = folder / TOKEN_FILE
    while True:
        try:
            token = _kept(path)
        except FileNotFoundError:
            token = None
        if token:
            return token
        part = path.with_name(f"{TOKEN_FILE}.{secrets.token_hex(4)}.part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(TOKEN_BYTES))
        try:
            # Unlike a rename it never takes the place of one that another process has made just now.
            os.link(part, path)
        except FileExistsError:
            if not _kept(path):
                path.unlink()
        finally:
            part.unlink()


def _kept(path: Path) -> str | None:
    """The token in a file; None when it may not be used. Raises `OSError` when there is none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    with open(file, encoding="ascii", errors="replace") as opened:
        found, token = os.fstat(file), opened.read(200)
    is_own = found.st_uid == os.getuid() and not found.st_mode & 0o077
    return token if is_own and TOKEN.fullmatch(token) else None


class Guard:
    """An ASGI middleware around `app`, which is served on loopback at `port`.

    `needs_token` says by its path whether a request needs the `token`, as `Authorization: Bearer ...`.
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
            # Nothing here speaks anything else.
            await send({"type": "websocket.close", "code": 1008})
        elif refusal := self._refusal(scope):
            await _refuse(send, *refusal)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """The status and the reason of an answer that refuses the request."""

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
    # As Google's and HubSpot's errors are, so that a client shows the reason.
    body = json.dumps(
        {"error": {"code": status, "message": f"Refused: {reason}"}, "message": reason}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
