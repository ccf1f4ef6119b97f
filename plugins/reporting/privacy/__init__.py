"""Finds a person, and erases them for good: from raw, dbt's snapshots, the landing and the backups.

The marts are built anew after it. What is to be erased is noted as hashed keys before anything is (`ops.purged_keys`), so
that a purge that was cut off goes on by them, and neither a read, a load nor a restore brings back what is gone.
"""

from reporting.privacy.erasing import Erased, erase
from reporting.privacy.finding import CONTACTS, Person, PurgeError, find
from reporting.privacy.identity import Identity, identity_of
from reporting.privacy.listing import allow_again, begin, begun
from reporting.privacy.searching import search

__all__ = [
    "CONTACTS",
    "Erased",
    "Identity",
    "Person",
    "PurgeError",
    "allow_again",
    "begin",
    "begun",
    "erase",
    "find",
    "identity_of",
    "search",
]
