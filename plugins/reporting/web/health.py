"""The health of the whole installation: `GET /reporting/health` answers 200, or 503 if any part of Airflow does not work.

Airflow's own `/api/v2/monitor/health` always answers 200. This endpoint is for clients that only look at the status: a platform's
health check, or a deployment that waits. Anybody may call it, so it shows only states, and queries the database at most every
five seconds. A header names the running package, so that a deployment does not confuse the old version with the new one. The
canary, a DAG that must succeed regularly, detects processes that send heartbeats but do no work.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reporting.settings import PING_URL, ROOT
from reporting.web.guard import Receive, Scope, Send

# Not /health, which Airflow itself still uses for older clients.
PREFIX = "/reporting"
PATH = f"{PREFIX}/health"
CANARY = "ops_airflow__canary__ping"
CANARY_DEADLINE = timedelta(minutes=90)
KEPT_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
HEALTHY = "healthy"
UNHEALTHY = "unhealthy"
NO_ANSWER = {"metadatabase": UNHEALTHY}
PACKAGE_HEADER = "x-reporting-package"
# The file that script/start writes when it unpacks a package made by script/package.
PACKAGE_DIGEST = ROOT / ".digest"


class Health:
    """An ASGI application. `look` returns the state of each part, and may block. `package` is the digest of the running
    package."""

    def __init__(
        self,
        look: Callable[[], dict[str, str]],
        clock: Callable[[], float] = time.monotonic,
        package: str | None = None,
    ) -> None:
        self._look = look
        self._clock = clock
        self._headers = [(PACKAGE_HEADER.encode(), package.encode())] if package else []
        self._lock = asyncio.Lock()
        self._states: dict[str, str] = {}
        self._seen_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET and HEAD requests for `PATH`, and 404 to all others."""
        if scope["type"] != "http":
            return
        if not scope["path"].endswith(PATH) or scope["method"] not in ("GET", "HEAD"):
            status, states = 404, {}
        else:
            states = await self._current()
            status = 200 if all(state == HEALTHY for state in states.values()) else 503
        body = json.dumps(states).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            *self._headers,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _current(self) -> dict[str, str]:
        # One query at a time, so that a database that does not answer does not block one thread per request.
        async with self._lock:
            if self._clock() - self._seen_at >= KEPT_SECONDS:
                try:
                    self._states = await asyncio.wait_for(asyncio.to_thread(self._look), PATIENCE_SECONDS)
                except Exception:  # noqa: BLE001  # after any error the database does not count as healthy
                    self._states = NO_ANSWER
                self._seen_at = self._clock()
            return self._states


def look(begun_at: datetime) -> dict[str, str]:
    """The state of each part of Airflow, from its metadata database. `begun_at` is when this server started."""
    from airflow.api.common.airflow_health import get_airflow_health

    found = get_airflow_health()
    states = {
        name: HEALTHY if found[name]["status"] == HEALTHY else UNHEALTHY
        for name in ("metadatabase", "scheduler", "dag_processor")
    }
    if os.environ.get(PING_URL):
        since = max(begun_at, _last_success() or begun_at)
        states["canary"] = HEALTHY if datetime.now(UTC) - since < CANARY_DEADLINE else UNHEALTHY
    return states


def _last_success() -> datetime | None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    with create_session() as session:
        found: datetime | None = session.scalar(
            select(func.max(DagRun.end_date)).where(DagRun.dag_id == CANARY, DagRun.state == "success")
        )
    return found


def app() -> Health:
    """The application that the plugin mounts."""
    begun_at = datetime.now(UTC)
    return Health(lambda: look(begun_at), package=running_package())


def running_package(digest: Path = PACKAGE_DIGEST) -> str | None:
    """The SHA-256 (hexadecimal) of the package from which this server was unpacked; None if it was not."""
    try:
        return digest.read_text(encoding="ascii").strip()
    # A problem with this file must not make the health check fail.
    except (OSError, UnicodeDecodeError):
        return None
