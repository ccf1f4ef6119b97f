"""A full refresh of a whole source is as fast as its limits allow, and meets none of them: by a clock that only waiting moves."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from reporting.sources.base import Reader
from reporting.sources.google_api import is_rate_limited
from reporting.sources.google_contacts import reader as google_contacts
from reporting.sources.google_contacts.api import PEOPLE
from reporting.sources.google_contacts.entities import GOOGLE
from reporting.sources.google_contacts.lists import ContactsReader
from reporting.sources.http import PoliteTransport
from reporting.sources.hubspot import api as hubspot_api
from reporting.sources.hubspot import associations, objects
from reporting.sources.hubspot import reader as hubspot
from reporting.sources.hubspot.entities import HUBSPOT
from reporting.sources.notion import client as notion_client
from reporting.sources.notion import reader as notion
from reporting.sources.notion.entities import NOTION
from sandbox.clock import CLOCK
from sandbox.google import AUTHORIZED_USER, SCOPES
from sandbox.google import app as google_app
from sandbox.google.oauth import Client
from sandbox.google.sample import Sample as GoogleSample
from sandbox.google.store import Store as GoogleStore
from sandbox.hubspot import app as hubspot_app
from sandbox.hubspot.sample import Sample as HubSpotSample
from sandbox.hubspot.store import Store as HubSpotStore
from sandbox.notion import app as notion_app
from sandbox.notion.sample import Sample as NotionSample
from sandbox.notion.store import Store as NotionStore

TODAY = date(2026, 3, 15)
BEGUN = datetime(2026, 3, 15, 12, tzinfo=UTC)
# What an answer takes, which counts towards the pace.
LATENCY = 0.05
ADDRESS = "http://127.0.0.1"


class Clock:
    """Time that passes only when someone sleeps, or an answer is on its way."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


class InProcess(httpx.BaseTransport):
    """A fake API that is asked without a network; keeps the status of every answer of its API."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._transport = httpx.ASGITransport(app)
        self._clock = clock
        self.statuses: list[int] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def answered() -> httpx.Response:
            answer = await self._transport.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        found = asyncio.run(answered())
        self._clock.now += LATENCY
        if request.url.path != "/token":
            self.statuses.append(found.status_code)
        return found


def notion_readers(folder: Path, clock: Clock) -> tuple[InProcess, float, Iterator[Reader]]:
    sample = NotionSample(seed=1, days=300, rows=300, today=TODAY, started_at=BEGUN)
    store = NotionStore(folder)
    store.fill({}, sample.data_sources(), sample.pages())
    answers = InProcess(notion_app.app_of(store, None, 3.0, clock.monotonic), clock)

    def readers() -> Iterator[Reader]:
        for entity in NOTION:
            transport = PoliteTransport(notion_client.POLICY, answers, clock.sleep, clock.monotonic)
            source = notion.NotionSource("ntn_any", ADDRESS, transport=transport)
            yield notion.NotionReader(source, entity)

    return answers, 3.0, readers()


def hubspot_readers(folder: Path, clock: Clock) -> tuple[InProcess, float, Iterator[Reader]]:
    sizes = {"seed": 1, "contacts": 300, "companies": 80, "deals": 40, "engagements": 600, "days": 365}
    sample = HubSpotSample(**sizes, today=TODAY, started_at=BEGUN)
    store = HubSpotStore(folder)
    store.fill({}, sample.records(), sample.links)
    answers = InProcess(hubspot_app.app_of(store, None, 100, monotonic=clock.monotonic), clock)

    def readers() -> Iterator[Reader]:
        for entity in HUBSPOT:
            transport = PoliteTransport(
                hubspot_api.POLICY,
                answers,
                clock.sleep,
                clock.monotonic,
                refusal=hubspot_api.refusal_of,
            )
            yield hubspot.reader_of(hubspot.HubSpot("pat-any", ADDRESS, transport=transport), entity)

    return answers, 10.0, readers()


def google_readers(folder: Path, clock: Clock) -> tuple[InProcess, float, Iterator[Reader]]:
    sample = GoogleSample(seed=1, contacts=600, today=TODAY, started_at=BEGUN)
    store = GoogleStore(folder)
    store.fill({}, sample.people(), sample.groups())
    store.grant("refresh", AUTHORIZED_USER["refresh_token"], {"scope": " ".join(SCOPES)})
    client = Client(AUTHORIZED_USER["client_id"], AUTHORIZED_USER["client_secret"], 3599.0)
    answers = InProcess(google_app.app_of(store, client, google_app.Behaviour(quota=90)), clock)

    def readers() -> Iterator[Reader]:
        for entity in GOOGLE:
            transport = PoliteTransport(
                PEOPLE.policy,
                answers,
                clock.sleep,
                clock.monotonic,
                is_passing=is_rate_limited,
            )
            account = google_contacts.Account(AUTHORIZED_USER, ADDRESS, transport=transport)
            yield (
                ContactsReader(account, entity, page_size=4)
                if entity.name == "contacts"
                else google_contacts.reader_of(account, entity)
            )

    return answers, 90 / 60, readers()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(CLOCK, "now", lambda: BEGUN + timedelta(seconds=clock.now), raising=False)
    return clock


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many pages that what a source allows at once does not decide."""
    monkeypatch.setattr(notion_client, "PAGE_SIZE", 2)
    for module in (objects, associations):
        monkeypatch.setattr(module, "LIST_LIMIT", 3)
        monkeypatch.setattr(module, "BATCH_LIMIT", 10)


@pytest.mark.parametrize("opened", [notion_readers, hubspot_readers, google_readers])
def test_a_full_refresh_of_a_source_is_as_fast_as_its_limit_allows(
    opened: Callable[[Path, Clock], tuple[InProcess, float, Iterator[Reader]]], clock: Clock, tmp_path: Path
) -> None:
    answers, per_second, readers = opened(tmp_path, clock)
    begun = clock.now
    for reader in readers:
        reader.describe()
        for _ in reader.read(None):
            pass
        reader.close()
    assert len(answers.statuses) > 150
    assert answers.statuses.count(429) <= 1
    assert clock.now - begun <= 1.1 * len(answers.statuses) / per_second
