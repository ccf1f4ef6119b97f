"""The HTTP transport of all sources, with time-outs, retries and a limited rate of requests.

Because it is a transport of httpx, a source's client library can keep its own paths, models and errors. All requests must be
reads, since a request is sent again if its answer is lost.
"""

import logging
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_base, wait_random_exponential

from reporting.sources.base import CLOCK_TOLERANCE, SourceError, SourceUnavailableError, check_clock
from reporting.sources.fast_json import loads

logger = logging.getLogger(__name__)

UNAUTHORIZED = 401
# A hundred of the longest notes that HubSpot takes are 26 MB; a page of any other source is shorter.
LONGEST_ANSWER = 128 * 2**20
# What is asked for. These make 64 MiB at most of what the network gives at once; what is compressed twice has no such bound.
ENCODINGS = ("gzip", "deflate", "identity")
# Headers of a body as it was sent, which are not those of the decoded one.
OF_ENCODED = ("content-encoding", "content-length", "transfer-encoding")
ADDRESS = re.compile(r"[^/]*@[^/]*")
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504, 529})


@dataclass(frozen=True, slots=True)
class Policy:
    """How often requests are sent and retried, and how long to wait. Times are in seconds."""

    requests_per_second: float
    attempts: int = 10
    longest_total: float = 1800.0
    first_backoff: float = 1.0
    longest_backoff: float = 60.0
    timeout: float = 60.0
    # Lower rates, for paths that end with these texts.
    path_paces: tuple[tuple[str, float], ...] = ()
    # The greatest difference between this machine's clock and the source's; None if they are not compared.
    clock_tolerance: float | None = CLOCK_TOLERANCE


class _PassingError(Exception):
    """A temporary error, after which the request is sent again."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class _Wait(wait_base):
    """Waits exponentially longer with full jitter, or as long as the server asks for, within the limits of the policy."""

    def __init__(self, policy: Policy) -> None:
        self._backoff = wait_random_exponential(multiplier=policy.first_backoff, max=policy.longest_backoff)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.retry_after if isinstance(error, _PassingError) else None
        return asked if asked is not None else self._backoff(retry_state)


class _Answer(httpx.Response):
    """An answer whose body is parsed once, whoever asks for it."""

    @cached_property
    def parsed(self) -> Any:
        """The body as JSON. Raises `ValueError`, and `RecursionError` for lists within lists deeper than the parser goes."""
        return loads(self.content)

    def json(self, **options: Any) -> Any:
        """The body as JSON."""
        return super().json(**options) if options else self.parsed


# Someone waits for the answer: a check is less patient than a run at night.
IMPATIENT = Policy(requests_per_second=3.0, attempts=3, longest_total=30.0, longest_backoff=5.0, timeout=20.0)


class PoliteTransport(httpx.BaseTransport):
    """Sends requests according to a `Policy`, and returns only complete answers.

    A successful answer is complete if its whole body arrived and is JSON. After an HTML page from a proxy or a truncated body,
    the request is sent again, as after any temporary error.

    `is_passing` names answers worth asking for again besides those of `RETRIED_STATUSES`. Raises
    `SourceUnavailableError` when the policy's patience ends, `ClockError` when the server's clock is another than this
    machine's, and at once `SourceError` when an answer has more than `longest_answer` bytes once it is decoded, or
    what `refusal` makes of one that no patience will mend. Counts what it sent in `request_count`,
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
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        longest_answer: int = LONGEST_ANSWER,
    ) -> None:
        self._policy = policy
        self._inner = inner or httpx.HTTPTransport()
        self._sleep = sleep
        self._monotonic = monotonic
        self._now = now
        self._refusal = refusal
        self._is_passing = is_passing
        self._longest_answer = longest_answer
        self._next_at: dict[str, float] = {}
        self.request_count = 0
        self.server_started_at: datetime | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` until its answer is complete."""
        what = _named(request)
        statuses: list[int] = []
        retrying = Retrying(
            retry=retry_if_exception_type(_PassingError),
            wait=_Wait(self._policy),
            # Checked before each wait, so that we do not wait for a service that asks for a whole day.
            stop=stop_after_attempt(self._policy.attempts) | stop_before_delay(self._policy.longest_total),
            sleep=self._sleep,
            reraise=True,
            before_sleep=lambda state: self._log_retry(what, state),
        )
        try:
            return retrying(self._send_once, request, statuses)
        except _PassingError as error:
            if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                raise SourceUnavailableError(
                    f"cannot reach {request.url.host} ({type(error.__cause__).__name__}, "
                    f"{retrying.statistics['attempt_number']} times): check the network or proxy."
                ) from error
            asked = f" The service asks to wait {error.retry_after:.0f} s." if error.retry_after else ""
            raise SourceUnavailableError(
                f"{what} failed {retrying.statistics['attempt_number']} times; the last error: {error}.{asked} "
                "Nothing was lost: run the task again when the service works."
            ) from error

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _send_once(self, request: httpx.Request, statuses: list[int]) -> _Answer:
        self._keep_pace("", self._policy.requests_per_second)
        for suffix, pace in self._policy.path_paces:
            if request.url.path.endswith(suffix):
                self._keep_pace(suffix, pace)
        self.request_count += 1
        request.headers["accept-encoding"] = ", ".join(ENCODINGS)
        try:
            answer = self._inner.handle_request(request)
            try:
                content = b"".join(self._decoded(answer, request))
            finally:
                answer.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _PassingError(f"the connection failed ({type(error).__name__})") from error
        headers = [each for each in answer.headers.multi_items() if each[0].lower() not in OF_ENCODED]
        whole = _Answer(
            answer.status_code,
            headers=headers,
            content=content,
            request=request,
            extensions=answer.extensions,
        )
        self._note_clock(whole)
        statuses.append(whole.status_code)
        if whole.status_code == UNAUTHORIZED and statuses.count(UNAUTHORIZED) == 1:
            # Services have been seen to refuse a valid token once, while they restart.
            raise _PassingError(f"HTTP {UNAUTHORIZED}")
        refused = self._refusal(whole)
        if refused is not None:
            raise refused
        if whole.status_code in RETRIED_STATUSES or self._is_passing(whole):
            raise _PassingError(f"HTTP {whole.status_code}", _retry_after(whole))
        if whole.is_success and not _is_json(whole):
            raise _PassingError(f"HTTP {whole.status_code} whose body is not JSON")
        return whole

    def _decoded(self, answer: httpx.Response, request: httpx.Request) -> Iterator[bytes]:
        """The body, decoded piece by piece, so that one which inflates without end is given up in time."""
        if answer.headers.get("content-encoding", "identity").strip().lower() not in ENCODINGS:
            raise _PassingError(f"HTTP {answer.status_code} in an encoding that was not asked for")
        body = httpx.Response(
            answer.status_code, headers=answer.headers, stream=answer.stream, request=request
        )
        length = 0
        for piece in body.iter_bytes():
            length += len(piece)
            if length > self._longest_answer:
                raise SourceError(
                    f"{_named(request)} answers with more than {self._longest_answer:,} bytes once they are decoded, which no "
                    "answer of this service has. Nothing was lost. Is there a proxy on the way? Else tell the service's support, and run the task again."
                )
            yield piece

    def _keep_pace(self, suffix: str, requests_per_second: float) -> None:
        now, next_at = self._monotonic(), self._next_at.get(suffix, 0.0)
        if now < next_at:
            self._sleep(next_at - now)
            now = self._monotonic()
        self._next_at[suffix] = max(next_at, now) + 1 / requests_per_second

    def _note_clock(self, response: httpx.Response) -> None:
        # An answer from a cache has the time at which it was stored.
        if "date" not in response.headers or "age" in response.headers:
            return
        host = response.request.url.host
        try:
            answered_at = parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            logger.debug("The Date header of %s could not be read.", host)
            return
        if self._policy.clock_tolerance is not None:
            check_clock(host, answered_at, self._now(), self._policy.clock_tolerance)
        if self.server_started_at is None:
            self.server_started_at = answered_at

    @staticmethod
    def _log_retry(what: str, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0.0
        logger.warning("%s: %s; attempt %d follows in %.1f s.", what, error, state.attempt_number + 1, wait)


def _named(request: httpx.Request) -> str:
    """A request as messages name it. An e-mail address in its path, such as a calendar's id, is left out."""
    return f"{request.method} {request.url.host}{ADDRESS.sub('...', request.url.path)}"


def _is_json(answer: _Answer) -> bool:
    try:
        _ = answer.parsed
    except (ValueError, RecursionError):
        return False
    return True


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds in `Retry-After`, which is a number or a date (RFC 9110, section 10.2.3); None if it is neither."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value).astimezone(UTC) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
