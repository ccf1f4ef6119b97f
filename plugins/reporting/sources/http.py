"""One policy for every HTTP source: time-outs, retries and pace.

It is a transport, so that a client library keeps its own paths, models and errors and only its way to the
network changes. Every request that goes through it must be a read: all of them are sent again when an answer
is lost.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_base, wait_random_exponential

from reporting.sources.base import SourceError, SourceUnavailableError

logger = logging.getLogger(__name__)

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504, 529})


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a reader is. Times are in seconds."""

    requests_per_second: float
    attempts: int = 10
    longest_total: float = 1800.0
    first_backoff: float = 1.0
    longest_backoff: float = 60.0
    timeout: float = 60.0
    # Slower paces for paths that end so.
    path_paces: tuple[tuple[str, float], ...] = ()


class _PassingError(Exception):
    """An answer worth asking for again."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class _Wait(wait_base):
    """Exponential with full jitter, or what the server asks for, however long that is."""

    def __init__(self, policy: Policy) -> None:
        self._backoff = wait_random_exponential(multiplier=policy.first_backoff, max=policy.longest_backoff)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, _PassingError) else None
        return max(asked, 0.0) if asked is not None else self._backoff(retry_state)


class PoliteTransport(httpx.BaseTransport):
    """Sends each request under a `Policy` and returns only answers that are whole.

    A successful answer is whole when its body arrived to the end and is JSON: a proxy's HTML page and a
    body cut short are asked for again like any other passing fault.

    `is_passing` names answers worth asking for again besides those of `RETRIED_STATUSES`. Raises
    `SourceUnavailableError` when the policy's patience ends, and at once what `refusal` makes of an answer that no
    patience will mend. Counts what it sent in `request_count`,
    and keeps the server's clock of the first answer in `server_started_at` (None while unknown).
    """

    def __init__(
        self,
        policy: Policy,
        inner: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        refusal: Callable[[httpx.Response], SourceError | None] = lambda _: None,
        is_passing: Callable[[httpx.Response], bool] = lambda _: False,
    ) -> None:
        self._policy = policy
        self._inner = inner or httpx.HTTPTransport()
        self._sleep = sleep
        self._monotonic = monotonic
        self._refusal = refusal
        self._is_passing = is_passing
        self._next_at: dict[str, float] = {}
        self.request_count = 0
        self.server_started_at: datetime | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` until its answer is whole."""
        what = f"{request.method} {request.url.host}{request.url.path}"
        retrying = Retrying(
            retry=retry_if_exception_type(_PassingError),
            wait=_Wait(self._policy),
            stop=stop_after_attempt(self._policy.attempts) | stop_after_delay(self._policy.longest_total),
            sleep=self._sleep,
            reraise=True,
            before_sleep=lambda state: self._log_retry(what, state),
        )
        try:
            return retrying(self._send_once, request)
        except _PassingError as error:
            raise SourceUnavailableError(
                f"{what} did not succeed in {retrying.statistics['attempt_number']} attempts; the last one: {error}. "
                "Nothing was lost: run the task again when the service is well."
            ) from error

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _send_once(self, request: httpx.Request) -> httpx.Response:
        self._keep_pace("", self._policy.requests_per_second)
        for suffix, pace in self._policy.path_paces:
            if request.url.path.endswith(suffix):
                self._keep_pace(suffix, pace)
        self.request_count += 1
        try:
            answer = self._inner.handle_request(request)
            try:
                content = b"".join(_stream(answer))
            finally:
                answer.close()
            # The constructor decodes the body (gzip, brotli) by the headers that came with it.
            whole = httpx.Response(
                answer.status_code,
                headers=answer.headers,
                content=content,
                request=request,
                extensions=answer.extensions,
            )
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _PassingError(f"the connection failed ({type(error).__name__})") from error
        self._note_clock(whole)
        refused = self._refusal(whole)
        if refused is not None:
            raise refused
        if whole.status_code in RETRIED_STATUSES or self._is_passing(whole):
            raise _PassingError(f"HTTP {whole.status_code}", _retry_after(whole))
        if whole.is_success and not _is_json(whole):
            raise _PassingError(f"HTTP {whole.status_code} whose body is not JSON")
        return whole

    def _keep_pace(self, suffix: str, requests_per_second: float) -> None:
        now, next_at = self._monotonic(), self._next_at.get(suffix, 0.0)
        if now < next_at:
            self._sleep(next_at - now)
            now = self._monotonic()
        self._next_at[suffix] = max(next_at, now) + 1 / requests_per_second

    def _note_clock(self, response: httpx.Response) -> None:
        if self.server_started_at is None and "date" in response.headers:
            try:
                self.server_started_at = parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
            except ValueError:
                logger.debug("The Date header of %s could not be read.", response.request.url.host)

    @staticmethod
    def _log_retry(what: str, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0.0
        logger.warning("%s: %s; attempt %d follows in %.1f s.", what, error, state.attempt_number + 1, wait)


def _stream(answer: httpx.Response) -> httpx.SyncByteStream:
    stream = answer.stream
    if not isinstance(stream, httpx.SyncByteStream):
        raise TypeError(f"expected a synchronous stream, got {type(stream).__name__}")
    return stream


def _is_json(response: httpx.Response) -> bool:
    try:
        json.loads(response.content)
    except ValueError:
        return False
    return True


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that `Retry-After` asks for: a number or a date (RFC 9110, section 10.2.3)."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
