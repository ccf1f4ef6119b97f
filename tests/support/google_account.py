"""A running fake API for Google Contacts as tests use it: changes made to the account, and readers of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reporting.entity import Entity
from reporting.sources.base import Page
from reporting.sources.google_contacts.api import Account as Source
from reporting.sources.google_contacts.entities import GOOGLE
from reporting.sources.google_contacts.lists import ContactsReader, GroupsReader, ListReader
from reporting.sources.http import Policy
from sandbox.serving import fake_api
from tests.sandbox.google.account import CLIENT, REFRESH, Account

ENTITIES = {entity.name: entity for entity in GOOGLE}
SMALL = ("--contacts", "30", "--today", "2026-03-15")
# Where a source has sync tokens, the time of the cursor says only that there is one.
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
# The clock of the fake API is moved.
UNPACED = Policy(
    requests_per_second=1_000_000, clock_tolerance=None, first_backoff=0.01, longest_backoff=0.05, attempts=6
)
USER = {**CLIENT, "refresh_token": REFRESH["refresh_token"]}
SECRETS = (USER["client_secret"], USER["refresh_token"], "ya29.", "4/0A", "1//0")


class AddressBook(Account):
    """An account at an address, with its readers."""

    def create(self, **fields: Any) -> str:
        return str(self.control("POST", "people", fields)["resourceName"])

    def change(self, key: str, /, **fields: Any) -> None:
        self.control("PATCH", key, fields)

    def delete(self, name: str) -> None:
        self.control("DELETE", name)

    def rename(self, name: str) -> str:
        return str(self.control("POST", f"{name}/rename")["resourceName"])

    def create_group(self, name: str) -> str:
        return str(self.control("POST", "contactGroups", {"name": name})["resourceName"])

    def truth(self, kind: str = "contacts") -> dict[str, dict[str, Any]]:
        """Everybody, or every group, who is not deleted."""
        found = self.control("GET", "truth")["people" if kind == "contacts" else "groups"]
        return {each["resourceName"]: each for each in found if not each["deleted"]}

    def fault(self, **fault: Any) -> None:
        self.control("POST", "faults", [fault])

    def requests(self) -> dict[str, int]:
        found: dict[str, int] = self.control("GET", "requests")
        return found

    def reader(
        self,
        kind: str = "contacts",
        page_size: int | None = None,
        region: str | None = None,
        user: dict[str, str] = USER,
        policy: Policy = UNPACED,
    ) -> ListReader:
        made = ContactsReader if kind == "contacts" else GroupsReader
        return made(Source(user, self.address, policy), self.entity(kind), region, page_size)

    @staticmethod
    def entity(kind: str) -> Entity:
        return ENTITIES[kind]


@contextmanager
def address_book(folder: Path, *arguments: str) -> Iterator[AddressBook]:
    """Serve a small account from `folder` while the block lasts."""
    with fake_api("google", folder, None, *SMALL, *arguments) as served:
        running = AddressBook(served)
        try:
            yield running
        finally:
            running.http.close()


def read(reader: ListReader, sync_token: str | None = None) -> list[Page]:
    """All pages of a full refresh, or of what changed since `sync_token`, as `extract` reads them."""
    reader.resume_at(sync_token)
    reader.describe()
    try:
        return list(reader.read(None if sync_token is None else LONG_AGO))
    finally:
        reader.close()


def ids(pages: list[Page]) -> list[str]:
    return [str(record.id) for page in pages for record in page.records]


def tombstones(pages: list[Page]) -> set[Any]:
    return {each for page in pages for each in page.tombstones}


def own(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the contact itself has of a field, without what Google adds about it."""
    return [
        {name: value for name, value in each.items() if name != "metadata"}
        for each in items
        if each["metadata"]["source"]["type"] == "CONTACT"
    ]


def check_living(rows: Mapping[str, Any], book: AddressBook, kind: str) -> None:
    """Everybody who exists is among the table's rows, as they are."""
    for key, each in book.truth(kind).items():
        row = rows[key]
        assert row["_deleted_at"] is None, key
        assert row["updated_at"] == (
            datetime.fromisoformat(each["updateTime"])
            if kind == "contacts" or each["fields"]["groupType"] == "USER_CONTACT_GROUP"
            else None
        )
        if kind == "contact_groups":
            assert (row["name"], row["group_type"]) == (each["fields"]["name"], each["fields"]["groupType"])
            continue
        assert row["contact_id"] == each["contactId"]
        expected = {name: items for name, items in each["fields"].items() if items and name != "photos"}
        payload = row["_payload"]
        assert {name: own(payload[name]) for name in expected} == expected
        assert [each["value"] for each in row["email_addresses"]] == [
            each["value"] for each in payload.get("emailAddresses", [])
        ]


def check_all(rows: Mapping[str, Any], book: AddressBook, kind: str) -> None:
    """And nobody else is, and former names lead to the present ones."""
    check_living(rows, book, kind)
    truth = book.truth(kind)
    assert {key for key, row in rows.items() if row["_deleted_at"] is None} == set(truth)
    for key, each in truth.items():
        for former in each.get("previousResourceNames", []):
            led = former
            while led in rows and rows[led]["_deleted_reason"] == "merged":
                led = rows[led]["_merged_into_id"]
            assert led == key or former not in rows
    for row in rows.values():
        assert row["_deleted_reason"] in (None, "trashed", "merged", "missing")


def assert_no_secret(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text
