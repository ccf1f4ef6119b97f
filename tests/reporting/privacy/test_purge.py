"""A person is erased everywhere, stays erased, and nobody else is touched."""

import logging
import re
import shutil
from collections.abc import Mapping
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting import privacy as purge
from reporting.backup import restore
from reporting.backup.backup import DATASETS, REVISIONS, Backups, back_up, filled_tables
from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.entity import Entity
from reporting.ingest import states
from reporting.ingest import suppression as purged
from reporting.ingest.addresses import address_key, email_key
from reporting.ingest.landing import RUN_TIME, Landing, Manifest, new_run_id
from reporting.ingest.load import load
from reporting.ingest.rows import rows_of
from reporting.ingest.suppression import Matcher
from reporting.privacy.identity import folded as folded_name
from reporting.settings import Settings
from reporting.sources.base import Page, Record, Tombstone
from reporting.sources.google_calendar.records import event_record
from reporting.sources.registry import entity_named
from reporting.warehouse.transfer import address_of
from tests.people.sample_warehouse import google, hubspot

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
ADA = "Ada.Lovell+work@gmail.com"
SHARED = "lovells@example.com"
PHONE = "+49 30 1234567"


def contact(key: str, first: str, last: str, *emails: str, phone: str | None = None, **others: str) -> Record:
    more = ";".join(emails[1:]) or None
    return hubspot(
        key,
        {
            "firstname": first,
            "lastname": last,
            "email": emails[0] if emails else None,
            "hs_additional_emails": more,
            "phone": phone,
            **others,
        },
    )


def link(one: str, one_id: str, other: str, other_id: str) -> Record:
    key = f"{one}:{one_id}>{other}:{other_id}#HUBSPOT_DEFINED:1"
    values = {"from_type": one, "from_id": one_id, "to_type": other, "to_id": other_id}
    return Record({"id": key, **values, "category": "HUBSPOT_DEFINED", "type_id": "1", "label": None})


def former(kind: str, key: str, value: str) -> Record:
    at = "2026-01-01T00:00:00.000Z"
    values = {"object_type": kind, "object_id": key, "property": "lifecyclestage", "value": value}
    return Record({"id": f"{kind}:{key}#lifecyclestage={at}", **values, "changed_at": at})


def event(key: str, title: str, *guests: str) -> Record:
    attendees = [{"email": each, "responseStatus": "accepted"} for each in guests]
    return event_record("me@example.com", {"id": key, "summary": title, "attendees": attendees})


RECORDS: dict[str, list[Record]] = {
    "hubspot__contacts": [
        contact("101", "Ada", "Lovell", ADA, SHARED, phone=PHONE),
        contact("102", "Ben", "Lovell", "ben@example.com", SHARED),
        contact("103", "Cleo", "Marsh", "cleo@example.com", jobtitle="Friend of Ada Lovell"),
    ],
    "google__contacts": [
        google(
            "people/c1",
            {
                "names": [{"displayName": "Ada Lovell", "givenName": "Ada", "familyName": "Lovell"}],
                "emailAddresses": [{"value": "adalovell@googlemail.com"}, {"value": "ada@work.example"}],
                "phoneNumbers": [{"value": "030 1234567", "canonicalForm": "+49301234567"}],
            },
        ),
        google(
            "people/c2",
            {"names": [{"displayName": "Dan Ode"}], "emailAddresses": [{"value": "dan@example.com"}]},
        ),
    ],
    "hubspot__calls": [
        hubspot("1", {"hs_call_title": "With her alone"}),
        hubspot("2", {"hs_call_title": "With both"}),
        hubspot("3", {"hs_call_title": "With him"}),
    ],
    "hubspot__emails": [
        hubspot("1", {"hs_email_subject": "Hello", "hs_email_to_email": '"Ada" <ADA@work.example>'}),
        hubspot("2", {"hs_email_subject": "Hello", "hs_email_to_email": "dan@example.com"}),
    ],
    "hubspot__notes": [hubspot("1", {"hs_note_body": "<p>Ask Ada  LOVELL, at +49 (30) 123-4567</p>"})],
    "google_calendar__events": [
        event("lunch", "Lunch", "ben@example.com", "Ada@Work.example"),
        event("talk", "Talk", "dan@example.com"),
        event("gift", "Buy a gift for Ada Lovell"),
    ],
    "hubspot__associations": [
        link("calls", "1", "contacts", "101"),
        link("calls", "2", "contacts", "101"),
        link("calls", "2", "contacts", "102"),
        link("calls", "3", "contacts", "102"),
    ],
    "hubspot__property_history": [
        former("contacts", "101", "lead"),
        former("contacts", "102", "lead"),
        # The same key in another table is somebody else's.
        former("companies", "101", "customer"),
    ],
}
ERASED = {
    "hubspot__contacts": {"101"},
    "google__contacts": {"people/c1"},
    "hubspot__calls": {"1"},
    "hubspot__emails": {"1"},
    "google_calendar__events": {"me@example.com/lunch"},
    "hubspot__associations": {
        "calls:1>contacts:101#HUBSPOT_DEFINED:1",
        "calls:2>contacts:101#HUBSPOT_DEFINED:1",
    },
    "hubspot__property_history": {"contacts:101#lifecyclestage=2026-01-01T00:00:00.000Z"},
}
MENTIONS = {
    "hubspot__contacts": {"102", "103"},
    "hubspot__notes": {"1"},
    "google_calendar__events": {"me@example.com/gift"},
}


class SampleWarehouse:
    """A warehouse with a landing and backups, in which some people live."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path) -> None:
        self.client = client
        self.settings = replace(
            settings,
            landing_uri=str(folder / "landing"),
            backup_uri=str(folder / "backups"),
            default_region="DE",
        )
        self.folder = folder
        self.landing = Landing(self.settings.landing_uri)

    @property
    def backups(self) -> Backups:
        return Backups(self.client, self.settings)

    def land(
        self,
        table: str,
        records: list[Record],
        at: datetime = AT,
        *,
        is_whole: bool = True,
        gone: str | None = None,
    ) -> str:
        entity = entity_named(table)
        run_id = new_run_id(entity.source, entity.name, "full", at)
        folder = self.landing.folder(entity.source, entity.name, run_id)
        with self.landing.writer(folder) as writer:
            writer.keep(Page(at, tuple(records), (Tombstone(gone, "missing"),) if gone else ()))
            if is_whole:
                writer.finish(self._manifest(entity, run_id, at, gone))
        return folder

    def _manifest(self, entity: Entity, run_id: str, at: datetime, gone: str | None) -> Manifest:
        return Manifest(
            run_id=run_id,
            source=entity.source,
            entity=entity.name,
            refresh="full",
            started_at=at,
            extracted_at=at,
            window_since=None,
            cursor_at=at,
            record_count=0,
            tombstone_count=0,
            request_count=1,
            part_count=0,
            is_complete=True,
            missing_count=1 if gone else 0,
            content_digest="any",
        )

    def load(self, table: str, folder: str) -> Any:
        entity = entity_named(table)
        return load(self.client, self.settings, entity, self.landing, folder, tombstone_share=1.0)

    def fill(self, table: str, folder: str) -> None:
        """As a load does, with one statement."""
        entity = entity_named(table)
        manifest = self.landing.manifest(folder)
        rows = list(rows_of(entity, manifest, self.landing.pages(folder), self.settings))
        place = f"{self.settings.project}.{self.settings.dataset('raw')}.{table}"
        config = bigquery.LoadJobConfig(schema=self.client.get_table(place).schema)
        self.client.load_table_from_json(rows, place, job_config=config).result()

    def settle(self) -> None:
        """Everybody is read, loaded, and known as a person."""
        for table, records in RECORDS.items():
            self.fill(table, self.land(table, records))
        self.run(
            f"""
            CREATE OR REPLACE TABLE {self.settings.dataset("snapshots")}.person_keys AS
            SELECT record_id, person_id, TIMESTAMP '2026-01-01' AS joined_at, TIMESTAMP '2026-01-01' AS founded_at
            FROM UNNEST([
                STRUCT('hubspot:101' AS record_id, 'person_a' AS person_id), STRUCT('google:people/c1', 'person_a'),
                STRUCT('hubspot:102', 'person_b'), STRUCT('hubspot:103', 'person_c'), STRUCT('google:people/c2', 'person_d')
            ])
            """
        )
        self.run(
            f"""
            CREATE OR REPLACE TABLE {self.settings.dataset("snapshots")}.snap_hubspot__contacts AS
            SELECT contact_id, stage FROM UNNEST(['101', '102']) AS contact_id, UNNEST(['lead', 'customer']) AS stage
            """
        )

    def run(self, sql: str) -> None:
        self.client.query_and_wait(sql)

    def empty(self) -> None:
        """Forget what earlier tests loaded."""
        self.client.create_dataset(self.settings.dataset("snapshots"), exists_ok=True)
        for name, table in filled_tables(self.client, self.settings, DATASETS):
            if name != REVISIONS:
                self.run(f"DELETE FROM `{address_of(table)}` WHERE TRUE")
        for table in RECORDS:
            states.forget(self.settings, entity_named(table))

    def ids(self) -> dict[str, set[str]]:
        """The keys in raw, by table."""
        return {
            name.partition(".")[2]: {
                row["id"] for row in self.client.query_and_wait(f"SELECT id FROM `{address_of(table)}`")
            }
            for name, table in filled_tables(self.client, self.settings, ("raw",))
        }

    def files(self) -> set[str]:
        """The copies that are there."""
        root = self.folder / "backups" / "warehouse"
        return {str(path.relative_to(root)) for path in root.rglob("*.parquet")}

    def named(self) -> set[str]:
        """The copies that a list names."""
        return {copy.place for backup in self.backups.all() for copy in backup.copies if copy.place}

    def find(self, *who: str) -> purge.Person:
        found = purge.find(self.client, self.settings, who)
        assert found
        return found

    def purge_person(self, *who: str) -> purge.Erased:
        person = self.find(*who)
        matcher = purge.begin(self.client, self.settings, person, self.backups, AT)
        return self.erase(matcher)

    def erase(self, matcher: Matcher) -> purge.Erased:
        return purge.erase(self.client, self.settings, self.landing, self.backups, matcher)

    def search(self, person: purge.Person) -> dict[str, dict[str, int]]:
        found, problems = self.look_for(person)
        assert problems == []
        return found

    def look_for(self, person: purge.Person) -> tuple[dict[str, dict[str, int]], list[str]]:
        matcher = Matcher(purged.hashed(person.keys, "any", AT))
        return purge.search(self.client, self.settings, self.landing, self.backups, person.identity, matcher)


@pytest.fixture
def sample_warehouse(shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> SampleWarehouse:
    made = SampleWarehouse(*shared_warehouse, tmp_path)
    made.empty()
    made.settle()
    return made


def left(before: Mapping[str, set[str]]) -> dict[str, set[str]]:
    kept = {table: ids - ERASED.get(table, set()) for table, ids in before.items()}
    return {table: ids for table, ids in kept.items() if ids}


def strong(found: Mapping[str, Mapping[str, int]]) -> set[str]:
    return {place for place, counts in found.items() if {"e-mail", "key"} & counts.keys()}


def test_a_person_is_erased_and_stays_erased(
    sample_warehouse: SampleWarehouse, caplog: pytest.LogCaptureFixture
) -> None:
    before = sample_warehouse.ids()
    first, _ = back_up(
        sample_warehouse.client, sample_warehouse.settings, datetime.now(UTC) - timedelta(days=1)
    )
    shutil.copytree(sample_warehouse.folder / "backups", sample_warehouse.folder / "elsewhere")
    person = sample_warehouse.find("ADALOVELL@gmail.com")
    assert {table: set(ids) for table, ids in person.rows.items()} == ERASED
    assert {table: set(ids) for table, ids in person.mentions.items()} == MENTIONS
    assert person.emails == {"adalovell@gmail.com", "ada@work.example"}
    assert person.shared_emails == {SHARED}
    met = sample_warehouse.search(person)
    assert {
        "raw.hubspot__contacts",
        "raw.google__contacts",
        "snapshots.person_keys",
        "snapshots.snap_hubspot__contacts",
        "landing of hubspot__emails",
        "backups of raw.hubspot__contacts",
    } <= strong(met)
    assert met["raw.hubspot__notes"] == {"name": 1, "phone": 1}

    erased = sample_warehouse.purge_person(ADA)
    assert erased.problems == []
    assert erased.counts["snapshots.snap_hubspot__contacts"] == 2
    assert erased.counts["landing of hubspot__associations"] == 2
    assert erased.counts["landing of hubspot__property_history"] == 1
    assert (
        erased.counts["raw.google_calendar__events"]
        == erased.counts["landing of google_calendar__events"]
        == 1
    )
    assert erased.counts["backups of raw.hubspot__contacts"] == 1
    assert sample_warehouse.ids() == left(before)
    after = sample_warehouse.search(person)
    assert strong(after) == set()
    assert after["raw.hubspot__notes"] == {"name": 1, "phone": 1}
    # No plain address or key in the list: a digest and a salt, the run and the time.
    listed = [
        tuple(row.values())
        for row in sample_warehouse.client.list_rows(
            f"{sample_warehouse.settings.dataset('ops')}.purged_keys"
        )
    ]
    assert len(listed) == 7
    for digest, salt, run_id, at in listed:
        assert re.fullmatch("[0-9a-f]{64}", digest)
        assert re.fullmatch("[0-9a-f]{32}", salt)
        assert (run_id, at) == (f"purge-{AT:{RUN_TIME}}", AT)

    # Nothing is left to erase, and every landing is whole.
    assert (
        sample_warehouse.erase(
            Matcher(purged.read(sample_warehouse.client, sample_warehouse.settings))
        ).counts
        == {}
    )
    for table in RECORDS:
        source, _, name = table.partition("__")
        for run_id in sample_warehouse.landing.run_ids(source, name):
            list(sample_warehouse.landing.pages(sample_warehouse.landing.folder(source, name, run_id)))

    # The source still has her, and so has a copy of the backups that nobody could reach.
    later = sample_warehouse.land("hubspot__contacts", RECORDS["hubspot__contacts"], datetime.now(UTC))
    with caplog.at_level(logging.WARNING):
        sample_warehouse.load("hubspot__contacts", later)
    assert "hubspot__contacts: 1 records of people who were purged are still in the source" in caplog.text
    assert sample_warehouse.ids() == left(before)
    elsewhere = SampleWarehouse(sample_warehouse.client, sample_warehouse.settings, sample_warehouse.folder)
    elsewhere.settings = replace(
        sample_warehouse.settings, backup_uri=str(sample_warehouse.folder / "elsewhere")
    )
    copies = restore.chosen_copies(first, ())
    done = restore.restore(
        sample_warehouse.client, elsewhere.settings, elsewhere.backups, elsewhere.backups.read(first.backup_id), copies,
        discard_newer=True,
    )  # fmt: skip
    assert {each.table: each.purged_count for each in done if each.purged_count} == {
        **{f"raw.{table}": len(ids) for table, ids in ERASED.items()},
        "snapshots.person_keys": 2,
        "snapshots.snap_hubspot__contacts": 2,
    }
    assert sample_warehouse.ids() == left(before)

    # Until she is wanted again.
    keys = purge.begun(
        sample_warehouse.client, sample_warehouse.settings, sample_warehouse.backups, ["hubspot:101"]
    )
    assert len(keys) == 7
    purge.allow_again(sample_warehouse.client, sample_warehouse.settings, sample_warehouse.backups, keys)
    assert not purged.read(sample_warehouse.client, sample_warehouse.settings)
    assert not sample_warehouse.backups.purged_keys()
    sample_warehouse.load(
        "hubspot__contacts",
        sample_warehouse.land("hubspot__contacts", RECORDS["hubspot__contacts"], datetime.now(UTC)),
    )
    assert sample_warehouse.ids()["hubspot__contacts"] == before["hubspot__contacts"]


class KilledError(BaseException):
    """The process ended here."""


def dies(*_: Any, **__: Any) -> None:
    raise KilledError


STEPS: list[tuple[Any, str]] = [
    (Landing, "_recount"),
    (Backups, "write"),
]


def test_a_killed_purge_goes_on(sample_warehouse: SampleWarehouse) -> None:
    before = sample_warehouse.ids()
    back_up(sample_warehouse.client, sample_warehouse.settings)
    person = sample_warehouse.find(ADA)
    with pytest.raises(KilledError), mock.patch.object(purged, "add", dies):
        sample_warehouse.purge_person(ADA)
    assert sample_warehouse.ids() == before
    matcher = purge.begin(
        sample_warehouse.client, sample_warehouse.settings, person, sample_warehouse.backups, AT
    )
    for owner, name in STEPS:
        with pytest.raises(KilledError), mock.patch.object(owner, name, dies):
            sample_warehouse.erase(matcher)
    assert sample_warehouse.files() > sample_warehouse.named()
    # Whoever goes on knows the address alone.
    assert purge.find(sample_warehouse.client, sample_warehouse.settings, [ADA]) is None
    keys = purge.begun(sample_warehouse.client, sample_warehouse.settings, sample_warehouse.backups, [ADA])
    assert sample_warehouse.erase(Matcher(keys)).problems == []
    assert strong(sample_warehouse.search(person)) == set()
    assert sample_warehouse.ids() == left(before)
    assert sample_warehouse.files() == sample_warehouse.named()


def test_several_people_are_not_one(sample_warehouse: SampleWarehouse) -> None:
    with pytest.raises(
        purge.PurgeError, match=r"2 people have it: .*hubspot:101; hubspot:102\. Name the records"
    ):
        sample_warehouse.find(SHARED)
    assert sample_warehouse.find("hubspot:102").record_ids == {"hubspot:102"}
    assert purge.find(sample_warehouse.client, sample_warehouse.settings, ["nobody@example.com"]) is None
    assert sample_warehouse.find("hubspot:102", "dan@example.com" if False else "hubspot:102").emails == {
        "ben@example.com"
    }


def test_what_was_cut_off_goes_and_what_is_damaged_is_named(sample_warehouse: SampleWarehouse) -> None:
    person = sample_warehouse.find(ADA)
    later = AT + timedelta(days=1)
    cut = sample_warehouse.land("hubspot__contacts", RECORDS["hubspot__contacts"], later, is_whole=False)
    other = sample_warehouse.land(
        "hubspot__contacts", RECORDS["hubspot__contacts"][1:], later + timedelta(days=1), is_whole=False
    )
    sample_warehouse.landing.write_note("hubspot/contacts/checkpoint-full.json", "{}")
    gone = sample_warehouse.land("google__contacts", RECORDS["google__contacts"][1:], later, gone="people/c1")
    broken = sample_warehouse.land("hubspot__notes", RECORDS["hubspot__notes"], later)
    part = Path(sample_warehouse.landing.uri, broken, "part-00000.ndjson.gz")
    part.write_bytes(part.read_bytes()[:20])
    erased = sample_warehouse.purge_person(ADA)
    assert [each for each in erased.problems if broken in each]
    assert not Path(sample_warehouse.landing.uri, cut).exists()
    assert Path(sample_warehouse.landing.uri, other).exists()
    assert sample_warehouse.landing.note("hubspot/contacts/checkpoint-full.json") is None
    manifest = sample_warehouse.landing.manifest(gone)
    assert (manifest.record_count, manifest.tombstone_count, manifest.missing_count) == (1, 0, 0)
    assert manifest.content_digest is None
    assert [each.id for page in sample_warehouse.landing.pages(gone) for each in page.records] == [
        "people/c2"
    ]
    found, problems = sample_warehouse.look_for(person)
    assert strong(found) == set()
    assert len(problems) == 1
    assert f"{broken} cannot be read" in problems[0]


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("Ada.Lovell+x@GoogleMail.com", "adalovell@gmail.com"),
        (" ADA.L+x@Example.com ", "ada.l@example.com"),
        ("ada@example.com.", "ada@example.com"),
        # Nothing is left of these without a tag and dots: each is itself alone.
        ("+49123@example.com", "+49123@example.com"),
        ("+Tag+x@Example.com", "+tag+x@example.com"),
        ("..+x@gmail.com", "..+x@gmail.com"),
    ],
)
def test_addresses_are_compared_as_people_are(typed: str, key: str) -> None:
    assert email_key(typed) == key


def test_an_address_without_a_mailbox_is_erased_alone() -> None:
    number, other = "+4930111@fax.example.net", "+4930222@fax.example.net"
    matcher = Matcher(purged.hashed([address_key(number)], "purge-1", AT))
    assert matcher.holds_address({"to": [f"Fax <{number}>"]})
    assert not matcher.holds_address({"to": [other]})
    assert not matcher.may_hold_address({"to": [other]})


def test_a_list_of_before_hides_whom_it_hid_and_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever was purged when a gateway's address was noted as its domain alone."""
    noted = ["email @fax.example.net", "email ada.l@example.com", "record hubspot__contacts 101"]
    matcher = Matcher(purged.hashed(noted, "purge-1", AT))
    records = (
        contact("101", "Ada", "Lovell", "+4930111@fax.example.net"),
        contact("102", "Ada", "Lovell", "Ada.L+home@example.com"),
        contact("103", "Ben", "Brandt", "+4930222@fax.example.net"),
    )
    suppression = purged.Suppression(entity_named("hubspot__contacts"), matcher)
    left = suppression.page(Page(AT, records, ()))
    assert [each.id for each in left.records] == ["103"]
    assert (suppression.count, suppression.doubtful) == (2, 1)
    suppression.tell()
    assert "1 records have an address such as +4930111@fax.example.net" in caplog.text


def test_an_apostrophe_that_a_list_of_before_has_cut_is_told_and_hides_nobody_else() -> None:
    noted = ["email brien@example.org", "record hubspot__contacts 101"]
    matcher = Matcher(purged.hashed(noted, "purge-1", AT))
    records = (
        contact("101", "Orla", "O'Brien", "o'brien@example.org"),
        contact("102", "Orla", "O'Brien", "O'Brien+home@example.org"),
        contact("103", "Ben", "Brien", "brien@example.org"),
        contact("104", "Ben", "Brandt", "b'randt@example.org"),
    )
    suppression = purged.Suppression(entity_named("hubspot__contacts"), matcher)
    left = suppression.page(Page(AT, records, ()))
    assert [each.id for each in left.records] == ["102", "104"]
    assert (suppression.count, suppression.doubtful) == (2, 1)


def test_the_list_of_before_is_asked_by_the_whole_address(sample_warehouse: SampleWarehouse) -> None:
    keys = purged.hashed(["email @fax.example.net", "record hubspot__contacts 7"], "purge-1", AT)
    purged.add(sample_warehouse.client, sample_warehouse.settings, keys)
    assert (
        purge.begun(sample_warehouse.client, sample_warehouse.settings, None, ["+4930111@fax.example.net"])
        == keys
    )
    assert (
        purge.begun(sample_warehouse.client, sample_warehouse.settings, None, ["ada@fax.example.net"])
        == frozenset()
    )
    cut = purged.hashed(["email brien@example.org"], "purge-2", AT)
    purged.add(sample_warehouse.client, sample_warehouse.settings, cut)
    assert (
        purge.begun(sample_warehouse.client, sample_warehouse.settings, None, ["O'Brien@example.org"]) == cut
    )


def test_a_load_that_began_before_brings_nobody_back(
    sample_warehouse: SampleWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts, ops = RECORDS["hubspot__contacts"], sample_warehouse.settings.dataset("ops")
    # What a load left that was killed.
    sample_warehouse.run(f"CREATE OR REPLACE TABLE {ops}.stage__left AS SELECT '101' AS id, '{ADA}' AS email")
    person = sample_warehouse.find(ADA)
    real = purged.suppression

    def overtaken(client: bigquery.Client, settings: Settings, entity: Entity) -> purged.Suppression:
        found = real(client, settings, entity)
        monkeypatch.setattr(purged, "suppression", real)
        sample_warehouse.erase(purge.begin(client, settings, person, None, AT))
        return found

    monkeypatch.setattr(purged, "suppression", overtaken)
    with pytest.raises(NotFound):
        sample_warehouse.load(
            "hubspot__contacts", sample_warehouse.land("hubspot__contacts", contacts, AT + timedelta(days=1))
        )
    stages = [
        each.table_id
        for each in sample_warehouse.client.list_tables(ops)
        if each.table_id.startswith("stage__")
    ]
    assert stages == []
    assert sample_warehouse.ids()["hubspot__contacts"] == {"102", "103"}
    sample_warehouse.load(
        "hubspot__contacts", sample_warehouse.land("hubspot__contacts", contacts, AT + timedelta(days=2))
    )
    assert sample_warehouse.ids()["hubspot__contacts"] == {"102", "103"}


def test_what_stands_beside_an_erased_row_stays(
    shared_warehouse: tuple[bigquery.Client, Settings],
) -> None:
    client, settings = shared_warehouse
    matcher = Matcher(purged.hashed([address_key("ada@work.example")], "purge-1", AT))
    runs, versions = f"{settings.dataset('ops')}.airflow_runs", f"{settings.dataset('snapshots')}.snap_any"
    client.create_dataset(settings.dataset("snapshots"), exists_ok=True)
    for sql in (
        # Whoever starts a run by hand names it.
        f"INSERT INTO {runs} (dag_id, run_id) VALUES ('one_dag', 'for ada@work.example'), ('one_dag', 'other')",
        # An earlier version of somebody else's record.
        f"""
        CREATE OR REPLACE TABLE {versions} AS
        SELECT '102' AS contact_id, 'ada@work.example' AS email, 'a' AS dbt_scd_id
        UNION ALL SELECT '102', 'ben@example.com', 'b'
        """,
    ):
        client.query_and_wait(sql)
    for table, column, left in ((runs, "run_id", ["other"]), (versions, "dbt_scd_id", ["b"])):
        found = client.get_table(f"{settings.project}.{table}")
        assert purged.erase_rows(client, found, matcher.of_table("ops.any")) == 1
        assert [row[column] for row in client.query_and_wait(f"SELECT * FROM {table}")] == left
        client.query_and_wait(f"DELETE FROM {table} WHERE TRUE")
    client.delete_table(f"{settings.project}.{versions}")


def test_an_address_without_a_domain_is_none() -> None:
    assert set(purged.addresses_in("info.@ none@. +@ a@b.example")) == {"a@b.example"}


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("  JOSÉ  Núñez-Ruiz ", "jose nunez ruiz"),
        ("राम शर्मा", "राम शर्मा"),
        ("がく", "がく"),
        ("Семён", "семен"),
        ("- .", ""),
    ],
)
def test_names_are_looked_for_without_accents(typed: str, folded: str) -> None:
    assert folded_name(typed) == folded


def test_addresses_are_found_in_any_text() -> None:
    value = {
        "a": ['{"b": "x\\nada@example.com"}', "mailto:Ben@Example.com."],
        "c": "<cleo@example.com>, none@",
        "d": 1,
    }
    assert set(purged.addresses_in(value)) == {"ada@example.com", "ben@example.com", "cleo@example.com"}


@pytest.mark.heavy
def test_the_command_asks_erases_builds_and_proves(
    sample_warehouse: SampleWarehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {
        **sample_warehouse.settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": sample_warehouse.settings.dataset_prefix,
        "REPORTING_LANDING_URI": sample_warehouse.landing.uri,
        "REPORTING_BACKUP_URI": sample_warehouse.settings.backup_uri or "",
        "REPORTING_DEFAULT_REGION": "DE",
        "REPORTING_CONFIG": "/nowhere",
        "COLUMNS": "200",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def said(*arguments: str) -> str:
        assert call("purge-person", [*arguments, "--data", str(sample_warehouse.folder / "state")]) == 0
        return capsys.readouterr().out

    # dbt makes its own.
    sample_warehouse.run(
        f"DROP TABLE {sample_warehouse.settings.dataset('snapshots')}.snap_hubspot__contacts"
    )
    before = sample_warehouse.ids()
    back_up(sample_warehouse.client, sample_warehouse.settings)
    with pytest.raises(CommandError, match="there is no terminal"):
        said(ADA)
    assert "Addresses shared with others" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no row in raw has that address"):
        said("nobody@example.com", "--yes")
    assert sample_warehouse.ids() == before
    out = said(ADA, "--yes")
    assert "Nothing with an address or key of this person is left." in out
    # How far the build is, which takes minutes.
    assert [
        bool(re.search(rf"^  {layer}: (\d+) of \1$", out, re.MULTILINE)) for layer in ("staging", "marts")
    ] == [
        True,
        True,
    ]
    assert sample_warehouse.ids() == left(before)
    marts = sample_warehouse.settings.dataset("marts")
    people = sample_warehouse.client.query_and_wait(f"SELECT full_name, emails FROM {marts}.people")
    assert {row["full_name"]: set(row["emails"]) for row in people} == {
        "Ben Lovell": {"ben@example.com", SHARED},
        "Cleo Marsh": {"cleo@example.com"},
        "Dan Ode": {"dan@example.com"},
    }
    assert "7 keys were removed from the list" in said(ADA, "--allow-again")
    with pytest.raises(CommandError, match="no person with that address or record was purged"):
        said(ADA, "--allow-again")
