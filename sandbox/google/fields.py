"""The fields of one invented contact, as the owner of an address book writes them."""

import random
from dataclasses import dataclass
from datetime import date

from sandbox.google.schema import GROUPS, Json, membership
from sandbox.hubspot.sample import LAST_NAMES

TITLES = ("Accountant", "Photographer", "Teacher", "Developer", "Translator")
STREETS = ("Harbour Street", "Mill Lane", "Station Road", "Orchard Row")


@dataclass(frozen=True, slots=True)
class Human:
    """Who a contact of HubSpot's sample is."""

    key: int
    properties: dict[str, str]
    company: str

    @property
    def domain(self) -> str:
        """Where its colleagues have their mailboxes."""
        email = self.properties.get("email", "")
        return email.partition("@")[2] or f"{self.company.lower().replace(' ', '-')}.example.com"


def contact(dice: random.Random, human: Human, case: str, ordinal: int) -> Json:
    """A contact of HubSpot's as the address book has it."""
    known = human.properties
    first, last, email = known["firstname"], known["lastname"], known.get("email", "")
    if case == "changed_last_name":
        last = dice.choice([name for name in LAST_NAMES if name != last])
    found: Json = {"names": [{"givenName": first, "familyName": last}]}
    if case == "phone_only":
        found["phoneNumbers"] = [{"value": phone(known["phone"], ordinal), "type": "work"}]
        return found
    written = {
        "email_case": email.title() if ordinal % 2 else email.upper(),
        "email_spaces": (f" {email}", f"{email} ", f" {email} ")[ordinal % 3],
    }.get(case, email)
    found["emailAddresses"] = emails(written)
    if case == "email_without_name":
        return {"emailAddresses": found["emailAddresses"]}
    if case == "second_email":
        found["emailAddresses"] = emails(f"{first}{human.key}@mail.example.com".lower()) + emails(email)
    if "phone" in known and dice.random() < 0.6:
        found["phoneNumbers"] = [{"value": phone(known["phone"], dice.randrange(5)), "type": "work"}]
    found["organizations"] = [
        {"name": human.company} | ({"title": known["jobtitle"]} if "jobtitle" in known else {})
    ]
    if "date_of_birth" in known:
        born = date.fromisoformat(known["date_of_birth"])
        year = {"year": born.year} if dice.random() < 0.5 else {}
        found["birthdays"] = [{"date": {**year, "month": born.month, "day": born.day}}]
    if dice.random() < 0.3:
        town = {"city": known["city"], "country": known["country"]}
        found["addresses"] = [{**town, "type": "work"}]
    return found


def decorate(dice: random.Random, fields: Json, groups: list[str]) -> None:
    """Add some of what address books have besides names and addresses."""
    memberships = [f"{GROUPS}/myContacts"]
    if dice.random() < 0.3:
        # The last group has no members.
        memberships.append(dice.choice(groups[:-1]))
        if dice.random() < 0.1:
            memberships.pop(0)
    if dice.random() < 0.1:
        memberships.append(f"{GROUPS}/starred")
    fields["memberships"] = [membership(each) for each in memberships]
    if "organizations" not in fields and dice.random() < 0.2:
        fields["organizations"] = [{"name": f"{dice.choice(LAST_NAMES)} & Co", "title": dice.choice(TITLES)}]
    if "addresses" not in fields and dice.random() < 0.2:
        city, country = dice.choice((("Berlin", "Germany"), ("Oslo", "Norway"), ("Lisbon", "Portugal")))
        fields["addresses"] = [
            {
                "streetAddress": f"{dice.choice(STREETS)} {dice.randrange(1, 90)}",
                "postalCode": f"{dice.randrange(10000, 99999)}",
                "city": city,
                "country": country,
                "type": "home",
            }
        ]
    if "birthdays" not in fields and dice.random() < 0.15:
        when = {
            "year": dice.randrange(1950, 2000),
            "month": dice.randrange(1, 13),
            "day": dice.randrange(1, 29),
        }
        fields["birthdays"] = [{"date": when}]
    if "events" not in fields and dice.random() < 0.1:
        when = {
            "year": dice.randrange(1990, 2024),
            "month": dice.randrange(1, 13),
            "day": dice.randrange(1, 29),
        }
        fields["events"] = [{"date": when, "type": dice.choice(("anniversary", "other", "First project"))}]
    if dice.random() < 0.1:
        fields["urls"] = [{"value": f"https://site{dice.randrange(1000)}.example.com", "type": "homePage"}]
    if dice.random() < 0.1:
        fields["biographies"] = [{"value": "An invented note.\nWith a line.", "contentType": "TEXT_PLAIN"}]
    if dice.random() < 0.05:
        fields["userDefined"] = [{"key": "Shoe size", "value": str(dice.randrange(36, 47))}]
    if dice.random() < 0.05:
        fields["nicknames"] = [{"value": "Boss"}]


def profile(dice: random.Random, fields: Json) -> Json | None:
    """The Google profile that a person is linked with, which has a name of its own."""
    if "names" not in fields:
        return None
    given = fields["names"][0]["givenName"].lower()
    name = {
        "givenName": given,
        "displayName": given,
        "displayNameLastFirst": given,
        "unstructuredName": given,
    }
    key = str(10**20 + dice.randrange(10**20))
    photo = {"url": f"https://photos.example.com/a/{key}=s100"}
    return {"id": key, "fields": {"names": [name], "photos": [photo]}}


def emails(value: str) -> list[Json]:
    return [{"value": value, "type": "work" if "@company" in value.lower() else "home"}]


def phone(value: str, style: int) -> str:
    """A German number of HubSpot's sample as somebody else would write it."""
    _, area, number = value.split()
    return (
        f"0{area} {number}",
        f"0049 {area} {number}",
        f"+49{area}{number}",
        f"(0{area}) {number[:3]}-{number[3:]}",
        f"0{area}/{number}",
    )[style % 5]
