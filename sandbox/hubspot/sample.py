"""A small consultancy's year, invented: contacts, companies, deals and engagements, the same for the same seed."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sandbox.hubspot.schema import CUSTOM, ENGAGEMENTS, Json
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


def _pipeline(key: str, label: str, stages: Iterable[tuple[str, str, Json]]) -> Json:
    lifetime = {
        "createdAt": "2024-01-01T08:00:00.000Z",
        "updatedAt": "2024-01-01T08:00:00.000Z",
        "archived": False,
    }
    return {
        "id": key,
        "label": label,
        "displayOrder": 0,
        **lifetime,
        "stages": [
            {"id": stage, "label": name, "displayOrder": number, "metadata": metadata, **lifetime}
            for number, (stage, name, metadata) in enumerate(stages)
        ],
    }


TICKET_STAGES = (("1", "New"), ("2", "Waiting on contact"), ("3", "Waiting on us"), ("4", "Closed"))
PROJECT_STAGES = (("plan", "Plan"), ("build", "Build"), ("done", "Done"))
# The pipelines of each type that has any.
PIPELINES: dict[str, list[Json]] = {
    "deals": [
        _pipeline(
            "default",
            "Sales Pipeline",
            (
                (key, label, {"isClosed": str(is_closed).lower(), "probability": probability})
                for key, label, probability, is_closed in STAGES
            ),
        )
    ],
    "tickets": [
        _pipeline(
            "0",
            "Support Pipeline",
            (
                (key, label, {"ticketState": "CLOSED" if key == "4" else "OPEN"})
                for key, label in TICKET_STAGES
            ),
        )
    ],
    CUSTOM: [_pipeline("work", "Work", ((key, label, {}) for key, label in PROJECT_STAGES))],
}
PRODUCTS = (("Consulting day", 960, 500), ("Workshop", 1800, 900), ("Audit", 4200, 2000), ("Licence", 49, 0))
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
        """Every record, contacts last of what most portals have so that any number of them can stream; fills `links` meanwhile."""
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
        yield from self._others(contacts, companies, deals)

    def _others(self, contacts: range, companies: range, deals: range) -> Iterator[Json]:
        """What some portals have besides: tickets, products, line items, and projects, a type of their own."""
        # Dice of its own, so that the values of all others stay what they are.
        dice = random.Random(f"{self.seed}:others")
        tickets = range(contacts.stop, contacts.stop + self.deals)
        products = range(tickets.stop, tickets.stop + len(PRODUCTS))
        lines = range(products.stop, products.stop + 2 * self.deals)
        for number, key in enumerate(tickets):
            yield self._ticket(dice, number, key)
            self.links.append(("tickets", key, "contacts", dice.choice(contacts), False))
            self.links.append(("tickets", key, "companies", dice.choice(companies), False))
        for key, (name, price, cost) in zip(products, PRODUCTS, strict=True):
            properties = {"name": name, "price": price, "hs_cost_of_goods_sold": cost, "hs_sku": f"P-{key}"}
            created = self._instant(dice, self.days)
            yield self._made("products", key, created, created, properties)
        for number, key in enumerate(lines):
            place = dice.randrange(len(PRODUCTS))
            name, price, _ = PRODUCTS[place]
            quantity = dice.randrange(1, 6)
            properties = {
                "name": name,
                "hs_product_id": products[place],
                "hs_sku": f"P-{products[place]}",
                "quantity": quantity,
                "price": price,
                "amount": quantity * price,
            }
            created = self._instant(dice, dice.uniform(0, self.days))
            yield self._made("line_items", key, created, created, properties)
            self.links.append(("line_items", key, "deals", deals[number // 2], False))
        for number, key in enumerate(range(lines.stop, lines.stop + max(self.deals // 4, 2))):
            yield self._project(dice, number, key)
            self.links.append((CUSTOM, key, "companies", dice.choice(companies), False))

    def _ticket(self, dice: random.Random, number: int, key: int) -> Json:
        stages = tuple(stage for stage, _ in TICKET_STAGES)
        stage = dice.choice(stages)
        days = dice.uniform(5, self.days)
        created, modified = self._instant(dice, days), self._instant(dice, days / 2)
        properties = {
            "subject": f"Question {number + 1}",
            "content": "An invented question.",
            "hs_pipeline": "0",
            "hs_pipeline_stage": stage,
            "hs_ticket_priority": dice.choice(("LOW", "MEDIUM", "HIGH")),
            "hs_ticket_category": dice.choice((None, "BILLING_ISSUE", "PRODUCT_ISSUE")),
            "source_type": dice.choice(("EMAIL", "FORM", "PHONE")),
            "closed_date": iso(max(created, modified)) if stage == "4" else None,
            "hubspot_owner_id": dice.choice((501, 502)),
        }
        made = self._made("tickets", key, created, modified, properties)
        return self._with_history(
            made, hs_pipeline_stage=stages[: stages.index(stage) + 1], hubspot_owner_id=("501", "502")
        )

    def _project(self, dice: random.Random, number: int, key: int) -> Json:
        created = self._instant(dice, dice.uniform(20, self.days))
        properties = {
            "name": f"Engagement {number + 1}",
            "budget": dice.randrange(5, 90) * 1000,
            "starts_on": (self.today - timedelta(days=dice.randrange(self.days))).isoformat(),
            "is_billable": str(dice.random() < 0.8).lower(),
            "hs_pipeline": "work",
            "hs_pipeline_stage": dice.choice(PROJECT_STAGES)[0],
            "hubspot_owner_id": dice.choice((501, 502)),
        }
        return self._made(CUSTOM, key, created, self._instant(dice, dice.uniform(0, 20)), properties)

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
        made = self._made("contacts", key, created, self._instant(dice, dice.uniform(0, 20)), properties)
        steps = LIFECYCLE[: LIFECYCLE.index(properties["lifecyclestage"]) + 1]
        return self._with_history(made, lifecyclestage=steps, hubspot_owner_id=("501", "503", "502"))

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
        made = self._made("deals", key, created, self._instant(dice, days / 2), properties)
        steps = tuple(name for name, *_, is_closed in STAGES if not is_closed or name == stage)
        steps = steps[: steps.index(stage) + 1]
        return self._with_history(made, dealstage=steps, hubspot_owner_id=("503", "501", "502"))

    def _with_history(self, record: Json, **steps: tuple[str, ...]) -> Json:
        """The record with the values that some properties had one after the other, up to the present one.

        Dice of its own, so that the values of all other properties stay what they are.
        """
        dice = random.Random(f"{self.seed}:{record['kind']}:{record['id']}")
        versions: list[tuple[str, int, str]] = []
        for name, values in steps.items():
            value = record["properties"][name]
            former = [each for each in values[: values.index(value)] if dice.random() < 0.7]
            moments = range(record["created"] + 1, record["modified"] + 1)
            if len(moments) >= len(former):
                times = [record["created"], *sorted(dice.sample(moments, len(former)))]
                versions += [(name, at, each) for at, each in zip(times, [*former, value], strict=True)]
        return {**record, "versions": versions}

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
