"""Google Contacts from its stand-in to the raw tables: equal to the stand-in's own truth after any history."""

import json
from collections.abc import Iterator
from dataclasses import replace
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

from reporting.extract import LARGE_PAGE_COUNT, extract, is_swept_lately
from reporting.landing import Landing, Manifest, Refresh
from reporting.readers import open_reader
from reporting.settings import SettingError, Settings
from reporting.sources.base import NotReadError, Reader
from reporting.warehouse import ledger, states
from reporting.warehouse import load as loading
from reporting.warehouse.ledger import Counts
from reporting.warehouse.load import TombstoneGuardError, load
from tests.google_account import USER, AddressBook, address_book, check_all, check_living

KINDS = ("contacts", "contact_groups")


class Rounds:
    """Runs extract and load against one account."""

    def __init__(self, client: bigquery.Client, settings: Settings, landing: Landing) -> None:
        self.client, self.settings, self.landing = client, settings, landing
        self.book: AddressBook
        self.manifest: Manifest

    def extract(
        self,
        kind: str = "contacts",
        refresh: Refresh = "full",
        reader: Reader | None = None,
        share: float | None = 1.0,
    ) -> str:
        reader = reader or self.book.reader(kind, region=self.settings.default_region)
        try:
            folder = extract(
                self.client,
                self.settings,
                AddressBook.entity(kind),
                refresh,
                reader,
                self.landing,
                tombstone_share=share,
            )
        finally:
            reader.close()
        self.manifest = self.landing.manifest(folder)
        return folder

    def load(self, folder: str, kind: str = "contacts") -> Counts:
        entity = AddressBook.entity(kind)
        return load(self.client, self.settings, entity, self.landing, folder, tombstone_share=1.0)

    def run(self, kind: str = "contacts", refresh: Refresh = "full", reader: Reader | None = None) -> Counts:
        return self.load(self.extract(kind, refresh, reader), kind)

    def rows(self, kind: str = "contacts") -> dict[str, Any]:
        sql = f"SELECT * FROM {self.settings.dataset('raw')}.{AddressBook.entity(kind).table}"
        return {row["id"]: row for row in self.client.query(sql).result()}

    def ledger(self) -> list[dict[str, Any]]:
        sql = f"SELECT * FROM {self.settings.dataset('ops')}.sync_runs ORDER BY started_at"
        return [dict(row) for row in self.client.query(sql).result()]

    def row(self, key: str) -> Any:
        return self.rows()[key]

    def empty(self) -> None:
        """Forget what earlier tests loaded."""
        for kind in KINDS:
            table = f"{self.settings.dataset('raw')}.{AddressBook.entity(kind).table}"
            self.client.query(f"DELETE FROM {table} WHERE TRUE").result()
            states.forget(self.settings, AddressBook.entity(kind))
        self.client.query(f"DELETE FROM {self.settings.dataset('ops')}.sync_runs WHERE TRUE").result()


@pytest.fixture
def rounds(current_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> Iterator[Rounds]:
    made = Rounds(*current_warehouse, Landing(str(tmp_path / "landing")))
    made.empty()
    with address_book(tmp_path / "account") as running:
        made.book = running
        yield made


def test_everything_is_loaded_once(rounds: Rounds) -> None:
    for kind, count in (("contacts", 30), ("contact_groups", 13)):
        assert rounds.run(kind) == Counts(count, count)
        check_all(rounds.rows(kind), rounds.book, kind)
        assert rounds.run(kind) == Counts(count)
        assert rounds.manifest.is_unchanged
        assert rounds.run(kind, "changed") == Counts()
    groups = rounds.rows("contact_groups")
    assert groups["contactGroups/myContacts"]["group_type"] == "SYSTEM_CONTACT_GROUP"
    counts = [each["member_count"] for each in groups.values() if each["group_type"] == "USER_CONTACT_GROUP"]
    assert min(counts) == 0 < max(counts)


def test_the_token_is_in_the_ledger_and_nowhere_else(rounds: Rounds) -> None:
    rounds.run()
    rounds.run("contacts", "changed")
    first, second = (each["sync_token"] for each in rounds.ledger())
    assert first
    assert second
    # Another machine, without a state folder and without Airflow's database.
    with TemporaryDirectory() as folder:
        rounds.settings = replace(rounds.settings, state=Path(folder))
        state = states.read(rounds.client, rounds.settings, AddressBook.entity("contacts"))
        assert state.sync_token == second
        # And from the file that it keeps.
        assert states.read(rounds.client, rounds.settings, AddressBook.entity("contacts")) == state
        name = next(iter(rounds.book.truth()))
        rounds.book.change(name, nicknames=[{"value": "Ed"}])
        assert rounds.run("contacts", "changed") == Counts(1, 0, 1, 0)
        assert rounds.manifest.request_count == 2


def test_a_first_read_of_what_changed_is_a_sweep(rounds: Rounds) -> None:
    assert rounds.run("contacts", "changed") == Counts(30, 30)
    (line,) = rounds.ledger()
    assert (line["refresh"], line["window_since"]) == ("full", None)
    assert line["content_digest"]


def test_a_round_brings_changes_deletes_and_new_names(rounds: Rounds) -> None:
    rounds.run()
    edited, gone, renamed = list(rounds.book.truth())[:3]
    rounds.book.change(edited, nicknames=[{"value": "Ed"}])
    rounds.book.delete(gone)
    name = rounds.book.rename(renamed)
    assert rounds.run("contacts", "changed") == Counts(4, 1, 1, 2)
    rows = rounds.rows()
    assert rows[gone]["_deleted_reason"] == "trashed"
    assert (rows[renamed]["_deleted_reason"], rows[renamed]["_merged_into_id"]) == ("merged", name)
    assert rows[name]["previous_resource_names"] == [renamed]
    assert rows[name]["contact_id"] == rows[renamed]["contact_id"]
    check_all(rounds.rows("contacts"), rounds.book, "contacts")
    assert rounds.run("contacts", "changed") == Counts()
    rounds.run()
    assert rounds.run() == Counts(29)
    check_all(rounds.rows("contacts"), rounds.book, "contacts")


def test_a_sweep_finds_new_names_and_who_is_gone(rounds: Rounds) -> None:
    rounds.run()
    gone, renamed = list(rounds.book.truth())[:2]
    rounds.book.delete(gone)
    name = rounds.book.rename(renamed)
    rounds.run()
    rows = rounds.rows()
    assert rows[gone]["_deleted_reason"] == "missing"
    assert (rows[renamed]["_deleted_reason"], rows[renamed]["_merged_into_id"]) == ("merged", name)
    check_all(rounds.rows("contacts"), rounds.book, "contacts")


def test_an_expired_token_finds_what_is_gone_in_the_same_run(rounds: Rounds) -> None:
    rounds.run()
    edited, gone, renamed = list(rounds.book.truth())[:3]
    rounds.book.change(edited, nicknames=[{"value": "Ed"}])
    rounds.book.delete(gone)
    rounds.book.rename(renamed)
    rounds.book.control("POST", "sync_tokens/expire")
    counts = rounds.run("contacts", "changed")
    assert (counts.inserted, counts.updated, counts.tombstoned) == (1, 1, 2)
    assert rounds.manifest.refresh == "full"
    # An access token, the refusal, the sweep, and who it did not meet.
    assert rounds.manifest.request_count == 4
    check_all(rounds.rows("contacts"), rounds.book, "contacts")
    assert rounds.run("contacts", "changed") == Counts()
    # The old name and the person by the new one were asked for, and a sweep meets one of the two.
    rounds.run()
    assert rounds.run() == Counts(29)


def test_an_expired_token_is_guarded_like_a_sweep(rounds: Rounds) -> None:
    rounds.run()
    for name in list(rounds.book.truth())[:10]:
        rounds.book.delete(name)
    rounds.book.control("POST", "sync_tokens/expire")
    with pytest.raises(TombstoneGuardError, match="misses 10 of 30 rows"):
        rounds.extract("contacts", "changed", share=None)
    # What the owner deleted is no guess when Google says it.
    rounds.run()
    for name in list(rounds.book.truth())[:10]:
        rounds.book.delete(name)
    rounds.load(rounds.extract("contacts", "changed", share=None))
    check_all(rounds.rows("contacts"), rounds.book, "contacts")


@pytest.mark.parametrize("step", ["_merge", "append"])
def test_a_load_that_is_killed_is_repeated(
    rounds: Rounds, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds.run()
    edited, gone, renamed = list(rounds.book.truth())[:3]
    rounds.book.change(edited, nicknames=[{"value": "Ed"}])
    rounds.book.delete(gone)
    rounds.book.rename(renamed)
    folder = rounds.extract("contacts", "changed")
    with monkeypatch.context() as patch:
        module: Any = ledger if step == "append" else loading
        original = getattr(module, step)

        def killed(*arguments: Any) -> None:
            original(*arguments)
            raise KeyboardInterrupt

        patch.setattr(module, step, killed)
        with pytest.raises(KeyboardInterrupt):
            rounds.load(folder)
    expected = Counts(4, 1, 1, 2)
    assert rounds.load(folder) == expected
    assert rounds.load(folder) == expected
    assert len(rounds.ledger()) == 2
    check_all(rounds.rows("contacts"), rounds.book, "contacts")
    assert rounds.run("contacts", "changed") == Counts()


def test_a_read_that_is_never_loaded_is_read_again(rounds: Rounds) -> None:
    rounds.run()
    edited, gone = list(rounds.book.truth())[:2]
    rounds.book.change(edited, nicknames=[{"value": "Ed"}])
    late = rounds.extract("contacts", "changed")
    rounds.book.delete(gone)
    assert rounds.run("contacts", "changed") == Counts(2, 0, 1, 1)
    token = rounds.ledger()[-1]["sync_token"]
    # A load that is late changes nothing, and its token is not the latest.
    rounds.load(late)
    check_all(rounds.rows("contacts"), rounds.book, "contacts")
    entity = AddressBook.entity("contacts")
    assert states.read(rounds.client, rounds.settings, entity).sync_token == token


def test_a_read_that_ends_in_the_middle_moves_no_token(rounds: Rounds) -> None:
    rounds.run("contacts", "full", rounds.book.reader(page_size=5))
    for name in list(rounds.book.truth())[:12]:
        rounds.book.change(name, nicknames=[{"value": "Ed"}])
    rounds.book.fault(kind="status", status=404, path="connections", after=1)
    with pytest.raises(Exception, match="404"):
        rounds.extract("contacts", "changed", rounds.book.reader(page_size=5))
    assert len(rounds.ledger()) == 1
    assert rounds.run("contacts", "changed", rounds.book.reader(page_size=5)) == Counts(12, 0, 12, 0)


def test_unusual_people_have_a_stated_form(rounds: Rounds) -> None:
    book = rounds.book
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
    rounds.run()
    rows = {name: rounds.row(key) for name, key in made.items()}
    check_all(rounds.rows("contacts"), rounds.book, "contacts")
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


def test_the_region_of_numbers_is_a_setting_that_can_change(rounds: Rounds) -> None:
    key = rounds.book.create(phoneNumbers=[{"value": "0171 5550200"}, {"value": "110"}])
    rounds.run()
    rounds.settings = replace(rounds.settings, default_region="DE")
    # A run of what changed brings nothing, and the next sweep whoever has a number.
    rounds.run("contacts", "changed")
    assert rounds.row(key)["phone_numbers"][0]["e164"] is None
    counts = rounds.run()
    assert counts.updated == sum(bool(each["phone_numbers"]) for each in rounds.rows().values())
    assert [each["e164"] for each in rounds.row(key)["phone_numbers"]] == ["+491715550200", None]
    assert rounds.run() == Counts(31)


def test_the_settings_of_a_reader(rounds: Rounds) -> None:
    entity = AddressBook.entity("contacts")
    settings = replace(rounds.settings, names={"google__contacts": "none"})
    with pytest.raises(NotReadError, match="REPORTING_NAME_GOOGLE__CONTACTS=none"):
        open_reader(settings, entity, json.dumps(USER))
    with pytest.raises(SettingError, match="REPORTING_DEFAULT_REGION is 'UK', which is no country"):
        open_reader(replace(rounds.settings, default_region="UK"), entity, json.dumps(USER))
    reader = open_reader(rounds.settings, entity, json.dumps(USER), rounds.book.address)
    assert rounds.run("contacts", "full", reader) == Counts(30, 30)


@pytest.mark.parametrize(("pages", "days", "expected"), [(0, 5, False), (1, 5, True), (1, 6, False)], ids=str)
def test_a_sweep_never_waits_until_its_token_ends(
    rounds: Rounds, pages: int, days: int, expected: bool
) -> None:
    """Looked at once a day, the sweep is six days old at most, and a token of Google's lasts for seven."""
    rounds.run()
    entity = AddressBook.entity("contacts")
    read = (LARGE_PAGE_COUNT + pages) * entity.page_size
    started_at = f"TIMESTAMP_SUB(started_at, INTERVAL {days} DAY)"
    rounds.client.query(
        f"UPDATE {rounds.settings.dataset('ops')}.sync_runs SET rows_read = {read}, started_at = {started_at} WHERE TRUE"
    ).result()
    states.forget(rounds.settings, entity)
    assert is_swept_lately(rounds.client, rounds.settings, entity) is expected


number = st.integers(0, 60)
step = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(KINDS)),
    *(st.tuples(st.just(name), st.sampled_from(KINDS), number) for name in ("change", "delete")),
    st.tuples(st.just("rename"), st.just("contacts"), number),
    st.tuples(st.just("expire"), st.sampled_from(KINDS)),
    st.tuples(st.just("wait"), st.sampled_from(KINDS)),
    st.tuples(st.just("run"), st.sampled_from(KINDS), st.sampled_from(("full", "changed", "changed"))),
)


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
        rounds = Rounds(*current_warehouse, Landing(f"{folder}/landing"))
        rounds.book = running
        rounds.empty()
        for each in history:
            follow(rounds, *each)
        running.pass_time(propagation + 1)
        for kind in KINDS:
            rounds.run(kind, "changed")
            check_living(rounds.rows(kind), rounds.book, kind)
            rounds.run(kind)
            check_all(rounds.rows(kind), rounds.book, kind)
            assert rounds.run(kind) == Counts(len(running.truth(kind)))


def follow(rounds: Rounds, name: str, kind: str, *rest: Any) -> None:
    """Do one step of a history."""
    book = rounds.book
    known = sorted(
        key
        for key, each in book.truth(kind).items()
        if kind == "contacts" or each["fields"]["groupType"] == "USER_CONTACT_GROUP"
    )
    if name == "run":
        rounds.run(kind, rest[0])
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
