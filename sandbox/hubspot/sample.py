"""A small consultancy's year, invented: contacts, companies, deals and engagements, the same for the same seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sandbox.hubspot.schema import ENGAGEMENTS, Json
from sandbox.hubspot.store import FIRST_ID, iso

Link = tuple[str, int, str, int, bool]

OWNERS: list[Json] = [
    {
        "id": str(number),
        "email": f"{first.lower()}@consultancy.example.com",
        "type": "PERSON",
        "firstName": first,
        "lastName": last,
        "userId": 9000 + number,
        "createdAt": "2024-01-01T08:00:00.000Z",
        "updatedAt": "2024-01-01T08:00:00.000Z",
        "archived": is_archived,
        "teams": [],
    }
    for number, first, last, is_archived in (
        (501, "Robin", "Sample", False),
        (502, "Kim", "Sample", False),
        (503, "Lou", "Former", True),
    )
]
STAGES = (
    ("appointmentscheduled", "Appointment scheduled", "0.2", False),
    ("qualifiedtobuy", "Qualified to buy", "0.4", False),
    ("contractsent", "Contract sent", "0.9", False),
    ("closedwon", "Closed won", "1.0", True),
    ("closedlost", "Closed lost", "0.0", True),
)
PIPELINES: list[Json] = [
    {
        "id": "default",
        "label": "Sales Pipeline",
        "displayOrder": 0,
        "createdAt": "2024-01-01T08:00:00.000Z",
        "updatedAt": "2024-01-01T08:00:00.000Z",
        "archived": False,
        "stages": [
            {
                "id": key,
                "label": label,
                "displayOrder": number,
                "metadata": {"isClosed": str(is_closed).lower(), "probability": probability},
                "createdAt": "2024-01-01T08:00:00.000Z",
                "updatedAt": "2024-01-01T08:00:00.000Z",
                "archived": False,
            }
            for number, (key, label, probability, is_closed) in enumerate(STAGES)
        ],
    }
]
FIRST_NAMES = (
    *(
        "Ada",
        "Ben",
        "Cleo",
        "Dario",
        "Elif",
        "Finn",
        "Greta",
        "Hugo",
        "Ines",
        "Jonas",
        "Kaya",
        "Leo",
        "Mira",
        "Nils",
    ),
    *("Olga", "Pablo", "Rosa", "Sven", "Tara", "Umut", "Vera", "Wim", "Yara", "Zoe"),
)
LAST_NAMES = (
    *(
        "Abel",
        "Brandt",
        "Costa",
        "Dahl",
        "Ekman",
        "Fuchs",
        "Garcia",
        "Haas",
        "Ivanov",
        "Jansen",
        "Keller",
        "Lang",
    ),
    *(
        "Moreau",
        "Novak",
        "Okafor",
        "Petrov",
        "Quist",
        "Rossi",
        "Silva",
        "Tanaka",
        "Urban",
        "Vogel",
        "Weber",
        "Zimmer",
    ),
)
TRADES = ("Bakery", "Studio", "Logistics", "Foods", "Analytics", "Gardens", "Textiles", "Energy")
CITIES = (
    ("Berlin", "Germany"),
    ("Lisbon", "Portugal"),
    ("Oslo", "Norway"),
    ("Vienna", "Austria"),
    ("Porto", "Portugal"),
)
LIFECYCLE = ("subscriber", "lead", "marketingqualifiedlead", "opportunity", "customer")


@dataclass(slots=True)
class Sample:
    """What the sample is made from: sizes, the last day, and when it was first started."""

    seed: int
    contacts: int
    companies: int
    deals: int
    engagements: int
    days: int
    today: date
    started_at: datetime
    links: list[Link] = field(default_factory=list)

    def records(self) -> Iterator[Json]:
        """Every record, contacts last so that any number of them can stream; fills `links` meanwhile."""
        dice = random.Random(self.seed)
        first = FIRST_ID
        companies = range(first, first + self.companies)
        deals = range(companies.stop, companies.stop + self.deals)
        engagements = range(deals.stop, deals.stop + self.engagements)
        contacts = range(engagements.stop, engagements.stop + self.contacts)
        for number, key in enumerate(companies):
            yield self._company(dice, number, key)
        for number, key in enumerate(deals):
            yield self._deal(dice, number, key)
            self.links.append(("deals", key, "companies", dice.choice(companies), False))
            self.links.append(("deals", key, "contacts", dice.choice(contacts), False))
        for key in engagements:
            kind = dice.choices(ENGAGEMENTS, (3, 6, 3, 2, 2, 1))[0]
            yield self._engagement(dice, kind, key)
            # Some people are met often, and most seldom.
            contact = contacts[min(int(dice.expovariate(8 / self.contacts)), self.contacts - 1)]
            self.links.append((kind, key, "contacts", contact, False))
            if dice.random() < 0.3:
                self.links.append((kind, key, "deals", dice.choice(deals), False))
        for number, key in enumerate(contacts):
            company = companies[number % self.companies]
            yield self._contact(dice, number, key, company)
            if dice.random() < 0.9:
                self.links.append(("contacts", key, "companies", company, True))

    def _instant(self, dice: random.Random, days_ago: float) -> int:
        """A working hour of a day, in milliseconds, and never after the first start."""
        day = self.today - timedelta(days=int(days_ago))
        at = datetime.combine(day, time(8 + dice.randrange(10), dice.randrange(60), dice.randrange(60)), UTC)
        return round(min(at, self.started_at).timestamp() * 1000) + dice.randrange(-999, 0)

    def _made(self, kind: str, key: int, created: int, modified: int, properties: dict[str, Any]) -> Json:
        kept = {name: str(value) for name, value in properties.items() if value is not None}
        return {
            "kind": kind,
            "id": key,
            "created": created,
            "modified": max(created, modified),
            "archived": None,
            "merged_into": None,
            "properties": kept,
        }

    def _company(self, dice: random.Random, number: int, key: int) -> Json:
        name = f"{LAST_NAMES[number % len(LAST_NAMES)]} {TRADES[number // len(LAST_NAMES) % len(TRADES)]}"
        city, country = dice.choice(CITIES)
        properties = {
            "name": name,
            "domain": f"{name.lower().replace(' ', '-')}.example.com",
            "industry": dice.choice(("CONSULTING", "RETAIL", None)),
            "city": city,
            "country": country,
            "numberofemployees": dice.choice((None, 3, 12, 80)),
            "annualrevenue": dice.choice((None, 250000, 4000000)),
            "hubspot_owner_id": dice.choice((501, 502)),
        }
        created = self._instant(dice, dice.uniform(30, self.days))
        return self._made("companies", key, created, self._instant(dice, dice.uniform(0, 30)), properties)

    def _contact(self, dice: random.Random, number: int, key: int, company: int) -> Json:
        first, last = dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES)
        city, country = dice.choice(CITIES)
        properties = {
            "firstname": first,
            "lastname": last,
            "email": None
            if dice.random() < 0.05
            else f"{first}.{last}.{number}@company{company}.example.com".lower(),
            "phone": None if dice.random() < 0.4 else f"+49 30 {dice.randrange(100000, 999999)}",
            "jobtitle": dice.choice((None, "Founder", "Engineer", "Head of Sales")),
            "city": city,
            "country": country,
            "date_of_birth": None
            if dice.random() < 0.7
            else f"19{dice.randrange(50, 99)}-0{dice.randrange(1, 9)}-1{dice.randrange(9)}",
            "lifecyclestage": dice.choice(LIFECYCLE),
            "hubspot_owner_id": dice.choice((501, 502, 503)),
        }
        created = self._instant(dice, dice.uniform(20, self.days))
        return self._made("contacts", key, created, self._instant(dice, dice.uniform(0, 20)), properties)

    def _deal(self, dice: random.Random, number: int, key: int) -> Json:
        stage, *_ = dice.choice(STAGES)
        days = dice.uniform(10, self.days)
        properties = {
            "dealname": f"Project {number + 1}",
            "amount": None if dice.random() < 0.1 else dice.randrange(2, 60) * 500,
            "closedate": iso(self._instant(dice, max(days - 40, 0))),
            "pipeline": "default",
            "dealstage": stage,
            "dealtype": dice.choice(("newbusiness", "existingbusiness")),
            "hubspot_owner_id": dice.choice((501, 502)),
            "hs_is_closed_won": str(stage == "closedwon").lower(),
        }
        created = self._instant(dice, days)
        return self._made("deals", key, created, self._instant(dice, days / 2), properties)

    def _engagement(self, dice: random.Random, kind: str, key: int) -> Json:
        days = dice.uniform(0, self.days)
        at = self._instant(dice, days)
        specific: dict[str, dict[str, Any]] = {
            "calls": {
                "hs_call_title": "Call",
                "hs_call_duration": dice.randrange(1, 45) * 60_000,
                "hs_call_direction": dice.choice(("INBOUND", "OUTBOUND")),
                "hs_call_status": "COMPLETED",
            },
            "emails": {
                "hs_email_subject": dice.choice(("Proposal", "Re: Proposal", "Invoice", "Hello")),
                "hs_email_direction": dice.choice(("EMAIL", "INCOMING_EMAIL")),
                "hs_email_status": "SENT",
                "hs_email_text": "Invented text.",
            },
            "meetings": {
                "hs_meeting_title": "Meeting",
                "hs_meeting_start_time": iso(at),
                "hs_meeting_end_time": iso(at + dice.choice((30, 60, 90)) * 60_000),
                "hs_meeting_outcome": dice.choice(("COMPLETED", "NO_SHOW", None)),
            },
            "notes": {"hs_note_body": "An invented note."},
            "tasks": {
                "hs_task_subject": "Send the offer",
                "hs_task_status": dice.choice(("NOT_STARTED", "COMPLETED")),
                "hs_task_priority": dice.choice(("LOW", "HIGH", None)),
                "hs_task_type": "TODO",
            },
            "communications": {
                "hs_communication_channel_type": dice.choice(("SMS", "WHATS_APP", "LINKEDIN_MESSAGE")),
                "hs_communication_logged_from": "CRM",
                "hs_communication_body": "See you tomorrow.",
            },
        }
        properties = {"hs_timestamp": iso(at), "hubspot_owner_id": dice.choice((501, 502)), **specific[kind]}
        return self._made(kind, key, at, at, properties)
