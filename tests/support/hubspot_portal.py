"""A running fake API for HubSpot as tests use it: changes made through its API, and readers of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reporting.entity import Entity
from reporting.local.serving import Served
from reporting.sources.base import Page, Reader
from reporting.sources.http import Policy
from reporting.sources.hubspot import reader as hubspot
from reporting.sources.hubspot.entities import HUBSPOT
from sandbox.hubspot.store import FIRST_ID, Store
from sandbox.serving import fake_api
from tests.support.control import client

ENTITIES = {entity.name: entity for entity in HUBSPOT}
SMALL = ("--contacts", "30", "--companies", "8", "--deals", "5", "--engagements", "60")
# The fake API's clock is moved.
UNPACED = Policy(
    requests_per_second=1_000_000, clock_tolerance=None, first_backoff=0.01, longest_backoff=0.05, attempts=6
)


class Portal:
    """A portal at an address."""

    def __init__(self, served: Served) -> None:
        self.address = served.address
        self._http = client(served, headers={"Authorization": "Bearer any"}, timeout=120)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._http.request(method, path, **options).raise_for_status()
        return answer.json() if answer.content else None

    def create(self, kind: str, **properties: str) -> str:
        made = self.ask("POST", f"/crm/v3/objects/{kind}", json={"properties": properties})
        return str(made["id"])

    def change(self, kind: str, key: str, **properties: str) -> None:
        self.ask("PATCH", f"/crm/v3/objects/{kind}/{key}", json={"properties": properties})

    def archive(self, kind: str, key: str) -> None:
        self.ask("DELETE", f"/crm/v3/objects/{kind}/{key}")

    def restore(self, kind: str, key: str) -> None:
        self.ask("POST", f"/_control/restore/{kind}/{key}")

    def merge(self, kind: str, winner: str, loser: str) -> None:
        body = {"primaryObjectId": winner, "objectIdToMerge": loser}
        self.ask("POST", f"/crm/v3/objects/{kind}/merge", json=body)

    def erase(self, kind: str, key: str) -> None:
        self.ask("POST", f"/crm/v3/objects/{kind}/gdpr-delete", json={"objectId": key})

    def link(self, kind: str, key: str, other_kind: str, other: str, method: str = "PUT") -> None:
        default = "default/" if method == "PUT" else ""
        self.ask(method, f"/crm/v3/objects/{kind}/{key}/associations/{default}{other_kind}/{other}")

    def unlink(self, kind: str, key: str, other_kind: str, other: str) -> None:
        self.link(kind, key, other_kind, other, "DELETE")

    def define(self, kind: str, name: str, type_: str = "string") -> None:
        self.ask("POST", f"/crm/v3/properties/{kind}", json={"name": name, "type": type_})

    def truth(self, kind: str) -> dict[str, dict[str, Any]]:
        return {each["id"]: each for each in self.ask("GET", f"/_control/truth/{kind}")}

    def fault(self, **fault: Any) -> None:
        self.ask("POST", "/_control/faults", json=[fault])

    def requests(self) -> dict[str, int]:
        found: dict[str, int] = self.ask("GET", "/_control/requests")
        return found

    def source(self, version: str = "2026-09", policy: Policy = UNPACED) -> hubspot.HubSpot:
        return hubspot.HubSpot("pat-hidden", self.address, version, policy)

    def reader(
        self, kind: str, version: str = "2026-09", policy: Policy = UNPACED, named: str = "all"
    ) -> Reader:
        return hubspot.reader_of(self.source(version, policy), self.entity(kind), named=named)

    @staticmethod
    def entity(kind: str) -> Entity:
        return ENTITIES[kind]

    def close(self) -> None:
        self._http.close()


@contextmanager
def portal(folder: Path, *arguments: str) -> Iterator[Portal]:
    """Serve a portal from `folder` while the block lasts."""
    with fake_api("hubspot", folder, None, *arguments) as served:
        running = Portal(served)
        try:
            yield running
        finally:
            running.close()


def filled(folder: Path, modified: list[int], call_id: int | None = None) -> Path:
    """Fill `folder` with one contact a modification time (milliseconds), in the order of ids.

    `call_id` is that of a call with all of them.
    """
    store = Store(folder)
    contacts = range(FIRST_ID, FIRST_ID + len(modified))
    records = [
        _record("contacts", key, at, {"email": f"p{key}@example.com"})
        for key, at in zip(contacts, modified, strict=True)
    ]
    links = []
    if call_id is not None:
        records.append(_record("calls", call_id, modified[0], {"hs_call_title": "Everybody"}))
        links = [("calls", call_id, "contacts", key, False) for key in contacts]
    store.fill({"seed": "given"}, records, links)
    store.close()
    return folder


def _record(kind: str, key: int, at: int, properties: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": kind,
        "id": key,
        "created": at,
        "modified": at,
        "archived": None,
        "merged_into": None,
        "properties": properties,
    }


def read_to_the_end(reader: Reader, since: Any = None) -> list[Page]:
    """All pages of a read that begins with its description, as `extract` does it."""
    reader.describe()
    pages = list(reader.read(since))
    reader.close()
    return pages


def ids(pages: list[Page]) -> list[str]:
    return [str(record.id) for page in pages for record in page.records]
