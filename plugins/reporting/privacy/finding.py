"""Finds a person in the raw tables by an address or a record: which rows are theirs, and which others mention them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.backup.backup import filled_tables
from reporting.ingest import suppression as purged
from reporting.ingest.addresses import address_key, addresses_in, addresses_in_field, email_key
from reporting.ingest.suppression import record_key
from reporting.privacy.identity import Identity, folded
from reporting.settings import Settings
from reporting.sources.hubspot.entities import HUBSPOT_OBJECTS
from reporting.sources.registry import entity_named
from reporting.warehouse.transfer import Row, address_of, read_rows

CONTACTS = {"hubspot": "hubspot__contacts", "google": "google__contacts"}
ENGAGEMENTS = frozenset(each.name for each in HUBSPOT_OBJECTS if each.is_engagement)


class PurgeError(Exception):
    """Who is to be erased cannot be told; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A record of a person: `record_id` as people's keys have it (`hubspot:101`), addresses and names as compared."""

    record_id: str
    emails: frozenset[str]
    mentioned: frozenset[str]
    phones: frozenset[str]
    names: frozenset[str]

    @property
    def table(self) -> str:
        """Its raw table."""
        return CONTACTS[self.record_id.partition(":")[0]]

    @property
    def key(self) -> str:
        """Its key there."""
        return self.record_id.partition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who is to be erased, and what was found of them.

    `emails` are theirs alone; `shared_emails` stand with others, too. `rows` are the keys of what is erased and
    `mentions` of what stays though it has a name, number or shared address of theirs, both by raw table.
    """

    record_ids: frozenset[str]
    person_ids: frozenset[str]
    emails: frozenset[str]
    shared_emails: frozenset[str]
    phones: frozenset[str]
    names: frozenset[str]
    rows: Mapping[str, frozenset[str]]
    mentions: Mapping[str, frozenset[str]]

    @property
    def identity(self) -> Identity:
        """What the person is searched by."""
        return Identity(
            emails=self.emails,
            phones=self.phones,
            names=self.names,
            record_ids=self.record_ids,
            person_ids=self.person_ids,
        )

    @property
    def keys(self) -> frozenset[str]:
        """What is hashed and kept. What belongs to an object (an association, a former value) goes with it and needs no key, and a record whose key will be
        another's is known by its addresses alone."""
        records = (
            record_key(table, each)
            for table, ids in self.rows.items()
            if table not in purged.BELONGINGS and _has_lasting_keys(table)
            for each in ids
        )
        contacts = (
            record_key(CONTACTS[source], key)
            for source, _, key in (each.partition(":") for each in self.record_ids)
        )
        return frozenset((*records, *contacts, *(address_key(each) for each in self.emails)))


def find(client: bigquery.Client, settings: Settings, who: Sequence[str]) -> Person | None:
    """The person with these e-mail addresses or records (`hubspot:101`), None when raw has nobody of them.

    Raises `PurgeError` when they are several people.
    """
    contacts = {each.record_id: each for each in _contacts(client, settings)}
    people = _person_ids(client, settings)
    seeds = {
        record_id
        for each in who
        for record_id in (
            [key for key, contact in contacts.items() if email_key(each) in contact.emails]
            if "@" in each
            else [each]
        )
        if record_id in contacts or record_id in people
    }
    if not seeds:
        return None
    groups = {people.get(each, each) for each in seeds}
    if len(groups) > 1:
        raise PurgeError(
            f"{len(groups)} people have it: {'; '.join(_by_person(seeds, people))}. Name the records of the one who is "
            "meant instead of the address. Are they one? Say so in dbt/seeds/people_overrides.csv, and build first."
        )
    records = seeds | {each for each, person in people.items() if person in groups}
    theirs = [contacts[each] for each in records if each in contacts]
    others = [each for key, each in contacts.items() if key not in records]
    emails = frozenset().union(*(each.emails for each in theirs))
    shared = emails & frozenset().union(*(each.mentioned for each in others))
    identity = Identity(
        emails=emails - shared,
        phones=frozenset().union(*(each.phones for each in theirs)),
        names=frozenset().union(*(each.names for each in theirs)),
        record_ids=frozenset(records),
        person_ids=frozenset(people[each] for each in records if each in people),
    )
    rows, mentions = _rows(client, settings, identity, shared)
    return Person(
        record_ids=identity.record_ids,
        person_ids=identity.person_ids,
        emails=identity.emails,
        shared_emails=shared,
        phones=identity.phones,
        names=identity.names,
        rows=rows,
        mentions=mentions,
    )


def _has_lasting_keys(table: str) -> bool:
    try:
        return entity_named(table).has_lasting_keys
    except LookupError:
        # A table of a source that is not there any more.
        return True


def _contacts(client: bigquery.Client, settings: Settings) -> Iterator[Contact]:
    for source, table in CONTACTS.items():
        address = f"{settings.project}.{settings.dataset('raw')}.{table}"
        for row in read_rows(client, address, client.get_table(address).schema):
            emails, phones, names = _of_hubspot(row) if source == "hubspot" else _of_google(row)
            yield Contact(
                record_id=f"{source}:{row['id']}",
                emails=frozenset(each for text in emails if text for each in addresses_in_field(text)),
                mentioned=frozenset(addresses_in(row)),
                phones=frozenset(each for each in phones if each),
                # One word alone is the name of too many.
                names=frozenset(name for text in names if " " in (name := folded(text or ""))),
            )


def _of_hubspot(row: Row) -> tuple[list[str | None], list[str | None], list[str | None]]:
    names = " ".join(each for each in (row["firstname"], row["lastname"]) if each)
    return [row["email"], row["hs_additional_emails"]], [row["phone_e164"], row["mobilephone_e164"]], [names]


def _of_google(row: Row) -> tuple[list[str | None], list[str | None], list[str | None]]:
    names = [each["display_name"] for each in row["names"]]
    parts = [" ".join(filter(None, (each["given_name"], each["family_name"]))) for each in row["names"]]
    return (
        [each["value"] for each in row["email_addresses"]],
        [each["e164"] for each in row["phone_numbers"]],
        [*names, *parts],
    )


def _person_ids(client: bigquery.Client, settings: Settings) -> dict[str, str]:
    """The person of each record, as the last build has it."""
    table = f"{settings.project}.{settings.dataset('snapshots')}.person_keys"
    try:
        client.get_table(table)
    except NotFound:
        return {}
    rows = client.query_and_wait(f"SELECT record_id, person_id FROM `{table}`")
    return {row["record_id"]: row["person_id"] for row in rows}


def _rows(
    client: bigquery.Client, settings: Settings, identity: Identity, shared: frozenset[str]
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """What is erased, and what stays though it names the person, by raw table."""
    erased: dict[str, set[str]] = {}
    mentions: dict[str, set[str]] = {}
    for record_id in identity.record_ids:
        source, _, key = record_id.partition(":")
        erased.setdefault(CONTACTS[source], set()).add(key)
    contact_ids = erased.get(CONTACTS["hubspot"], set())
    for table, key in _alone_with(client, settings, contact_ids):
        erased.setdefault(table, set()).add(key)
    weak = Identity(
        emails=shared,
        phones=identity.phones,
        names=identity.names,
        record_ids=frozenset(),
        person_ids=frozenset(),
    )
    for name, filled in filled_tables(client, settings, ("raw",)):
        short = name.partition(".")[2]
        for row in read_rows(client, address_of(filled), filled.schema):
            is_theirs = any(key in erased.get(table, ()) for table, key in purged.objects_of(short, row))
            if is_theirs or not identity.emails.isdisjoint(addresses_in(row)):
                erased.setdefault(short, set()).add(row["id"])
            elif row["id"] not in erased.get(short, ()) and weak.kinds_in(row):
                mentions.setdefault(short, set()).add(row["id"])
    return _frozen(erased), _frozen(mentions)


def _alone_with(
    client: bigquery.Client, settings: Settings, contact_ids: set[str]
) -> Iterator[tuple[str, str]]:
    """Table and key of each engagement that is associated with these contacts and with no other."""
    sql = f"""
        SELECT from_type, from_id, ARRAY_AGG(DISTINCT to_id) AS contact_ids
        FROM `{settings.dataset("raw")}.{purged.ASSOCIATIONS}`
        WHERE to_type = 'contacts' AND _deleted_at IS NULL
        GROUP BY from_type, from_id
    """
    for row in client.query_and_wait(sql):
        if row["from_type"] in ENGAGEMENTS and set(row["contact_ids"]) <= contact_ids:
            yield f"hubspot__{row['from_type']}", row["from_id"]


def _by_person(record_ids: Iterable[str], people: Mapping[str, str]) -> list[str]:
    found: dict[str, list[str]] = {}
    for each in sorted(record_ids):
        found.setdefault(people.get(each, each), []).append(each)
    return [", ".join(each) for each in found.values()]


def _frozen(found: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {table: frozenset(ids) for table, ids in found.items() if ids}
