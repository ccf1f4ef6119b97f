"""What stands before every request: the access token, its scopes and the quotas, and how the service treats its callers."""

import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.google import CALENDAR_SCOPE, CONTACTS_SCOPE, SHEETS_SCOPE
from sandbox.google.errors import insufficient_scope, rate_limited, unauthenticated
from sandbox.google.oauth import Authorization
from sandbox.google.store import SECOND

MINUTE = 60 * SECOND
# What lets one read, by the beginning of the path.
READ_SCOPES = {
    "/v1/": frozenset((CONTACTS_SCOPE, CONTACTS_SCOPE.removesuffix(".readonly"))),
    "/cal": frozenset((CALENDAR_SCOPE, CALENDAR_SCOPE.removesuffix(".readonly"))),
    "/v4/": frozenset((SHEETS_SCOPE, SHEETS_SCOPE.removesuffix(".readonly"))),
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the service treats its callers; times in seconds, quotas per minute."""

    propagation: float = 0.0
    sync_token_lifetime: float = 7 * 86400.0
    page_token_lifetime: float = 3600.0
    quota: int | None = None
    quota_status: int = 429
    full_sync_quota: int | None = None


class Quota:
    """A number of requests per minute."""

    def __init__(self, limit: int | None, clock: Callable[[], int]) -> None:
        self.limit, self.clock = limit, clock
        self._sent: deque[int] = deque()

    def is_over(self) -> bool:
        """Whether another request is too many; counts it if not."""
        if self.limit is None:
            return False
        now = self.clock()
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        if len(self._sent) >= self.limit:
            return True
        self._sent.append(now)
        return False


class Gate:
    """Middleware: access token, scope and quota of the API; counts requests."""

    def __init__(
        self,
        app: ASGIApp,
        authorization: Authorization,
        quota: Quota,
        quota_status: int,
        counts: Counter[str],
    ) -> None:
        self.app, self.authorization, self.quota = app, authorization, quota
        self.quota_status, self.counts = quota_status, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/_control"):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        if request.headers.get("x-http-method-override") == "GET":
            # Google's client sends a GET with a long query as the form of a POST.
            scope = {**scope, "method": "GET", "query_string": await request.body()}
        path = re.sub(
            r"^(/v1/people|/v1/contactGroups|/v4/spreadsheets|/calendar/v3/calendars)/(?!me(/|$))[^/]+",
            r"\1/{id}",
            scope["path"],
        )
        path = re.sub(r"(?<=/events)/.+", "/{id}", path)
        self.counts[f"{scope['method']} {path}"] += 1
        allowed = READ_SCOPES.get(scope["path"][:4])
        refusal = self._refusal(request, allowed) if allowed else None
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, request: Request, allowed: frozenset[str]) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return unauthenticated(is_missing=True)
        scopes = self.authorization.scopes(token)
        if scopes is None:
            return unauthenticated(is_missing=False)
        if not scopes & allowed:
            return insufficient_scope()
        return rate_limited(self.quota_status) if self.quota.is_over() else None
