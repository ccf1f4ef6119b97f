"""The retry policy, against transports that fail on purpose."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import repeat

import httpx
import pytest

from reporting.sources.base import ClockError, SourceError, SourceUnavailableError
from reporting.sources.http import Policy, PoliteTransport

POLICY = Policy(requests_per_second=1000.0, attempts=5)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Clock:
    """Time that passes only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


class CutShort(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b'{"results": ['
        raise httpx.ReadError("connection reset")


def client_over(
    answers: list, policy: Policy = POLICY, now: datetime | None = None
) -> tuple[httpx.Client, PoliteTransport, Clock]:
    """A client whose server gives `answers` in turn: responses, or exceptions to raise."""
    clock = Clock()
    left = iter(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = PoliteTransport(
        policy,
        httpx.MockTransport(handle),
        clock.sleep,
        clock.monotonic,
        now=lambda: now or datetime.now(UTC),
    )
    return httpx.Client(transport=transport, base_url="http://127.0.0.1"), transport, clock


def ok() -> httpx.Response:
    return httpx.Response(200, json={"fine": True})


@pytest.mark.parametrize(
    "fault",
    [
        *(httpx.Response(status) for status in (429, 500, 502, 503, 504, 529)),
        httpx.Response(502, html="<html>Bad gateway</html>"),
        httpx.Response(200, html="<html>Just a moment</html>"),
        httpx.Response(200, content=b'{"results": [{"id"'),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, stream=CutShort()),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("dropped"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_passing_fault_is_asked_again(method: str, fault: httpx.Response | Exception) -> None:
    client, transport, _ = client_over([fault, ok()])
    assert client.request(method, "/v1/thing").json() == {"fine": True}
    assert transport.request_count == 2


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_a_refusal_is_not_asked_again(status: int) -> None:
    client, transport, _ = client_over([httpx.Response(status, json={})])
    assert client.get("/v1/thing").status_code == status
    assert transport.request_count == 1


def test_retry_after_is_honoured_past_a_minute() -> None:
    client, _, clock = client_over([httpx.Response(429, headers={"retry-after": "340"}), ok()])
    client.get("/v1/thing")
    assert max(clock.slept) == 340


def test_retry_after_may_be_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    client, _, clock = client_over([httpx.Response(503, headers={"retry-after": at}), ok()])
    client.get("/v1/thing")
    assert 115 < max(clock.slept) <= 120


def test_patience_ends_with_a_sentence_that_holds_no_secret() -> None:
    client, transport, _ = client_over([httpx.Response(503) for _ in range(5)])
    with pytest.raises(SourceUnavailableError, match="failed 5 times; the last error: HTTP 503") as caught:
        client.get("/v1/thing?key=hidden", headers={"Authorization": "Bearer hidden"})
    assert "hidden" not in str(caught.value)
    assert transport.request_count == 5


@pytest.mark.parametrize("asked", ["86400", "1e9", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_who_asks_for_more_than_the_patience_is_not_waited_for(asked: str) -> None:
    client, transport, clock = client_over([httpx.Response(429, headers={"retry-after": asked}), ok()])
    with pytest.raises(SourceUnavailableError, match=r"The service asks to wait \d{5,} s\."):
        client.get("/")
    assert (transport.request_count, clock.slept) == (1, [])


@pytest.mark.parametrize(
    "asked", ["inf", "-inf", "nan", "-5", "soon", "1e999", "Mon, 99 Foo 2026", "", "\x00"]
)
def test_who_asks_for_no_time_at_all_is_asked_again_soon(asked: str) -> None:
    client, _, clock = client_over([httpx.Response(503, headers={"retry-after": asked}), ok()])
    assert client.get("/").json() == {"fine": True}
    assert len(clock.slept) <= 2
    assert all(0 <= seconds <= POLICY.longest_backoff for seconds in clock.slept)


def test_a_single_refusal_of_the_token_is_asked_again() -> None:
    client, transport, _ = client_over([httpx.Response(401, json={}), ok()])
    assert client.get("/").json() == {"fine": True}
    client, transport, _ = client_over([httpx.Response(401, json={}), httpx.Response(401, json={})])
    assert client.get("/").status_code == 401
    assert transport.request_count == 2


def dated(at: datetime, **headers: str) -> httpx.Response:
    return httpx.Response(200, json={}, headers={"date": format_datetime(at, usegmt=True), **headers})


@pytest.mark.parametrize(
    ("off", "said"),
    [
        (timedelta(days=365), "365 days behind"),
        (timedelta(minutes=6), "6 minutes behind"),
        (timedelta(minutes=-6), "6 minutes ahead of"),
        (timedelta(hours=-3), "3 hours ahead of"),
    ],
)
def test_a_wrong_clock_stops_the_read(off: timedelta, said: str) -> None:
    client, transport, _ = client_over([dated(NOON + off)], now=NOON)
    with pytest.raises(ClockError, match=f"this machine's clock is {said} that of 127.0.0.1"):
        client.get("/")
    assert transport.server_started_at is None


def test_a_clock_that_becomes_wrong_stops_the_read_too() -> None:
    client, _, _ = client_over([dated(NOON), dated(NOON + timedelta(hours=1))], now=NOON)
    client.get("/")
    with pytest.raises(ClockError):
        client.get("/")


def test_a_clock_within_five_minutes_an_old_answer_of_a_cache_and_no_clock_are_well() -> None:
    client, transport, _ = client_over(
        [
            dated(NOON - timedelta(days=2), age="172800"),
            httpx.Response(200, json={}, headers={"date": "noon"}),
            dated(NOON),
        ],
        now=NOON + timedelta(seconds=299),
    )
    for _ in range(3):
        client.get("/")
    assert transport.server_started_at == NOON
    client, _, _ = client_over(
        [dated(NOON)], Policy(1000.0, clock_tolerance=None), now=NOON + timedelta(days=1)
    )
    client.get("/")


def test_backoff_stays_within_its_bound() -> None:
    client, _, clock = client_over(
        [*(httpx.Response(500) for _ in range(9)), ok()], Policy(1000.0, attempts=10)
    )
    client.get("/v1/thing")
    assert max(clock.slept) <= 60


def test_requests_keep_the_pace() -> None:
    client, _, clock = client_over([ok() for _ in range(7)], Policy(requests_per_second=3.0))
    for _ in range(7):
        client.get("/v1/thing")
    assert clock.now == pytest.approx(2.0)


def test_a_compressed_body_arrives_decoded() -> None:
    import gzip

    body = gzip.compress(json.dumps({"fine": True}).encode())
    client, _, _ = client_over(
        [httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(body))]
    )
    assert client.get("/v1/thing").json() == {"fine": True}


class Counted(httpx.SyncByteStream):
    """A body of `pieces`, which counts how many were taken."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece


def bomb() -> Iterator[bytes]:
    """64 GiB of JSON, compressed: an answer within a proxy's reach."""
    import zlib

    deflate = zlib.compressobj(wbits=31)
    yield deflate.compress(b'"')
    for _ in range(64 * 1024):
        yield deflate.compress(b" " * 2**20)


@pytest.mark.parametrize(
    ("encoding", "pieces"), [("gzip", bomb()), ("identity", repeat(b" " * 2**20))], ids=["gzip", "endless"]
)
def test_an_answer_without_end_is_given_up_in_time(encoding: str, pieces: Iterable[bytes]) -> None:
    stream = Counted(pieces)
    client, transport, _ = client_over(
        [httpx.Response(200, headers={"content-encoding": encoding}, stream=stream), ok()]
    )
    with pytest.raises(
        SourceError, match=r"GET 127\.0\.0\.1/v1/thing answers with more than 134,217,728 bytes"
    ):
        client.get("/v1/thing?key=hidden")
    assert transport.request_count == 1
    assert stream.taken <= 130


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "gzip, identity"])
def test_what_was_not_asked_for_is_not_decoded(encoding: str) -> None:
    stream = Counted([b"{}"])
    client, _, _ = client_over(
        [httpx.Response(200, headers={"content-encoding": encoding}, stream=stream), ok()]
    )
    assert client.get("/v1/thing").json() == {"fine": True}
    assert stream.taken == 0


def test_the_servers_clock_is_the_first_answers() -> None:
    first, second = "Sat, 21 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 2026 10:05:00 GMT"
    client, transport, _ = client_over(
        [
            httpx.Response(200, json={}, headers={"date": first}),
            httpx.Response(200, json={}, headers={"date": second}),
        ],
        now=datetime(2026, 11, 21, 10, 2, tzinfo=UTC),
    )
    client.get("/")
    client.get("/")
    assert transport.server_started_at == datetime(2026, 11, 21, 10, tzinfo=UTC)
