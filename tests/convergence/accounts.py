"""The sources as a history changes them, and what their own record says a table must hold."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from reporting.entity import Entity
from reporting.ingest import checkpoints
from reporting.ingest.landing import writing
from reporting.local.serving import Served
from reporting.sources.base import Reader
from reporting.sources.google_calendar import api as calendar_api
from reporting.sources.google_calendar import event_reader as calendar_events
from reporting.sources.google_contacts import lists
from reporting.sources.http import Policy
from reporting.sources.hubspot import associations, history, objects
from reporting.sources.hubspot import reader as hubspot
from reporting.sources.hubspot.entities import HUBSPOT_OBJECTS, OPTIONAL_OBJECTS
from reporting.sources.notion import client as notion_client
from reporting.sources.notion import reader as notion
from reporting.sources.notion.entities import NOTION
from sandbox.events import Change
from sandbox.google.calendar_sample import CALENDARS
from sandbox.serving import fake_api
from tests.support.calendar_account import ENTITIES as CALENDAR
from tests.support.calendar_account import SMALL as CALENDAR_OPTIONS
from tests.support.calendar_account import TODAY, CalendarAccount, timed
from tests.support.calendar_account import check_all as check_diary
from tests.support.calendar_account import check_living as check_diary_living
from tests.support.control import client
from tests.support.google_account import ENTITIES as GOOGLE
from tests.support.google_account import AddressBook, check_all, check_living
from tests.support.hubspot_portal import ENTITIES as CRM
from tests.support.hubspot_portal import Portal

Rows = Mapping[str, Any]
CALENDAR_IDS = tuple(each["id"] for each in CALENDARS)
PAGE = 4
TRACKED = {each.name: each.history for each in (*HUBSPOT_OBJECTS, *OPTIONAL_OBJECTS) if each.history}
HEADERS = {"Authorization": "Bearer ntn_any", "Notion-Version": notion_client.VERSION}
# Longer than a time-out of the hasty, and shorter than one of the patient.
SLOW_SECONDS = 0.8
PASSING = (
    {"kind": "status", "status": 429, "retry_after": 0.01},
    *({"kind": "status", "status": status} for status in (429, 500, 502, 503, 504, 529)),
    {"kind": "html"},
    {"kind": "reset"},
    {"kind": "truncated"},
    {"kind": "slow", "seconds": SLOW_SECONDS},
)
REFUSALS = ({"kind": "invalid_cursor"}, {"kind": "status", "status": 401})
DISORDERS = tuple({"kind": kind} for kind in ("empty_page", "page_twice", "shuffled"))


class Account:
    """One source behind its fake API. `gone` is what was there in this history and at some time was not.

    `changes` are what can happen to it, each a method that takes a number, which chooses what it happens to.
    """

    source: ClassVar[str]
    # The fake API that serves it, if that is not called like the source.
    api: ClassVar[str] = ""
    changes: ClassVar[tuple[str, ...]]
    options: ClassVar[tuple[str, ...]]
    entities: ClassVar[dict[str, Entity]]
    # Where the answers are lists, which alone can come in disorder.
    lists: ClassVar[str]
    # The table that can be read by a window.
    windowed: ClassVar[str | None] = None
    # Whether the source sends events, by the name of its sender.
    ringing: ClassVar[str | None] = None
    # How long a change may stay unseen, in seconds.
    delay: ClassVar[float] = 0.0

    def __init__(self, served: Served) -> None:
        self.served, self.address = served, served.address
        self.http = client(served, timeout=120)
        self.gone: set[tuple[str, str]] = set()
        self.count = 0
        # What an event has not told yet.
        self.happened: list[Change] = []

    def close(self) -> None:
        self.http.close()

    def control(self, path: str, body: Any = None, method: str = "POST") -> Any:
        return self.http.request(method, f"/_control/{path}", json=body).raise_for_status().json()

    def mark(self) -> None:
        """Every history begins as it is now."""
        self.control("mark")

    def reset(self) -> None:
        self.control("reset")
        self.unlimited()
        # At the beginning of a minute, which is all that Notion tells of a time.
        self.pass_time(60 - self.now().second)
        self.gone, self.count, self.happened = set(), 0, []

    def pass_time(self, seconds: float) -> None:
        self.control("clock", {"seconds": seconds})

    def now(self) -> datetime:
        """The source's own clock."""
        answer = self.http.get("/_control/faults").raise_for_status()
        return parsedate_to_datetime(answer.headers["date"])

    def fault(self, **fault: Any) -> None:
        is_disorder = fault["kind"] in ("empty_page", "page_twice", "shuffled")
        self.control("faults", [fault | ({"path": self.lists} if is_disorder else {})])

    def end_faults(self) -> None:
        self.control("faults", method="DELETE")
        self.unlimited()

    def met(self) -> dict[str, int]:
        """How often each kind of fault was met in this history."""
        found: dict[str, int] = self.control("faults/met", method="GET")
        return found

    def change(self, name: str, number: int) -> None:
        """Let one change happen, and note what is gone by it."""
        before = {each: set(self.living(each)) for each in self.entities}
        self.control("faults/held", {"held": True})
        getattr(self, name)(number)
        self.control("faults/held", {"held": False})
        for each, keys in before.items():
            after = set(self.living(each))
            self.gone |= {(each, key) for key in keys - after}
            self._note(each, keys, after)

    def _note(self, table: str, before: set[str], after: set[str]) -> None:
        """Note what the source would send events of. What is still there may have changed."""
        if self.ringing is None:
            return
        for kind, keys in (
            ("created", after - before),
            ("deleted", before - after),
            ("changed", after & before),
        ):
            for key in sorted(keys)[:1] if kind == "changed" else sorted(keys):
                if change := self.told(table, kind, key):
                    self.happened.append(change)

    def told(self, table: str, kind: str, key: str) -> Change | None:
        """How the source tells of a change; None if it does not."""
        return None

    def text(self) -> str:
        self.count += 1
        return f"text {self.count}"

    def limit(self, number: int) -> None:
        """Let a limit of the source's be met."""

    def unlimited(self) -> None:
        """Let no limit be met, and what was done be seen."""

    def living(self, table: str) -> Mapping[str, Any]:
        """What is there now, by key."""
        raise NotImplementedError

    def properties(self, table: str) -> Mapping[str, tuple[str, str]] | None:
        """Name and type of each property by its id; None where the shape is the API's own."""
        return None

    def reader(self, table: str, policy: Policy) -> Reader:
        raise NotImplementedError

    def check_changed(self, table: str, rows: Rows) -> None:
        """What a quiet read of what changed must have brought, however the ones before it ended."""
        raise NotImplementedError

    def check(self, table: str, rows: Rows) -> None:
        """What a quiet full refresh must have brought: the table is what the source's own record says."""
        raise NotImplementedError


def chosen(keys: list[str], number: int) -> str | None:
    return keys[number % len(keys)] if keys else None


class Workspace(Account):
    """Notion's daily habits."""

    source = "notion"
    changes = ("create", "edit", "remove", "restore", "purge", "reshape")
    options = ("--days", "10")
    entities: ClassVar[dict[str, Entity]] = {NOTION[0].table: NOTION[0]}
    windowed = NOTION[0].table
    lists = "query$"
    ringing = "notion"

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        self.http.headers.update(HEADERS)
        sources = self.control("state", method="GET")["data_sources"]
        self.key = next(each["id"] for each in sources if each["name"] == NOTION[0].default_name)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        return self.http.request(method, f"/v1/{path}", json=body or None).raise_for_status().json()

    def told(self, table: str, kind: str, key: str) -> Change | None:
        return Change(kind, key, self.key, self.now())

    def truth(self) -> dict[str, Any]:
        return {each["id"]: each for each in self.control(f"truth/{self.key}", method="GET")}

    def living(self, table: str) -> Mapping[str, Any]:
        return {key: page for key, page in self.truth().items() if not page["in_trash"]}

    def properties(self, table: str) -> Mapping[str, tuple[str, str]] | None:
        found = self.ask("GET", f"data_sources/{self.key}")["properties"]
        return {each["id"]: (name, each["type"]) for name, each in found.items()}

    def create(self, number: int) -> None:
        parent = {"type": "data_source_id", "data_source_id": self.key}
        day = f"2026-{number % 6 + 1:02d}-{number % 28 + 1:02d}"
        self.ask("POST", "pages", parent=parent, properties={"Date": {"date": {"start": day}}})

    def edit(self, number: int) -> None:
        """Some edits within one minute, which is all that Notion tells."""
        key = chosen(sorted(self.living("")), number)
        for _ in range(number % 3 + 1 if key else 0):
            title = {"title": [{"text": {"content": self.text()}}]}
            self.ask("PATCH", f"pages/{key}", properties={"title": title})

    def remove(self, number: int) -> None:
        if key := chosen(sorted(self.living("")), number):
            self.ask("PATCH", f"pages/{key}", in_trash=True)

    def restore(self, number: int) -> None:
        trashed = sorted(key for key, page in self.truth().items() if page["in_trash"])
        if key := chosen(trashed, number):
            self.ask("PATCH", f"pages/{key}", in_trash=False)

    def purge(self, number: int) -> None:
        if key := chosen(sorted(self.truth()), number):
            self.control(f"purge/{key}")

    def reshape(self, number: int) -> None:
        """Rename, retype, add or remove a property."""
        known = self.ask("GET", f"data_sources/{self.key}")["properties"]
        names = sorted(name for name, each in known.items() if each["type"] not in ("title", "date"))
        name = chosen(names, number // 4)
        changes: list[dict[str, Any]] = [{self.text(): {"number": {}}}]
        if name:
            retyped = {"rich_text": {}} if known[name]["type"] == "number" else {"number": {}}
            changes += [{name: {"name": self.text()}}, {name: retyped}, {name: None}]
        self.ask("PATCH", f"data_sources/{self.key}", properties=changes[number % len(changes)])

    def limit(self, number: int) -> None:
        """A query ends after so many rows."""
        self.control("query_cap", {"rows": PAGE + number % PAGE})

    def unlimited(self) -> None:
        self.control("query_cap", {})

    def reader(self, table: str, policy: Policy) -> Reader:
        return notion.NotionReader(notion.NotionSource("ntn_any", self.address, policy), NOTION[0])

    def check_changed(self, table: str, rows: Rows) -> None:
        for key, page in self.living(table).items():
            assert rows[key]["_deleted_at"] is None, key
            # Names and types of the others are not a page's, and a page is not edited by a change of them.
            assert held(rows[key])["title"][2] == by_id(page)["title"][2], key

    def check(self, table: str, rows: Rows) -> None:
        truth = self.truth()
        for key, page in truth.items():
            if page["in_trash"]:
                # One that was made and put into the trash between two reads was never seen.
                assert key not in rows or rows[key]["_deleted_reason"] == "trashed", key
                continue
            assert rows[key]["_deleted_at"] is None, key
            assert held(rows[key]) == by_id(page), key
        for key in rows.keys() - truth.keys():
            assert rows[key]["_deleted_reason"] in ("missing", "trashed", "purged"), key


def held(row: Any) -> dict[str, tuple[Any, ...]]:
    return {each["id"]: (each["name"], each["type"], each["value"]) for each in row["_properties"]}


def values(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties that are set: HubSpot names one that is not or leaves it out, by endpoint and history of the property."""
    return {name: value for name, value in properties.items() if value is not None}


def by_id(page: Any) -> dict[str, tuple[Any, ...]]:
    return {
        value["id"]: (name, value["type"], value[value["type"]]) for name, value in page["properties"].items()
    }


class Crm(Account):
    """HubSpot's contacts, and what they are associated with."""

    source = "hubspot"
    changes = (
        *("create", "edit", "remove", "restore", "erase", "merge"),
        *("associate", "dissociate", "reshape", "promote"),
    )
    options = ("--contacts", "10", "--companies", "4", "--deals", "2", "--engagements", "6")
    entities: ClassVar[dict[str, Entity]] = {
        CRM[name].table: CRM[name] for name in ("contacts", "associations", "property_history")
    }
    windowed = CRM["contacts"].table
    lists = "(/search|/crm/objects/[^/]+/[a-z]+)$"
    ringing = "hubspot"

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        self.portal = Portal(served)

    def close(self) -> None:
        self.portal.close()
        super().close()

    def told(self, table: str, kind: str, key: str) -> Change | None:
        if CRM["associations"].table == table:
            is_told = kind != "changed" and key.startswith("contacts:")
            return (
                Change("associated", key.partition(":")[2].partition(">")[0], "contact", self.now())
                if is_told
                else None
            )
        return Change(kind, key, "contact", self.now())

    def truth(self) -> dict[str, dict[str, Any]]:
        return self.portal.truth("contacts")

    def living(self, table: str) -> Mapping[str, Any]:
        if CRM["associations"].table == table:
            return dict.fromkeys(self.links())
        if CRM["property_history"].table == table:
            return self.former()
        return {
            key: each
            for key, each in self.truth().items()
            if not each["archived"] and not each["merged_into"]
        }

    def links(self) -> list[str]:
        """The keys that the associations' rows must have."""
        pairs = {(one, other) for one, others in associations.PAIRS.items() for other in others}
        return [
            f"{one}:{from_id}>{other}:{to_id}#{category}:{type_id}"
            for one, from_id, other, to_id, category, type_id in self.control("associations", method="GET")
            if (one, other) in pairs
        ]

    def former(self) -> dict[str, str]:
        """Every value that the history must have, by the key of its row; of contacts, which alone change here."""
        found = {}
        truth = self.truth()
        for kind, names in TRACKED.items():
            for each in self.control(f"history/{kind}?properties={','.join(names)}", method="GET"):
                # What is in the recycling bin is only met by a full refresh.
                if kind != "contacts" or not truth[each["id"]]["archived"]:
                    key = f"{kind}:{each['id']}#{each['property']}={each['timestamp']}"
                    found[key] = each["value"]
        return found

    def properties(self, table: str) -> Mapping[str, tuple[str, str]] | None:
        if CRM["contacts"].table != table:
            return None
        found = self.portal.ask("GET", "/crm/v3/properties/contacts")["results"]
        return {each["name"]: (each["name"], each["type"]) for each in found}

    def _contact(self, number: int) -> str | None:
        return chosen(sorted(self.living(CRM["contacts"].table)), number)

    def create(self, number: int) -> None:
        self.portal.create("contacts", city=self.text())

    def edit(self, number: int) -> None:
        if key := self._contact(number):
            self.portal.change("contacts", key, city=self.text())

    def promote(self, number: int) -> None:
        """The stage of a contact changes, at times within one search of another change, or is cleared."""
        if key := self._contact(number):
            stage = ("lead", "customer", "")[number % 3]
            self.portal.change("contacts", key, lifecyclestage=stage)

    def remove(self, number: int) -> None:
        if key := self._contact(number):
            self.portal.archive("contacts", key)

    def restore(self, number: int) -> None:
        archived = sorted(key for key, each in self.truth().items() if each["archived"])
        if key := chosen(archived, number):
            self.portal.restore("contacts", key)

    def erase(self, number: int) -> None:
        if key := self._contact(number):
            self.portal.erase("contacts", key)

    def merge(self, number: int) -> None:
        pair = {self._contact(number), self._contact(number // 7)}
        if len(pair) == 2:
            self.portal.merge("contacts", *sorted(filter(None, pair), reverse=bool(number % 2)))

    def associate(self, number: int) -> None:
        self._pair(number, self.portal.link)

    def dissociate(self, number: int) -> None:
        self._pair(number, self.portal.unlink)

    def _pair(self, number: int, act: Callable[[str, str, str, str], None]) -> None:
        company = chosen(sorted(self.portal.truth("companies")), number // 2)
        if (contact := self._contact(number // 5)) and company:
            act("contacts", contact, "companies", company)

    def reshape(self, number: int) -> None:
        """Add, retype or remove a property."""
        if number % 3 == 0:
            self.portal.define("contacts", self.text().replace(" ", "_"))
        elif number % 3 == 1:
            self.portal.ask("PATCH", "/crm/v3/properties/contacts/country", json={"type": "number"})
        else:
            self.portal.ask("DELETE", "/crm/v3/properties/contacts/phone")

    def limit(self, number: int) -> None:
        """The search is up to an hour behind, and leads to one page and no further."""
        self.control("search", {"lag": (0, 600, 3600)[number % 3], "cap": PAGE})

    def unlimited(self) -> None:
        self.control("search", {})

    def reader(self, table: str, policy: Policy) -> Reader:
        return hubspot.reader_of(
            hubspot.HubSpot("pat-any", self.address, policy=policy), self.entities[table]
        )

    def check_changed(self, table: str, rows: Rows) -> None:
        if CRM["property_history"].table == table:
            for key, value in self.former().items():
                if (table, key) not in self.gone:
                    assert rows[key]["value"] == value, key
            return
        for key, each in self.living(table).items():
            # To come out of the recycling bin is no modification.
            if (table, key) not in self.gone:
                assert rows[key]["_deleted_at"] is None, key
                assert rows[key]["_payload"]["properties"].get("city") == each["properties"]["city"], key

    def check(self, table: str, rows: Rows) -> None:
        if CRM["associations"].table == table:
            assert {key for key, row in rows.items() if row["_deleted_at"] is None} == set(self.links())
            return
        if CRM["property_history"].table == table:
            assert {key: rows[key]["value"] for key in self.former()} == self.former()
            # Nothing that was ever true goes.
            assert all(row["_deleted_at"] is None for row in rows.values())
            return
        truth = self.truth()
        for key, each in truth.items():
            if each["merged_into"] and each["merged_into"] not in truth:
                # Its winner was erased, and nothing tells of the merge any more.
                assert key not in rows or rows[key]["_deleted_reason"] in ("merged", "missing", "purged"), key
                continue
            reason = "archived" if each["archived"] else "merged" if each["merged_into"] else None
            row = rows[key]
            assert (row["_deleted_reason"], row["_merged_into_id"]) == (reason, each["merged_into"]), key
            if reason != "merged":
                assert values(row["_payload"]["properties"]) == values(each["properties"]), key
        for key in rows.keys() - truth.keys():
            assert rows[key]["_deleted_at"] is not None, key


class Book(Account):
    """Google's contacts and groups."""

    source = "google"
    # Nobody restores from Google's bin by the API, and Google keeps its fields.
    changes = ("create", "edit", "remove", "rename", "create_group", "edit_group", "remove_group")
    delay = 300.0
    options = ("--contacts", "10", "--today", "2026-03-15", "--propagation", f"{delay:g}")
    entities: ClassVar[dict[str, Entity]] = {each.table: each for each in GOOGLE.values()}
    lists = "(connections|contactGroups)$"

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        self.book = AddressBook(served)

    def close(self) -> None:
        self.book.http.close()
        super().close()

    def living(self, table: str) -> Mapping[str, Any]:
        return self.book.truth(self.entities[table].name)

    def _person(self, number: int) -> str | None:
        return chosen(sorted(self.book.truth()), number)

    def _group(self, number: int) -> str | None:
        groups = self.book.truth("contact_groups").items()
        return chosen(
            sorted(key for key, each in groups if each["fields"]["groupType"] == "USER_CONTACT_GROUP"), number
        )

    def create(self, number: int) -> None:
        self.book.create(names=[{"givenName": self.text()}])

    def edit(self, number: int) -> None:
        if key := self._person(number):
            self.book.change(key, nicknames=[{"value": self.text()}])

    def remove(self, number: int) -> None:
        if key := self._person(number):
            self.book.delete(key)

    def rename(self, number: int) -> None:
        if key := self._person(number):
            self.book.rename(key)

    def create_group(self, number: int) -> None:
        self.book.create_group(self.text())

    def edit_group(self, number: int) -> None:
        if key := self._group(number):
            self.book.change(key, name=self.text())

    def remove_group(self, number: int) -> None:
        if key := self._group(number):
            self.book.delete(key)

    def limit(self, number: int) -> None:
        """Every sync token ends."""
        self.control("sync_tokens/expire")

    def reader(self, table: str, policy: Policy) -> Reader:
        return self.book.reader(self.entities[table].name, PAGE, policy=policy)

    def check_changed(self, table: str, rows: Rows) -> None:
        check_living(rows, self.book, self.entities[table].name)

    def check(self, table: str, rows: Rows) -> None:
        check_all(rows, self.book, self.entities[table].name)


class Diary(Account):
    """Google's calendars and their events."""

    source = "google_calendar"
    api = "google"
    changes = (
        *("create", "edit", "remove", "remove_series", "edit_series", "away", "hide", "show"),
        *("rename_calendar", "next_month"),
    )
    delay = 300.0
    options = (*CALENDAR_OPTIONS, "--propagation", f"{delay:g}")
    entities: ClassVar[dict[str, Entity]] = {each.table: each for each in reversed(CALENDAR.values())}
    lists = "(events|calendarList)$"

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        self.diary = CalendarAccount(served)

    def close(self) -> None:
        self.diary.http.close()
        super().close()

    def reset(self) -> None:
        self.diary.today = TODAY
        super().reset()

    def living(self, table: str) -> Mapping[str, Any]:
        return self.diary.truth(self.entities[table].name)

    def _event(self, number: int) -> str | None:
        return chosen(sorted(self.diary.truth()), number)

    def _series(self, number: int) -> str | None:
        found = {
            f"{each.rpartition('/')[0]}/{event['recurringEventId']}"
            for each, event in self.diary.truth().items()
            if "recurringEventId" in event
        }
        return chosen(sorted(found), number)

    def _calendar(self, number: int) -> str | None:
        return chosen(sorted(self.diary.truth("calendars")), number)

    def create(self, number: int) -> None:
        """An event, or a recurring one, some time around today."""
        times = timed(f"2026-03-{number % 28 + 1:02d}T{number % 24:02d}:00")
        rule = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]} if number % 3 == 0 else {}
        if calendar := self._calendar(number):
            self.diary.create(calendar, summary=self.text(), **times, **rule)

    def edit(self, number: int) -> None:
        if key := self._event(number):
            self.diary.change(key, summary=self.text())

    def remove(self, number: int) -> None:
        if key := self._event(number):
            self.diary.delete(key)

    def edit_series(self, number: int) -> None:
        if key := self._series(number):
            self.diary.change(key, location=self.text())

    def remove_series(self, number: int) -> None:
        if key := self._series(number):
            self.diary.delete(key)

    def away(self, number: int) -> None:
        """An event moves beyond the horizon."""
        if key := self._event(number):
            self.diary.change(key, **timed("2031-01-01T10:00"))

    def hide(self, number: int) -> None:
        if (key := self._calendar(number)) and len(self.diary.truth("calendars")) > 1:
            self.diary.change_calendar(key, hidden=True)

    def show(self, number: int) -> None:
        self.diary.change_calendar(chosen(list(CALENDAR_IDS), number) or "", hidden=False)

    def rename_calendar(self, number: int) -> None:
        if key := self._calendar(number):
            self.diary.change_calendar(key, summary=self.text())

    def next_month(self, number: int) -> None:
        """The horizon moves."""
        self.diary.today += timedelta(days=31)

    def limit(self, number: int) -> None:
        """Every sync token ends."""
        self.control("sync_tokens/expire")

    def reader(self, table: str, policy: Policy) -> Reader:
        made: Reader = self.diary.reader(self.entities[table].name, PAGE, policy)
        return made

    def check_changed(self, table: str, rows: Rows) -> None:
        check_diary_living(rows, self.diary, self.entities[table].name)

    def check(self, table: str, rows: Rows) -> None:
        check_diary(rows, self.diary, self.entities[table].name)


ACCOUNTS: dict[str, type[Account]] = {kind.source: kind for kind in (Workspace, Crm, Book, Diary)}


@contextmanager
def serving(source: str, folder: Path) -> Iterator[Account]:
    """Serve a small account of `source` while the block lasts."""
    kind = ACCOUNTS[source]
    with fake_api(kind.api or source, folder, None, *kind.options) as served:
        account = kind(served)
        try:
            yield account
        finally:
            account.close()


@contextmanager
def small_pages() -> Iterator[None]:
    """Let a handful of records be several pages, parts of a landing, and checkpoints."""
    sizes: dict[Any, dict[str, int]] = {
        notion_client: {"PAGE_SIZE": PAGE},
        objects: {"LIST_LIMIT": PAGE, "SEARCH_LIMIT": PAGE, "BATCH_LIMIT": PAGE},
        associations: {"LIST_LIMIT": PAGE, "BATCH_LIMIT": PAGE},
        history: {"HISTORY_LIMIT": PAGE},
        lists: {"BATCH_LIMIT": PAGE},
        calendar_api: {"CALENDARS_PER_PAGE": PAGE},
        calendar_events: {"MONTHS_AHEAD": 1, "ASKED_PER_PAGE": PAGE},
        writing: {"LINES_PER_PART": PAGE + 1},
        checkpoints: {"LINES_PER_CHECKPOINT": PAGE},
    }
    with ExitStack() as stack:
        for module, values in sizes.items():
            for name, value in values.items():
                stack.enter_context(mock.patch.object(module, name, value))
        yield
