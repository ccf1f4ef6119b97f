"""Notes who is erased on the suppression list (`ops.purged_keys` and that of the backups), finds them there, and takes them off."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from google.cloud import bigquery

from reporting.backup.backup import Backups, new_id
from reporting.ingest import suppression as purged
from reporting.ingest.addresses import address_key, former_email_keys
from reporting.ingest.suppression import Matcher, PurgedKey, record_key
from reporting.privacy.finding import CONTACTS, Person
from reporting.settings import Settings


def begin(
    client: bigquery.Client, settings: Settings, person: Person, backups: Backups | None, at: datetime
) -> Matcher:
    """Note who is erased, before anything is; returns what tells their records from others'."""
    known = purged.read(client, settings)
    salt = next((each.salt for each in sorted(known, key=lambda each: each.purged_at)), None)
    # Who comes again under a new key is the same person, and goes on under either.
    matcher = Matcher(known)
    met = sorted({found.purge_id for key in person.keys if (found := matcher.find(key))})
    keys = purged.hashed(person.keys, met[0] if met else f"purge-{new_id(at)}", at, salt)
    if backups:
        backups.note_purged(backups.purged_keys() | known | keys)
    purged.add(client, settings, keys)
    return Matcher(keys)


def begun(
    client: bigquery.Client, settings: Settings, backups: Backups | None, who: Sequence[str]
) -> frozenset[PurgedKey]:
    """The keys of the purges in which these addresses or records were erased before.

    An address that the list has by a former key is found, too: whoever names it says that it is the one.
    """
    known = purged.read(client, settings) | (backups.purged_keys() if backups else frozenset())
    matcher = Matcher(known)
    found = set()
    for each in who:
        source, _, key = each.partition(":")
        names = (
            (
                address_key(each),
                *(f"email {former}" for former in former_email_keys(each.strip().lower())),
            )
            if "@" in each
            else (record_key(CONTACTS.get(source, source), key),)
        )
        found |= {met.purge_id for name in names if (met := matcher.find(name))}
    return frozenset(each for each in known if each.purge_id in found)


def allow_again(
    client: bigquery.Client, settings: Settings, backups: Backups | None, keys: Iterable[PurgedKey]
) -> None:
    """Take keys off the list: the next read brings these people again if the source has them."""
    gone = {each.purge_id for each in keys}
    purged.forget(client, settings, gone)
    if backups:
        backups.note_purged(each for each in backups.purged_keys() if each.purge_id not in gone)
