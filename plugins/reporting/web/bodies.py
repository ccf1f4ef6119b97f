"""Reads the bodies of requests from anybody: none is longer than a limit, none takes long, and all together need little memory.

A body that is refused is not read to its end: the server closes the connection.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from reporting.web.guard import Message, Receive, Scope, Send

MOST_BYTES = 2**20
# HubSpot itself gives up after five seconds.
SECONDS = 5.0
# What all bodies that one address reads may hold at a time.
MOST_BYTES_TOGETHER = 4 * 2**20
AGAIN_SECONDS = 10


class RefusedError(Exception):
    """A request gets this status and no more is done for it. The message is for the client and quotes nothing."""

    def __init__(self, status: int, said: str, again: int | None = None) -> None:
        super().__init__(said)
        self.status = status
        self.again = again


class Bodies:
    """The bodies that one server reads at a time. For use in one event loop."""

    def __init__(self, most_together: int = MOST_BYTES_TOGETHER) -> None:
        self._free = most_together

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body of a request. Raises `RefusedError`."""
        if any(map(_says_too_long, headers_of(scope).get("content-length", ()))):
            raise _too_long()
        parts: list[bytes] = []
        held = 0
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise RefusedError(400, "The connection ended before the body did.")
                    part = message.get("body", b"")
                    if held + len(part) > MOST_BYTES:
                        raise _too_long()
                    if len(part) > self._free:
                        raise RefusedError(503, "Too much comes at once. Send it again.", AGAIN_SECONDS)
                    self._free -= len(part)
                    held += len(part)
                    parts.append(part)
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise RefusedError(408, f"The body took longer than {SECONDS:.0f} seconds.") from None
        finally:
            self._free += held


def headers_of(scope: Scope) -> dict[str, list[str]]:
    """All values of each header by its name in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


async def answer(send: Send, status: int, content: Mapping[str, Any], again: int | None = None) -> None:
    """Send an answer of JSON, which nobody keeps."""
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == 405:
        headers.append((b"allow", b"POST"))
    if again is not None:
        headers.append((b"retry-after", str(again).encode()))
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _too_long() -> RefusedError:
    return RefusedError(413, f"A body has at most {MOST_BYTES} bytes.")


def _says_too_long(length: str) -> bool:
    # A header of thousands of digits, or of digits of another script, is no number for `int`.
    digits = length.lstrip("0")
    return length.isascii() and length.isdigit() and (len(digits) > 18 or int(digits or "0") > MOST_BYTES)
