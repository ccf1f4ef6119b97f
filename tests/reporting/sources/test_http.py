"""The retry policy, against transports that fail on purpose."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from reporting.sources.base import SourceUnavailableError
from reporting.sources.http import Policy, PoliteTransport

POLICY = Policy(requests_per_second=1000.0, attempts=5)


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


def client_over(answers: list, policy: Policy = POLICY) -> tuple[httpx.Client, PoliteTransport, Clock]:
    """A client whose server gives `answers` in turn: responses, or exceptions to raise."""
    clock = Clock()
    left = iter(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = PoliteTransport(policy, httpx.MockTransport(handle), clock.sleep, clock.monotonic)
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


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
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
    with pytest.raises(SourceUnavailableError, match="5 attempts; the last one: HTTP 503") as caught:
        client.get("/v1/thing?key=hidden", headers={"Authorization": "Bearer hidden"})
    assert "hidden" not in str(caught.value)
    assert transport.request_count == 5


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


def test_the_servers_clock_is_the_first_answers() -> None:
    first, second = "Sat, 21 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 2026 10:05:00 GMT"
    client, transport, _ = client_over(
        [
            httpx.Response(200, json={}, headers={"date": first}),
            httpx.Response(200, json={}, headers={"date": second}),
        ]
    )
    client.get("/")
    client.get("/")
    assert transport.server_started_at == datetime(2026, 11, 21, 10, tzinfo=UTC)
