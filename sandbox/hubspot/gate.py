"""What stands before every request: the token, the length of the query string and the rate limits."""

import re
from collections import Counter, deque
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.hubspot.errors import error, rate_limited

LONGEST_QUERY = 8000
WINDOW_SECONDS = 10.0
SEARCHES_PER_SECOND = 5


class Gate:
    """Middleware: token, length of the query string and the rate limits; counts requests."""

    def __init__(
        self,
        app: ASGIApp,
        token: str | None,
        per_window: int | None,
        counts: Counter[str],
        monotonic: Callable[[], float],
    ) -> None:
        self.app, self.token, self.per_window, self.counts = app, token, per_window, counts
        self._monotonic = monotonic
        self._sent: deque[float] = deque()
        self._searched: deque[float] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/_control"):
            await self.app(scope, receive, send)
            return
        self.counts[f"{scope['method']} {re.sub(r'/[0-9]+(?=/|$)', '/{id}', scope['path'])}"] += 1
        await (self._refusal(Request(scope)) or self.app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token or (self.token and token != self.token):
            return error(401, "Authentication credentials not found.")
        if len(request.url.query) > LONGEST_QUERY:
            return Response("Request-URI Too Long", 414)
        if self.per_window:
            now = self._monotonic()
            if _is_over(self._sent, self.per_window, WINDOW_SECONDS, now):
                return rate_limited("TEN_SECONDLY_ROLLING")
            if request.url.path.endswith("/search") and _is_over(
                self._searched, SEARCHES_PER_SECOND, 1.0, now
            ):
                return rate_limited("SECONDLY")
        return None


def _is_over(sent: deque[float], limit: int, seconds: float, now: float) -> bool:
    """Whether another request within the rolling window is too many; counts it if not."""
    while sent and sent[0] <= now - seconds:
        sent.popleft()
    if len(sent) >= limit:
        return True
    sent.append(now)
    return False
