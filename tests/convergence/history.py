"""Two sources, one warehouse, and what can happen to them: the steps of the convergence tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
from google.cloud import bigquery

from reporting.entities import NOTION, Entity
from reporting.extract import extract
from reporting.landing import Landing, LandingWriter, Refresh
from reporting.settings import Settings
from reporting.sources import hubspot
from reporting.sources.base import Reader, SourceError
from reporting.sources.http import Policy
from reporting.sources.notion import NotionReader, NotionSource
from reporting.warehouse import ledger
from reporting.warehouse import load as loading
from reporting.warehouse.ledger import Counts
from reporting.warehouse.load import load
from sandbox.serving import stand_in
from tests.hubspot_portal import ENTITIES as CRM
from tests.hubspot_portal import portal

DAILY = NOTION[0]
READ: dict[str, Entity] = {
    "daily_habits": DAILY,
    **{name: CRM[name] for name in ("contacts", "companies", "associations")},
}
CRM_SIZE = ("--contacts", "12", "--companies", "4", "--deals", "2", "--engagements", "6")
HEADERS = {"Authorization": "Bearer ntn_any", "Notion-Version": "2025-09-03"}
# Gives up soon, so that a fault may also fail a run.
HASTY = Policy(1_000_000, attempts=4, first_backoff=0.001, longest_backoff=0.01, timeout=1.0)
PATIENT = Policy(1_000_000, attempts=10, first_backoff=0.01, longest_backoff=0.5, timeout=30.0)
SLOW_SECONDS = 1.5
# Where a task can die, by what it has just done.
CRASHES = ("a page", "the landing", "the load job", "the MERGE", "the counts", "the ledger")


class KilledError(BaseException):
    """The process ended here."""


class Notion:
    """The workspace's daily habits, changed through its API."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = httpx.Client(base_url=address, headers=HEADERS, timeout=30)
        state = self._ask("GET", "/_control/state")
        self.key = next(each["id"] for each in state["data_sources"] if each["name"] == DAILY.default_name)

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        return self.http.request(method, path, **options).raise_for_status().json()

    def truth(self) -> dict[str, Any]:
        return {each["id"]: each for each in self._ask("GET", f"/_control/truth/{self.key}")}

    def properties(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("GET", f"/v1/data_sources/{self.key}")["properties"]
        return found

    def create(self, day: str) -> None:
        parent = {"type": "data_source_id", "data_source_id": self.key}
        dated = {"Date": {"date": {"start": day}}}
        self._ask("POST", "/v1/pages", json={"parent": parent, "properties": dated})

    def edit(self, key: str, text: str) -> None:
        name = {"title": [{"text": {"content": text}}]}
        self._ask("PATCH", f"/v1/pages/{key}", json={"properties": {"title": name}})

    def trash(self, key: str, in_trash: bool) -> None:
        self._ask("PATCH", f"/v1/pages/{key}", json={"in_trash": in_trash})

    def purge(self, key: str) -> None:
        self._ask("POST", f"/_control/purge/{key}")

    def change_schema(self, change: dict[str, Any]) -> None:
        self._ask("PATCH", f"/v1/data_sources/{self.key}", json={"properties": change})


class Pipeline:
    """The two tasks of every entity, against sources at these addresses."""

    def __init__(
        self, client: bigquery.Client, settings: Settings, landing: str, notion: str, crm: str
    ) -> None:
        self.client, self.settings = client, settings
        self.landing = Landing(landing)
        self.addresses = {"notion": notion, "hubspot": crm}

    def reader(self, name: str, policy: Policy) -> Reader:
        entity = READ[name]
        address = self.addresses[entity.source]
        if entity.source == "notion":
            return NotionReader(NotionSource("ntn_any", address, policy), DAILY)
        return hubspot.reader(hubspot.HubSpot("pat-any", address, policy=policy), entity)

    def read(self, name: str, refresh: Refresh, policy: Policy = HASTY) -> str:
        reader = self.reader(name, policy)
        try:
            return extract(
                self.client, self.settings, READ[name], refresh, reader, self.landing, tombstone_share=1.0
            )
        finally:
            reader.close()

    def load(self, name: str, folder: str) -> Counts:
        return load(self.client, self.settings, READ[name], self.landing, folder, tombstone_share=1.0)


class World(Pipeline):
    """Both sources and the warehouse, with the landings that may be loaded late or again."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path) -> None:
        self._stack = ExitStack()
        days = ("--days", "10")
        notion = self._stack.enter_context(stand_in("notion", folder / "notion", None, *days))
        self.notion = Notion(notion)
        self.crm = self._stack.enter_context(portal(folder / "hubspot", *CRM_SIZE))
        super().__init__(client, settings, str(folder / "landing"), notion, self.crm.address)
        self.landed: list[tuple[str, str]] = []
        for entity in READ.values():
            table = f"{settings.dataset('raw')}.{entity.table}"
            client.query(f"DELETE FROM {table} WHERE TRUE").result()
        client.query(f"DELETE FROM {settings.dataset('ops')}.sync_runs WHERE TRUE").result()

    def close(self) -> None:
        self.notion.http.close()
        self._stack.close()

    def fault(self, source: str, **fault: Any) -> None:
        httpx.post(f"{self.addresses[source]}/_control/faults", json=[fault]).raise_for_status()

    def end_faults(self) -> None:
        for address in self.addresses.values():
            httpx.delete(f"{address}/_control/faults").raise_for_status()

    def run(self, name: str, refresh: Refresh, crash: str | None = None) -> None:
        """The two tasks of a run, which may fail on a fault and may die after a step."""
        try:
            with dying_after(crash):
                folder = self.read(name, refresh)
                self.landed.append((name, folder))
                self.load(name, folder)
        except (KilledError, SourceError):
            pass

    def settle(self) -> None:
        """A quiet sweep of everything, after which nothing is left to do."""
        self.end_faults()
        for name in READ:
            self.load(name, self.read(name, "full", PATIENT))
        again = self.load("contacts", self.read("contacts", "full", PATIENT))
        assert not again.has_changes, again

    def rows(self, name: str) -> dict[str, Any]:
        table = f"{self.settings.dataset('raw')}.{READ[name].table}"
        rows = list(self.client.query(f"SELECT * FROM {table}").result())
        found = {row["id"]: row for row in rows}
        assert len(found) == len(rows), f"{name} has a key twice"
        return found

    def check(self) -> None:
        """Every raw table is what the source's own record says."""
        self._check_notion()
        for kind in ("contacts", "companies"):
            self._check_crm(kind)
        self._check_associations()
        self._check_ledger()

    def _check_notion(self) -> None:
        rows, truth = self.rows("daily_habits"), self.notion.truth()
        for key, page in truth.items():
            if page["in_trash"]:
                # One that was made and put into the trash between two reads was never seen.
                assert key not in rows or rows[key]["_deleted_reason"] == "trashed"
                continue
            assert rows[key]["_deleted_at"] is None
            found = {
                each["id"]: (each["name"], each["type"], each["value"]) for each in rows[key]["_properties"]
            }
            assert found == {
                value["id"]: (name, value["type"], value[value["type"]])
                for name, value in page["properties"].items()
            }
        for key in rows.keys() - truth.keys():
            assert rows[key]["_deleted_reason"] in ("missing", "trashed")

    def _check_crm(self, kind: str) -> None:
        rows, truth = self.rows(kind), self.crm.truth(kind)
        for key, each in truth.items():
            if each["merged_into"] and each["merged_into"] not in truth:
                # Its winner was erased, and nothing tells of the merge any more.
                assert key not in rows or rows[key]["_deleted_reason"] in ("merged", "missing")
                continue
            reason = "archived" if each["archived"] else "merged" if each["merged_into"] else None
            row = rows[key]
            assert (row["_deleted_reason"], row["_merged_into_id"]) == (reason, each["merged_into"]), key
            if reason != "merged":
                assert row["_payload"]["properties"] == each["properties"]
        for key in rows.keys() - truth.keys():
            assert rows[key]["_deleted_at"] is not None

    def _check_associations(self) -> None:
        found = {
            tuple(row[name] for name in ("from_type", "from_id", "to_type", "to_id", "type_id"))
            for row in self.rows("associations").values()
            if row["_deleted_at"] is None
        }
        reader = self.reader("associations", PATIENT)
        reader.describe()
        expected = {
            tuple(record.payload[name] for name in ("from_type", "from_id", "to_type", "to_id", "type_id"))
            for page in reader.read(None)
            for record in page.records
        }
        reader.close()
        assert found == expected

    def _check_ledger(self) -> None:
        sql = f"SELECT run_id FROM {self.settings.dataset('ops')}.sync_runs WHERE rows_read > 0"
        runs = [row["run_id"] for row in self.client.query(sql).result()]
        assert len(runs) == len(set(runs))
        stages = [
            table.table_id
            for table in self.client.list_tables(self.settings.dataset("ops"))
            if table.table_id.startswith("stage__")
        ]
        for stage in stages:
            # What a killed load left goes away by itself.
            assert self.client.get_table(f"{self.settings.dataset('ops')}.{stage}").expires is not None


def raise_killed() -> None:
    """The end of a process, as far as there can be one within a test."""
    raise KilledError


@contextmanager
def dying_after(step: str | None, die: Callable[[], None] = raise_killed) -> Iterator[None]:
    """Call `die` when `step` is done."""
    places: dict[str, tuple[Any, str]] = {
        "a page": (LandingWriter, "keep"),
        "the landing": (LandingWriter, "finish"),
        "the load job": (loading, "_load_stage"),
        "the MERGE": (loading, "_merge"),
        "the counts": (loading, "_count"),
        "the ledger": (ledger, "append"),
    }
    if step is None:
        yield
        return
    owner, name = places[step]
    original = getattr(owner, name)

    def dies(*arguments: Any, **options: Any) -> None:
        original(*arguments, **options)
        die()

    with mock.patch.object(owner, name, dies):
        yield
