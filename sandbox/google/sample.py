"""The contacts of a small consultancy's owner, invented, the same for the same seed.

About half are people whom the sample of `sandbox.hubspot` with the same seed and its default sizes has, too, in the
ways in which address books differ from a CRM. Each person's `origin` says which case it is and which human it stands
for: `hubspot:ID` for a contact of HubSpot's sample, `google:NUMBER` for the others.
"""

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from sandbox.google.fields import Human, contact, decorate, emails, phone, profile
from sandbox.google.schema import GROUPS, SYSTEM_GROUPS, Json, completed, membership, system_group
from sandbox.google.schema import user_group as made_group
from sandbox.google.store import SECOND
from sandbox.hubspot.__main__ import SIZES
from sandbox.hubspot.sample import FIRST_NAMES, LAST_NAMES
from sandbox.hubspot.sample import Sample as HubSpotSample

# What becomes of how many of 250 people; the rest are acquaintances.
CASES = {
    # The same human as a contact of HubSpot's.
    "same_email": 40,
    "email_case": 20,
    "email_spaces": 10,
    "phone_only": 20,
    "changed_last_name": 15,
    "email_without_name": 5,
    "second_email": 10,
    # Different humans who look alike.
    "one_email_two_names": 4,
    "switchboard": 10,
    "info_mailbox": 5,
    "family": 6,
    # The same human twice in the address book.
    "twice": 6,
    # What an address book has and a CRM does not expect.
    "no_name": 5,
    "phone_without_name": 3,
    "no_address": 8,
    "note_only": 1,
    "many_emails": 1,
    "birthday_without_year": 6,
    "leap_day": 2,
    "partial_date": 4,
    "unusual_name": 4,
}
FROM_HUBSPOT = frozenset(list(CASES)[:7])
BARE = frozenset(("no_name", "phone_without_name", "no_address", "note_only", "email_without_name"))
MANY_EMAILS = 200
USER_GROUPS = ("Customers", "Suppliers", "Book club", "Speakers", "Former clients")


@dataclass(slots=True)
class Sample:
    """What the sample is made from: seed, size, the last day, and when it was first started."""

    seed: int
    contacts: int
    today: date
    started_at: datetime
    _pool: list[Human] = field(default_factory=list, init=False)
    _seen: Counter[str] = field(default_factory=Counter, init=False)
    _kept: dict[str, Json] = field(default_factory=dict, init=False)

    def groups(self) -> list[Json]:
        """The system groups, and the user's own."""
        dice = random.Random(f"{self.seed}/groups")
        own = [made_group(dice.getrandbits(59) + 100, name, self._instant(dice, 400)) for name in USER_GROUPS]
        return [system_group(number, name) for number, name in enumerate(SYSTEM_GROUPS, 1)] + own

    def people(self) -> list[Json]:
        """Every person, in the order of their last change."""
        dice = random.Random(self.seed)
        self._pool, self._seen, self._kept = self._humans(), Counter(), {}
        dice.shuffle(self._pool)
        own = [each["name"] for each in self.groups()[len(SYSTEM_GROUPS) :]]
        people = [
            self._person(dice, number, case, own)
            for number, case in enumerate(islice(self._cases(), self.contacts))
        ]
        return sorted(people, key=lambda each: (each["updated"], each["id"]))

    def _humans(self) -> list[Human]:
        """Every contact of HubSpot's sample with the same seed."""
        sizes = SIZES | {"seed": self.seed}
        records = list(HubSpotSample(**sizes, today=self.today, started_at=self.started_at).records())
        companies = [each["properties"]["name"] for each in records if each["kind"] == "companies"]
        contacts = [each for each in records if each["kind"] == "contacts"]
        return [
            Human(each["id"], each["properties"], companies[number % len(companies)])
            for number, each in enumerate(contacts)
        ]

    def _cases(self) -> Iterator[str]:
        """One of each case, then another, so that a small sample has them all, too."""
        left = Counter(CASES)
        while left:
            for case in list(left):
                yield case
                left[case] -= 1
                if not left[case]:
                    del left[case]
        while True:
            yield "acquaintance"

    def _person(self, dice: random.Random, number: int, case: str, groups: list[str]) -> Json:
        ordinal = self._seen[case]
        self._seen[case] += 1
        if case in FROM_HUBSPOT:
            human = self._take("phone" if case == "phone_only" else "email")
            fields = contact(dice, human, case, ordinal)
            owner = f"hubspot:{human.key}"
        else:
            maker: Callable[[random.Random, int, int], Json] = getattr(self, f"_{case}")
            fields = maker(dice, number, ordinal)
            owner = f"google:{number if case != 'twice' else f'twice-{ordinal // 2}'}"
            if case == "unusual_name" and ordinal < 2:
                owner = "google:normalisation"
        if case not in BARE:
            decorate(dice, fields, groups)
        fields.setdefault("memberships", [membership(f"{GROUPS}/myContacts")])
        key = dice.getrandbits(60) + 1
        return {
            "id": key,
            "name": f"people/c{key}",
            "previous": [],
            "updated": self._instant(dice, dice.uniform(0, 700)),
            "deleted": False,
            "fields": completed(fields),
            "profile": profile(dice, fields) if case not in BARE and dice.random() < 0.12 else None,
            "origin": {"case": case, "human": owner},
        }

    def _take(self, name: str) -> Human:
        """Another contact of HubSpot's that has the property."""
        place = next(place for place, each in enumerate(self._pool) if name in each.properties)
        return self._pool.pop(place)

    def _instant(self, dice: random.Random, days_ago: float) -> int:
        """An instant of a day, in microseconds, and never after the first start."""
        day = self.today - timedelta(days=int(days_ago))
        at = datetime.combine(day, time(dice.randrange(24), dice.randrange(60), dice.randrange(60)), UTC)
        return int(min(at, self.started_at).timestamp()) * SECOND - dice.randrange(1, SECOND)

    def _shared(self, name: str, wanted: str) -> Human:
        """A contact of HubSpot's that several people are mixed up with."""
        if name not in self._kept:
            self._kept[name] = {"human": self._take(wanted)}
        human: Human = self._kept[name]["human"]
        return human

    def _one_email_two_names(self, dice: random.Random, number: int, ordinal: int) -> Json:
        """HubSpot has this e-mail with somebody else's name."""
        human = self._take("email")
        return {"emailAddresses": emails(human.properties["email"]), "names": _another_name(dice, human)}

    def _switchboard(self, dice: random.Random, number: int, ordinal: int) -> Json:
        """Ten colleagues with the number that HubSpot has for an eleventh."""
        human = self._shared("switchboard", "phone")
        value = phone(human.properties["phone"], ordinal) + (f" ext. {ordinal}" if ordinal == 9 else "")
        mail = f"colleague{ordinal}@{human.domain}"
        return {
            "names": _another_name(dice, human),
            "phoneNumbers": [{"value": value, "type": "main"}],
            "organizations": [{"name": human.company}],
        } | ({"emailAddresses": emails(mail)} if ordinal % 2 else {})

    def _info_mailbox(self, dice: random.Random, number: int, ordinal: int) -> Json:
        """Five colleagues with one mailbox."""
        human = self._shared("info", "email")
        return {
            "names": _another_name(dice, human),
            "emailAddresses": emails(f"info@{human.domain}"),
            "organizations": [{"name": human.company}],
        }

    def _family(self, dice: random.Random, number: int, ordinal: int) -> Json:
        """Three of a family with one telephone, twice."""
        family = ordinal // 3
        street = {"streetAddress": f"Mill Lane {family + 1}", "city": "Vienna", "country": "Austria"}
        kin = ("spouse", "child", "parent")[ordinal % 3]
        return {
            "names": [
                {"givenName": FIRST_NAMES[ordinal], "familyName": LAST_NAMES[(7 * family + self.seed) % 24]}
            ],
            "phoneNumbers": [{"value": f"+43 1 55501{family:02d}", "type": "home"}],
            "addresses": [{**street, "postalCode": "1010", "type": "home"}],
            "relations": [{"person": FIRST_NAMES[family * 3 + (ordinal + 1) % 3], "type": kin}],
        }

    def _twice(self, dice: random.Random, number: int, ordinal: int) -> Json:
        """The same human in two contacts: one with everything, one jotted down later."""
        pair = f"twice-{ordinal // 2}"
        if pair not in self._kept:
            self._kept[pair] = self._acquaintance(dice, number, ordinal)
            phones = [{"value": f"+49 171 55502{ordinal:02d}", "type": "mobile"}]
            self._kept[pair]["phoneNumbers"] = phones
            return {name: list(items) for name, items in self._kept[pair].items()}
        first = self._kept[pair]
        return {
            "names": [{"givenName": first["names"][0]["givenName"]}],
            "emailAddresses": emails(first["emailAddresses"][0]["value"].upper()),
            "phoneNumbers": [{"value": f"0171 55502{ordinal - 1:02d}", "type": "mobile"}],
        }

    def _no_name(self, dice: random.Random, number: int, ordinal: int) -> Json:
        return {"emailAddresses": emails(f"guest{number}@mail.example.com")}

    def _phone_without_name(self, dice: random.Random, number: int, ordinal: int) -> Json:
        return {"phoneNumbers": [{"value": f"0151 55503{ordinal:02d}"}]}

    def _no_address(self, dice: random.Random, number: int, ordinal: int) -> Json:
        return {"names": _name(dice)}

    def _note_only(self, dice: random.Random, number: int, ordinal: int) -> Json:
        return {"biographies": [{"value": "Met on the train, owes me a call.", "contentType": "TEXT_PLAIN"}]}

    def _many_emails(self, dice: random.Random, number: int, ordinal: int) -> Json:
        """Two hundred addresses: a mailing list that was imported as a person."""
        emails = [{"value": f"reader{place}@list.example.com"} for place in range(MANY_EMAILS)]
        return {"names": [{"givenName": "Newsletter"}], "emailAddresses": emails}

    def _birthday_without_year(self, dice: random.Random, number: int, ordinal: int) -> Json:
        birthday = {"date": {"month": dice.randrange(1, 13), "day": dice.randrange(1, 29)}}
        return self._acquaintance(dice, number, ordinal) | {"birthdays": [birthday]}

    def _leap_day(self, dice: random.Random, number: int, ordinal: int) -> Json:
        when = {"month": 2, "day": 29} | ({"year": 1988} if ordinal % 2 == 0 else {})
        return self._acquaintance(dice, number, ordinal) | {"birthdays": [{"date": when}]}

    def _partial_date(self, dice: random.Random, number: int, ordinal: int) -> Json:
        """A year and a month, a year alone, words alone, and an anniversary without a day."""
        found = self._acquaintance(dice, number, ordinal)
        birthday = ({"date": {"year": 1979, "month": 5}}, {"date": {"year": 1966}}, {"text": "in spring"})
        if ordinal < 3:
            return found | {"birthdays": [birthday[ordinal]]}
        return found | {"events": [{"date": {"year": 2012, "month": 9}, "type": "anniversary"}]}

    def _unusual_name(self, dice: random.Random, number: int, ordinal: int) -> Json:
        """One name composed and decomposed, a name without a family, and one with everything."""
        accents = {"givenName": "Zoë", "familyName": "Ångström-Núñez"}
        names: tuple[Json, ...] = (
            accents,
            {part: unicodedata.normalize("NFD", value) for part, value in accents.items()},
            {"givenName": "Ravi"},
            {
                "honorificPrefix": "Dr.",
                "givenName": "Ines",
                "middleName": "María",
                "familyName": "Costa",
                "honorificSuffix": "Jr.",
            },
        )
        mail = "zoe@mail.example.com" if ordinal < 2 else f"person{number}@mail.example.com"
        return {"names": [names[ordinal]], "emailAddresses": emails(mail)}

    def _acquaintance(self, dice: random.Random, number: int, ordinal: int) -> Json:
        names = _name(dice)
        local = f"{names[0]['givenName']}.{names[0]['familyName']}.{number}".lower()
        found: Json = {"names": names, "emailAddresses": emails(f"{local}@mail.example.com")}
        if dice.random() < 0.6:
            digits = f"{dice.randrange(10**6, 10**7)}"
            value = dice.choice((f"+49 171 {digits}", f"0171 {digits}", f"0171/{digits}", f"+351 91{digits}"))
            found["phoneNumbers"] = [{"value": value, "type": "mobile"}]
        return found


def _name(dice: random.Random) -> list[Json]:
    return [{"givenName": dice.choice(FIRST_NAMES), "familyName": dice.choice(LAST_NAMES)}]


def _another_name(dice: random.Random, human: Human) -> list[Json]:
    taken = (human.properties["firstname"], human.properties["lastname"])
    names = ([name for name in pool if name not in taken] for pool in (FIRST_NAMES, LAST_NAMES))
    return [dict(zip(("givenName", "familyName"), map(dice.choice, names), strict=True))]
