"""Faults on demand between a client and a fake API.

    POST /_control/faults   [{"kind": "status", "status": 429, "retry_after": 2, "times": 2, "path": "query"}]

| kind           | what the client gets                                          |
|----------------|---------------------------------------------------------------|
| status         | `status`, with `retry_after` seconds if given                 |
| html           | 200 with a page of HTML                                       |
| reset          | the connection closed in the middle of the body               |
| truncated      | JSON that ends early                                          |
| slow           | the answer after `seconds`                                    |
| empty_page     | no rows, and more to come                                     |
| page_twice     | the same page again                                           |
| shuffled       | the rows of a page in another order                           |
| invalid_cursor | 400 for a cursor                                              |

`path` is a regular expression and `method` a verb. `after` requests pass first, and then `times` requests fail.
"""

import asyncio
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KINDS = (
    "status",
    "html",
    "reset",
    "truncated",
    "slow",
    "empty_page",
    "page_twice",
    "shuffled",
    "invalid_cursor",
)


class Dialect(Protocol):
    """How one API expresses errors and pages."""

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        """An error with this status."""

    def other_page(self, kind: str, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer to a list request, changed for the fault `empty_page`, `page_twice` or `shuffled`."""


@dataclass(slots=True)
class Fault:
    """One fault, which affects `times` requests."""

    kind: str
    path: str = ""
    method: str = ""
    times: int = 1
    after: int = 0
    status: int = 500
    retry_after: float | None = None
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"'{self.kind}' is not a fault. Use one of {', '.join(KINDS)}")
        re.compile(self.path)

    @property
    def name(self) -> str:
        """The kind; for a status, its number, and the form of the error if that makes a difference."""
        if self.kind != "status":
            return self.kind
        return f"{self.status}" + ("" if self.retry_after is None else " with Retry-After")

    def hits(self, scope: Scope) -> bool:
        """Count this request, and return whether it fails."""
        if self.times <= 0 or not re.search(self.path, scope["path"]):
            return False
        if self.method and self.method != scope["method"]:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


class Faults:
    """Middleware that applies the requested faults to requests, except to those below `/_control`."""

    def __init__(self, app: ASGIApp, dialect: Dialect) -> None:
        self.app = app
        self.dialect = dialect
        self.faults: list[Fault] = []
        # While this is true, no request fails, so that a test can change data through the API.
        self.is_held = False
        # How often each kind occurred since the last reset; a status is counted under its number.
        self.met: Counter[str] = Counter()

    def ask_for(self, wanted: list[dict[str, Any]]) -> None:
        """Add faults. Raises `ValueError` or `TypeError` if one is not valid."""
        self.faults.extend([Fault(**each) for each in wanted])

    def left(self) -> list[dict[str, Any]]:
        """The faults that have not been used up."""
        self.faults = [each for each in self.faults if each.times > 0]
        return [asdict(each) for each in self.faults]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        fault = None
        if scope["type"] == "http" and not self.is_held and not scope["path"].startswith("/_control"):
            fault = next((each for each in self.faults if each.hits(scope)), None)
        if fault is None:
            await self.app(scope, receive, send)
            return
        self.met[fault.name] += 1
        if fault.kind in ("status", "html", "invalid_cursor"):
            await self._refusal(fault)(scope, receive, send)
        else:
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
            await self._spoilt(fault, scope, receive, send)

    def _refusal(self, fault: Fault) -> Response:
        if fault.kind == "html":
            return HTMLResponse("<html><body>Just a moment...</body></html>")
        if fault.kind == "invalid_cursor":
            return self.dialect.error(400, "The cursor provided is invalid.")
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        return self.dialect.error(fault.status, f"A fault that was asked for: {fault.status}.", headers)

    async def _spoilt(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            else:
                body += message.get("body", b"")

        await self.app(scope, receive, collect)
        if fault.kind in ("empty_page", "page_twice", "shuffled"):
            body = json.dumps(self.dialect.other_page(fault.kind, json.loads(body))).encode()
        length = len(body)
        if fault.kind in ("truncated", "reset"):
            body = body[: length // 2]
        if fault.kind != "reset":
            length = len(body)
        headers = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(length).encode())]})
        # A body shorter than announced makes the server close the connection.
        await send({"type": "http.response.body", "body": body})
