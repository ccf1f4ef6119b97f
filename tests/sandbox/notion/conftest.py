"""A fake API for all that only read, and one of its own for each test that changes something."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from notion_client import Client

from reporting.local.serving import Served
from sandbox.serving import fake_api
from tests.support.control import client

TODAY = "2026-03-15"


class StandIn:
    """A running fake API, with Notion's own client and plain HTTP."""

    def __init__(self, served: Served) -> None:
        self.address = served.address
        self.http = client(served, headers=self.headers())
        self.client = self.client_of("2025-09-03")
        self._source_ids: dict[str, str] = {}

    @staticmethod
    def headers(version: str = "2025-09-03") -> dict[str, str]:
        return {"Authorization": "Bearer ntn_test", "Notion-Version": version}

    def client_of(self, version: str) -> Client:
        return Client(auth="ntn_test", base_url=self.address, notion_version=version, retry=False)

    def source_id(self, name: str) -> str:
        if name not in self._source_ids:
            state = self.http.get("/_control/state").json()
            self._source_ids = {each["name"]: each["id"] for each in state["data_sources"]}
        return self._source_ids[name]

    def query(self, name: str, **body: object) -> httpx.Response:
        return self.http.post(f"/v1/data_sources/{self.source_id(name)}/query", json=body)

    def schema(self, name: str) -> dict[str, Any]:
        """The properties of a data source by name."""
        return self.http.get(f"/v1/data_sources/{self.source_id(name)}").json()["properties"]

    def truth(self, name: str) -> list[dict]:
        return self.http.get(f"/_control/truth/{self.source_id(name)}").json()

    def rows(self, name: str, **body: object) -> list[dict]:
        found, cursor = [], None
        while True:
            more = {"start_cursor": cursor} if cursor else {}
            answer = self.client.data_sources.query(data_source_id=self.source_id(name), **body, **more)
            found += answer["results"]
            if not answer["has_more"]:
                return found
            cursor = answer["next_cursor"]


@pytest.fixture(scope="session")
def notion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A year of habits that nobody changes."""
    with fake_api("notion", tmp_path_factory.mktemp("notion"), None, "--today", TODAY) as served:
        yield StandIn(served)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A month of habits that the tests of one module change, each so that the others do not mind."""
    folder = tmp_path_factory.mktemp("own")
    with fake_api("notion", folder, None, "--today", TODAY, "--days", "30") as served:
        yield StandIn(served)


@pytest.fixture
def start() -> Iterator[Callable[..., StandIn]]:
    """Start a fake API on a folder, with arguments; it ends with the test."""
    with ExitStack() as stack:

        def started(folder: Path, *arguments: str) -> StandIn:
            return StandIn(stack.enter_context(fake_api("notion", folder, None, *arguments)))

        yield started
