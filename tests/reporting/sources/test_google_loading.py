"""Google Contacts from its fake API to the raw tables: equal to the fake API's own truth after any history."""

import json
from collections.abc import Iterator
from copy import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from google.cloud import bigquery
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from reporting.ingest import load as loading
from reporting.ingest import states, sync_log
from reporting.ingest.extract import LARGE_PAGE_COUNT, is_refreshed_lately
from reporting.ingest.landing import Landing, Refresh
from reporting.ingest.load import TombstoneGuardError
from reporting.ingest.sync_log import Counts
from reporting.settings import SettingError, Settings
from reporting.sources.base import NotReadError, Reader
from reporting.sources.registry import open_reader
from tests.support.google_account import USER, AddressBook, address_book, check_all, check_living
from tests.support.syncs import Syncs

KINDS = ("contacts", "contact_groups")


class Syncs(Syncs):
    """Runs extract and load against one account."""

    book: AddressBook

    def extract(
        self,
        kind: str = "contacts",
        refresh: Refresh = "full",
        reader: Reader | None = None,
        share: float | None = 1.0,
    ) -> str:
        reader = reader or self.book.reader(kind, region=self.settings.default_region)
        return self.extracted(AddressBook.entity(kind), refresh, reader, share)

    def load(self, folder: str, kind: str = "contacts") -> Counts:
        return self.loaded(AddressBook.entity(kind), folder)

    def run(self, kind: str = "contacts", refresh: Refresh = "full", reader: Reader | None = None) -> Counts:
        return self.load(self.extract(kind, refresh, reader), kind)

    def rows(self, kind: str = "contacts") -> dict[str, Any]:
        return self.raw(AddressBook.entity(kind))

    def row(self, key: str) -> Any:
        return self.rows()[key]

    def empty(self) -> None:
        self.forget(*map(AddressBook.entity, KINDS))


@pytest.fixture
def syncs(current_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> Iterator[Syncs]:
    made = Syncs(*current_warehouse, Landing(str(tmp_path / "landing")))
    made.empty()
    with address_book(tmp_path / "account") as running:
        made.book = running
        yield made


def test_everything_is_loaded_once(syncs: Syncs) -> None:
    for kind, count in (("contacts", 30), ("contact_groups", 13)):
        assert syncs.run(kind) == Counts(count, count)
        check_all(syncs.rows(kind), syncs.book, kind)
        assert syncs.run(kind) == Counts(count)
        assert syncs.manifest.is_unchanged
        assert syncs.run(kind, "changed") == Counts()
    groups = syncs.rows("contact_groups")
    assert groups["contactGroups/myContacts"]["group_type"] == "SYSTEM_CONTACT_GROUP"
    counts = [each["member_count"] for each in groups.values() if each["group_type"] == "USER_CONTACT_GROUP"]
    assert min(counts) == 0 < max(counts)


def test_the_token_is_in_the_sync_log_and_nowhere_else(syncs: Syncs) -> None:
    syncs.run()
    syncs.run("contacts", "changed")
    first, second = (each["sync_token"] for each in syncs.sync_log())
    assert first
    assert second
    # Another machine, without a state folder and without Airflow's database.
    with TemporaryDirectory() as folder:
        syncs.settings = replace(syncs.settings, state=Path(folder))
        state = states.read(syncs.client, syncs.settings, AddressBook.entity("contacts"))
        assert state.sync_token == second
        # And from the file that it keeps.
        assert states.read(syncs.client, syncs.settings, AddressBook.entity("contacts")) == state
        name = next(iter(syncs.book.truth()))
        syncs.book.change(name, nicknames=[{"value": "Ed"}])
        assert syncs.run("contacts", "changed") == Counts(1, 0, 1, 0)
        assert syncs.manifest.request_count == 2


def test_a_first_read_of_what_changed_is_a_full_refresh(syncs: Syncs) -> None:
    assert syncs.run("contacts", "changed") == Counts(30, 30)
    (line,) = syncs.sync_log()
    assert (line["refresh"], line["window_since"]) == ("full", None)
    assert line["content_digest"]


def test_a_round_brings_changes_deletes_and_new_names(syncs: Syncs) -> None:
    syncs.run()
    edited, gone, renamed = list(syncs.book.truth())[:3]
    syncs.book.change(edited, nicknames=[{"value": "Ed"}])
    syncs.book.delete(gone)
    name = syncs.book.rename(renamed)
    assert syncs.run("contacts", "changed") == Counts(4, 1, 1, 2)
    rows = syncs.rows()
    assert rows[gone]["_deleted_reason"] == "trashed"
    assert (rows[renamed]["_deleted_reason"], rows[renamed]["_merged_into_id"]) == ("merged", name)
    assert rows[name]["previous_resource_names"] == [renamed]
    assert rows[name]["contact_id"] == rows[renamed]["contact_id"]
    check_all(syncs.rows("contacts"), syncs.book, "contacts")
    assert syncs.run("contacts", "changed") == Counts()
    syncs.run()
    assert syncs.run() == Counts(29)
    check_all(syncs.rows("contacts"), syncs.book, "contacts")


def test_a_full_refresh_finds_new_names_and_who_is_gone(syncs: Syncs) -> None:
    syncs.run()
    gone, renamed = list(syncs.book.truth())[:2]
    syncs.book.delete(gone)
    name = syncs.book.rename(renamed)
    syncs.run()
    rows = syncs.rows()
    assert rows[gone]["_deleted_reason"] == "missing"
    assert (rows[renamed]["_deleted_reason"], rows[renamed]["_merged_into_id"]) == ("merged", name)
    check_all(syncs.rows("contacts"), syncs.book, "contacts")


def test_an_expired_token_finds_what_is_gone_in_the_same_run(syncs: Syncs) -> None:
    syncs.run()
    edited, gone, renamed = list(syncs.book.truth())[:3]
    syncs.book.change(edited, nicknames=[{"value": "Ed"}])
    syncs.book.delete(gone)
    syncs.book.rename(renamed)
    syncs.book.control("POST", "sync_tokens/expire")
    counts = syncs.run("contacts", "changed")
    assert (counts.inserted, counts.updated, counts.tombstoned) == (1, 1, 2)
    assert syncs.manifest.refresh == "full"
    # An access token, the refusal, the full refresh, and who it did not meet.
    assert syncs.manifest.request_count == 4
    check_all(syncs.rows("contacts"), syncs.book, "contacts")
    assert syncs.run("contacts", "changed") == Counts()
    # The old name and the person by the new one were asked for, and a full refresh meets one of the two.
    syncs.run()
    assert syncs.run() == Counts(29)


def test_an_expired_token_is_guarded_like_a_full_refresh(syncs: Syncs) -> None:
    syncs.run()
    for name in list(syncs.book.truth())[:10]:
        syncs.book.delete(name)
    syncs.book.control("POST", "sync_tokens/expire")
    with pytest.raises(TombstoneGuardError, match="misses 10 of 30 rows"):
        syncs.extract("contacts", "changed", share=None)
    # What the owner deleted is no guess when Google says it.
    syncs.run()
    for name in list(syncs.book.truth())[:10]:
        syncs.book.delete(name)
    syncs.load(syncs.extract("contacts", "changed", share=None))
    check_all(syncs.rows("contacts"), syncs.book, "contacts")


@pytest.mark.parametrize("step", ["_merge", "append"])
def test_a_load_that_is_killed_is_repeated(syncs: Syncs, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs.run()
    edited, gone, renamed = list(syncs.book.truth())[:3]
    syncs.book.change(edited, nicknames=[{"value": "Ed"}])
    syncs.book.delete(gone)
    syncs.book.rename(renamed)
    folder = syncs.extract("contacts", "changed")
    with monkeypatch.context() as patch:
        module: Any = sync_log if step == "append" else loading
        original = getattr(module, step)

        def killed(*arguments: Any) -> None:
            original(*arguments)
            raise KeyboardInterrupt

        patch.setattr(module, step, killed)
        with pytest.raises(KeyboardInterrupt):
            syncs.load(folder)
    expected = Counts(4, 1, 1, 2)
    assert syncs.load(folder) == expected
    assert syncs.load(folder) == expected
    assert len(syncs.sync_log()) == 2
    check_all(syncs.rows("contacts"), syncs.book, "contacts")
    assert syncs.run("contacts", "changed") == Counts()


def test_a_read_that_is_never_loaded_is_read_again(syncs: Syncs) -> None:
    syncs.run()
    edited, gone = list(syncs.book.truth())[:2]
    syncs.book.change(edited, nicknames=[{"value": "Ed"}])
    late = syncs.extract("contacts", "changed")
    syncs.book.delete(gone)
    assert syncs.run("contacts", "changed") == Counts(2, 0, 1, 1)
    token = syncs.sync_log()[-1]["sync_token"]
    # A load that is late changes nothing, and its token is not the latest.
    syncs.load(late)
    check_all(syncs.rows("contacts"), syncs.book, "contacts")
    entity = AddressBook.entity("contacts")
    assert states.read(syncs.client, syncs.settings, entity).sync_token == token


def test_a_late_load_brings_no_deleted_contact_back(syncs: Syncs) -> None:
    syncs.run()
    short_lived = syncs.book.create(names=[{"givenName": "Ina"}])
    late = syncs.extract("contacts", "changed")
    syncs.book.delete(short_lived)
    # Nobody knew of it, so nothing is new for anybody.
    assert syncs.run("contacts", "changed") == Counts(1, 0, 0, 0)
    syncs.load(late)
    row = syncs.row(short_lived)
    assert row["_deleted_reason"] == "trashed"
    assert row["_payload"] is None
    assert syncs.run("contacts", "changed") == Counts()
    assert syncs.run() == Counts(30, 0, 0, 0, 30, 30)


def test_what_a_sync_said_later_wins_over_a_read_that_began_before(syncs: Syncs) -> None:
    syncs.run()
    gone = next(iter(syncs.book.truth()))
    opened = syncs.book.reader("contacts", region=syncs.settings.default_region)
    asked = opened.read

    def overtaken(since: Any) -> Iterator[Any]:
        # While this one is under way another one reads everything, and still sees the contact.
        refreshed = syncs.extract()
        syncs.book.delete(gone)
        syncs.load(refreshed)
        yield from asked(since)

    opened.read = overtaken  # type: ignore[method-assign]
    syncs.run("contacts", "changed", opened)
    assert syncs.row(gone)["_deleted_reason"] == "trashed"


def test_a_read_that_ends_in_the_middle_moves_no_token(syncs: Syncs) -> None:
    syncs.run("contacts", "full", syncs.book.reader(page_size=5))
    for name in list(syncs.book.truth())[:12]:
        syncs.book.change(name, nicknames=[{"value": "Ed"}])
    syncs.book.fault(kind="status", status=404, path="connections", after=1)
    with pytest.raises(Exception, match="404"):
        syncs.extract("contacts", "changed", syncs.book.reader(page_size=5))
    assert len(syncs.sync_log()) == 1
    assert syncs.run("contacts", "changed", syncs.book.reader(page_size=5)) == Counts(12, 0, 12, 0)


def test_unusual_people_have_a_stated_form(syncs: Syncs) -> None:
    book = syncs.book
    made = {
        "nobody": book.create(biographies=[{"value": "Owes me a call."}]),
        "no_name": book.create(emailAddresses=[{"value": "guest@example.com"}]),
        "no_address": book.create(names=[{"givenName": "Ravi"}]),
        "no_year": book.create(birthdays=[{"date": {"month": 5, "day": 4}}]),
        "leap_day": book.create(birthdays=[{"date": {"month": 2, "day": 29}}]),
        "leap_year": book.create(birthdays=[{"date": {"year": 1988, "month": 2, "day": 29}}]),
        "month": book.create(events=[{"date": {"year": 2012, "month": 9}, "type": "anniversary"}]),
        "words": book.create(birthdays=[{"text": "in spring"}]),
        "no_country": book.create(
            phoneNumbers=[
                {"value": "0171 5550200"},
                {"value": "+43 1 5550100 ext. 9", "type": "main"},
                {"value": "ask Ravi"},
                {"value": "110"},
            ]
        ),
        "capitals": book.create(emailAddresses=[{"value": "  Ada.Lovelace@Example.COM "}, {"value": "  "}]),
        "many": book.create(emailAddresses=[{"value": f"Reader{n}@list.example.com"} for n in range(200)]),
        "works": book.create(
            organizations=[{"name": "Co", "startDate": {"year": 2020, "month": 4}, "current": True}]
        ),
    }
    syncs.run()
    rows = {name: syncs.row(key) for name, key in made.items()}
    check_all(syncs.rows("contacts"), syncs.book, "contacts")
    for name in ("nobody", "no_name"):
        assert rows[name]["names"] == []
    assert rows["nobody"]["email_addresses"] == rows["nobody"]["phone_numbers"] == []
    assert rows["no_address"]["email_addresses"] == []
    assert rows["no_address"]["names"][0]["display_name"] == "Ravi"

    def date(name: str, field: str = "birthdays") -> tuple[Any, ...]:
        (found,) = rows[name][field]
        return tuple(found[part] for part in ("year", "month", "day"))

    assert date("no_year") == (None, 5, 4)
    assert date("leap_day") == (None, 2, 29)
    assert date("leap_year") == (1988, 2, 29)
    assert date("month", "events") == (2012, 9, None)
    assert date("words") == (None, None, None)
    assert rows["words"]["birthdays"][0]["text"] == "in spring"
    # Without a region a number without a country has no E.164 form, and nothing else is lost.
    assert [each["e164"] for each in rows["no_country"]["phone_numbers"]] == [None, "+4315550100", None, None]
    assert rows["no_country"]["phone_numbers"][0]["value"] == "0171 5550200"
    first, second = rows["capitals"]["email_addresses"]
    assert (first["value"], first["normalised_value"]) == (
        "  Ada.Lovelace@Example.COM ",
        "ada.lovelace@example.com",
    )
    assert second["normalised_value"] is None
    assert len(rows["many"]["email_addresses"]) == 200
    assert rows["many"]["email_addresses"][199]["normalised_value"] == "reader199@list.example.com"
    assert [each["is_primary"] for each in rows["many"]["email_addresses"]] == [True] + [False] * 199
    (work,) = rows["works"]["organizations"]
    assert (work["start_year"], work["start_month"], work["start_day"], work["end_year"]) == (
        2020,
        4,
        None,
        None,
    )
    assert work["is_current"]
    (held,) = rows["works"]["memberships"]
    assert held["contact_group_resource_name"] == "contactGroups/myContacts"


def test_the_region_of_numbers_is_a_setting_that_can_change(syncs: Syncs) -> None:
    key = syncs.book.create(phoneNumbers=[{"value": "0171 5550200"}, {"value": "110"}])
    syncs.run()
    syncs.settings = replace(syncs.settings, default_region="DE")
    # A run of what changed brings nothing, and the next full refresh whoever has a number.
    syncs.run("contacts", "changed")
    assert syncs.row(key)["phone_numbers"][0]["e164"] is None
    counts = syncs.run()
    assert counts.updated == sum(bool(each["phone_numbers"]) for each in syncs.rows().values())
    assert [each["e164"] for each in syncs.row(key)["phone_numbers"]] == ["+491715550200", None]
    assert syncs.run() == Counts(31)


def test_the_settings_of_a_reader(syncs: Syncs) -> None:
    entity = AddressBook.entity("contacts")
    settings = replace(syncs.settings, names={"google__contacts": "none"})
    with pytest.raises(NotReadError, match="REPORTING_NAME_GOOGLE__CONTACTS=none"):
        open_reader(settings, entity, json.dumps(USER))
    with pytest.raises(SettingError, match="REPORTING_DEFAULT_REGION is 'UK', which is not a country"):
        open_reader(replace(syncs.settings, default_region="UK"), entity, json.dumps(USER))
    reader = open_reader(syncs.settings, entity, json.dumps(USER), syncs.book.address)
    assert syncs.run("contacts", "full", reader) == Counts(30, 30)


@pytest.mark.parametrize(("pages", "days", "expected"), [(0, 5, False), (1, 5, True), (1, 6, False)], ids=str)
def test_a_full_refresh_never_waits_until_its_token_ends(
    syncs: Syncs, pages: int, days: int, expected: bool
) -> None:
    """Looked at once a day, the full refresh is six days old at most, and a token of Google's lasts for seven."""
    syncs.run()
    entity = AddressBook.entity("contacts")
    read = (LARGE_PAGE_COUNT + pages) * entity.page_size
    started_at = f"TIMESTAMP_SUB(started_at, INTERVAL {days} DAY)"
    syncs.client.query_and_wait(
        f"UPDATE {syncs.settings.dataset('ops')}.sync_runs SET rows_read = {read}, started_at = {started_at} WHERE TRUE"
    )
    states.forget(syncs.settings, entity)
    assert is_refreshed_lately(syncs.client, syncs.settings, entity) is expected


number = st.integers(0, 60)
step = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(KINDS)),
    *(st.tuples(st.just(name), st.sampled_from(KINDS), number) for name in ("change", "delete")),
    st.tuples(st.just("rename"), st.just("contacts"), number),
    st.tuples(st.just("expire"), st.sampled_from(KINDS)),
    st.tuples(st.just("wait"), st.sampled_from(KINDS)),
    st.tuples(st.just("run"), st.sampled_from(KINDS), st.sampled_from(("full", "changed", "changed"))),
)


@pytest.mark.heavy
@hypothesis_settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(history=st.lists(step, min_size=6, max_size=14), propagation=st.sampled_from((0, 300)))
def test_after_any_history_the_tables_are_the_accounts_truth(
    current_warehouse: tuple[bigquery.Client, Settings], history: list[Any], propagation: int
) -> None:
    with (
        TemporaryDirectory() as folder,
        address_book(Path(folder) / "account", "--propagation", str(propagation)) as running,
    ):
        syncs = Syncs(*current_warehouse, Landing(f"{folder}/landing"))
        syncs.book = running
        syncs.empty()
        for each in history:
            follow(syncs, *each)
        running.pass_time(propagation + 1)
        for kind in KINDS:
            syncs.run(kind, "changed")
            check_living(syncs.rows(kind), syncs.book, kind)
            syncs.run(kind)
            check_all(syncs.rows(kind), syncs.book, kind)
            assert syncs.run(kind) == Counts(len(running.truth(kind)))


def follow(syncs: Syncs, name: str, kind: str, *rest: Any) -> None:
    """Do one step of a history."""
    book = syncs.book
    known = sorted(
        key
        for key, each in book.truth(kind).items()
        if kind == "contacts" or each["fields"]["groupType"] == "USER_CONTACT_GROUP"
    )
    if name == "run":
        syncs.run(kind, rest[0])
    elif name == "expire":
        book.control("POST", "sync_tokens/expire")
    elif name == "wait":
        book.pass_time(timedelta(minutes=4).total_seconds())
    elif name == "create" and kind == "contacts":
        book.create(names=[{"givenName": "New"}], emailAddresses=[{"value": " New@Example.com"}])
    elif name == "create":
        book.create_group(f"Group {uuid4()}")
    elif known and name == "rename":
        book.rename(known[rest[0] % len(known)])
    elif known and name == "delete":
        book.delete(known[rest[0] % len(known)])
    elif known and kind == "contacts":
        book.change(known[rest[0] % len(known)], nicknames=[{"value": f"Nick {rest}"}])
    elif known:
        # A name is of one group alone.
        book.change(known[rest[0] % len(known)], name=f"Group {uuid4()}")
