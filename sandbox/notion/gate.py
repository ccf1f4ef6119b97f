"""What stands before every request: the token, the version and the rate limit."""

import re
from collections import Counter
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.notion.errors import error

VERSIONS = ("2025-09-03", "2026-03-11")


class Gate:
    """Middleware: token, version and rate limit, in the order in which Notion minds them; counts requests."""

    def __init__(
        self,
        app: ASGIApp,
        token: str | None,
        per_second: float | None,
        counts: Counter[str],
        monotonic: Callable[[], float],
    ) -> None:
        self.app, self.token, self.per_second, self.counts = app, token, per_second, counts
        self._monotonic = monotonic
        self._allowance = self._burst = (per_second or 0) * 3
        self._seen_at = monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/_control"):
            await self.app(scope, receive, send)
            return
        pattern = re.sub(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f-]{20,23}", "{id}", scope["path"])
        self.counts[f"{scope['method']} {re.sub(r'(properties/).+', r'\1{id}', pattern)}"] += 1
        refusal = self._refusal(Request(scope))
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token or (self.token and token != self.token):
            return error(401, "API token is invalid.")
        version = request.headers.get("notion-version")
        if version not in VERSIONS:
            return error(
                400,
                f"Notion-Version header should be one of {', '.join(VERSIONS)}.",
                code="validation_error" if version else "missing_version",
            )
        wait = self._wait()
        if wait > 0:
            return error(
                429, "You have been rate limited.", headers={"Retry-After": str(max(1, round(wait)))}
            )
        return None

    def _wait(self) -> float:
        """Seconds until the next request is welcome: an average over a few seconds."""
        if not self.per_second:
            return 0.0
        now = self._monotonic()
        self._allowance = min(self._burst, self._allowance + (now - self._seen_at) * self.per_second)
        self._seen_at = now
        if self._allowance < 1:
            return (1 - self._allowance) / self.per_second
        self._allowance -= 1
        return 0.0
