"""What a person is recognised by in any text: e-mail addresses, phone numbers, names and keys."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reporting.ingest.addresses import addresses_in, email_key, texts_in
from reporting.warehouse.transfer import Row

LEAST_PHONE_DIGITS = 8
# Scripts whose marks are accents; in others they are vowels, or make another letter.
ACCENTED = ("LATIN", "GREEK", "CYRILLIC")
PHONE = re.compile(r"\+?\d[\d\s()./-]{6,}\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a person is searched by."""

    emails: frozenset[str]
    phones: frozenset[str]
    names: frozenset[str]
    record_ids: frozenset[str]
    person_ids: frozenset[str]

    def kinds_in(self, value: Any) -> set[str]:
        """Which of e-mail, phone, name and key stand in any text of `value`."""
        found: set[str] = set()
        tails = {_tail(each) for each in self.phones}
        for text in texts_in(value):
            if "@" in text and not self.emails.isdisjoint(addresses_in(text)):
                found.add("e-mail")
            if tails and any(_tail(each) in tails for each in PHONE.findall(text)):
                found.add("phone")
            if self.names and any(f" {name} " in f" {folded(text)} " for name in self.names):
                found.add("name")
            if text in self.record_ids or text in self.person_ids:
                found.add("key")
        return found

    def is_in_mart(self, row: Row) -> bool:
        """Whether a column for keys of contacts has one of theirs; marts have no source beside them."""
        keys = {each.partition(":")[2] for each in self.record_ids}
        return any(
            not keys.isdisjoint(texts_in(value)) for column, value in row.items() if "contact_id" in column
        )


def identity_of(who: Iterable[str]) -> Identity:
    """What is known of somebody whose rows are gone already."""
    given = list(who)
    return Identity(
        emails=frozenset(email_key(each) for each in given if "@" in each),
        phones=frozenset(),
        names=frozenset(),
        record_ids=frozenset(each for each in given if "@" not in each),
        person_ids=frozenset(),
    )


def folded(text: str) -> str:
    """Words in lower case without punctuation, and without accents where a mark is no more than that."""
    kept: list[str] = []
    letter = ""
    for each in unicodedata.normalize("NFKD", text.casefold()):
        if unicodedata.category(each).startswith("M"):
            if letter.isalpha() and not unicodedata.name(letter, "").startswith(ACCENTED):
                kept.append(each)
            continue
        letter = each
        kept.append(each if each.isalnum() else " ")
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


def _tail(phone: str) -> str:
    """The digits by which a number is recognised with or without its country."""
    return re.sub(r"\D", "", phone)[-LEAST_PHONE_DIGITS:]
