"""HubSpot's marts over a small CRM made by hand, against the same answers worked out in Python."""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reporting.transform import dbt
from tests.dbt.sample_warehouse import SampleWarehouse, migrated

Row = dict[str, Any]
Raw = dict[str, dict[str, Row]]
Marts = dict[str, dict[str, Row]]

TODAY = date(2026, 6, 30)
ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 7, 1, tzinfo=ZONE) - timedelta(microseconds=1)
CREATED = datetime(2025, 3, 1, 9, tzinfo=UTC)
MARTS = ("contacts", "companies", "deals", "engagements", "relationships")
KEYS = "test.reporting.assert_keys_lead_to_rows"
ENGAGEMENTS = ("calls", "emails", "meetings", "notes", "tasks", "communications")
STAGES = {"appointment": ("Appointment", 0, False, 0.2), "closedwon": ("Closed won", 1, True, 1.0)}


def merged(into: str) -> Row:
    return {"_deleted_at": NOW, "_deleted_reason": "merged", "_merged_into_id": into}


ARCHIVED: Row = {"_deleted_at": NOW, "_deleted_reason": "archived"}


def crm() -> Raw:
    """The raw tables: rows by id, properties as text."""
    objects: dict[str, dict[str, Row]] = {
        "contacts": {
            "1": {
                "firstname": "Ada",
                "lastname": "Abel",
                "email": " Ada@Example.com",
                "hubspot_owner_id": "501",
            },
            # Merged twice: 3 into 2, and 2 into 1.
            "2": {"firstname": "Ada", **merged("1")},
            "3": {"firstname": "A.", **merged("2")},
            "4": {"firstname": "Ben", "lastname": "Brandt", "date_of_birth": "1980-04-03", "email": ""},
            "5": {"firstname": "Cleo", "date_of_birth": "3.4.1980", **ARCHIVED},
            "6": {"firstname": "Dario", "date_of_birth": "3.4.1980", **ARCHIVED},
        },
        "companies": {
            "10": {"name": "Abel Bakery", "numberofemployees": "12"},
            "11": {"name": "Abel's Bakery", **merged("10")},
            "12": {"name": "Brandt Studio", "annualrevenue": "2500.5"},
        },
        "deals": {
            "20": {
                "dealname": "Roof",
                "amount": "1000.50",
                "dealstage": "appointment",
                "closedate": "2026-08-01",
            },
            "21": {
                "dealname": "Cellar",
                "amount": "a lot",
                "dealstage": "appointment",
                "closedate": "1785535200000",
            },
            "22": {"dealname": "Roof again", "amount": "5", **merged("20")},
            "23": {"dealname": "Door", "amount": "250", "dealstage": "closedwon"},
        },
        "calls": {
            "30": {
                "hs_timestamp": "2026-06-01T10:00:00.000Z",
                "hs_call_duration": "90000",
                "hs_call_direction": "INBOUND",
                "hs_call_status": "COMPLETED",
            },
            # Half past midnight of the 12th in Berlin.
            "31": {
                "hs_timestamp": "2026-06-11T22:30:00.000Z",
                "hs_call_direction": "SIDEWAYS",
                "hs_call_status": "COMPLETED",
            },
            "32": {"hs_timestamp": "2026-06-20T10:00:00.000Z", "hs_call_status": "NO_ANSWER"},
            "33": {"hs_timestamp": "2026-06-21T10:00:00.000Z", "hs_call_status": "COMPLETED", **ARCHIVED},
        },
        "emails": {
            "40": {"hs_timestamp": "1782810000000", "hs_email_direction": "EMAIL", "hs_email_status": "SENT"},
            "41": {
                "hs_timestamp": "2026-01-05T08:00:00Z",
                "hs_email_direction": "INCOMING_EMAIL",
                "hs_email_status": "SENT",
            },
            "42": {
                "hs_timestamp": "2026-01-15T08:00:00Z",
                "hs_email_direction": "INCOMING_EMAIL",
                "hs_email_status": "SENT",
            },
            "43": {
                "hs_timestamp": "2026-02-01T08:00:00Z",
                "hs_email_direction": "EMAIL",
                "hs_email_status": "SENT",
            },
            "44": {
                "hs_timestamp": "2026-05-04T08:00:00Z",
                "hs_email_direction": "EMAIL",
                "hs_email_status": "SENT",
            },
            "45": {
                "hs_timestamp": "2026-05-20T08:00:00Z",
                "hs_email_direction": "EMAIL",
                "hs_email_status": "SENT",
            },
        },
        "meetings": {
            "50": {
                "hs_timestamp": "2026-07-08T00:00:00Z",
                "hs_meeting_start_time": "2026-07-10T09:00:00Z",
                "hs_meeting_end_time": "2026-07-10T10:00:00Z",
                "hs_meeting_outcome": "SCHEDULED",
            },
            "51": {
                "hs_timestamp": "2026-06-25T09:00:00Z",
                "hs_meeting_start_time": "2026-06-25T09:00:00Z",
                "hs_meeting_outcome": "NO_SHOW",
            },
        },
        "notes": {"60": {"hs_timestamp": "2026-06-29T09:00:00Z", "hs_note_body": "Likes rye."}},
        "tasks": {
            "70": {"hs_timestamp": "2026-07-02T09:00:00Z", "hs_task_status": "NOT_STARTED"},
            "71": {"hs_timestamp": "2026-07-01T09:00:00Z", "hs_task_status": "COMPLETED"},
        },
        "communications": {
            "80": {"hs_timestamp": "2026-06-15T09:00:00Z", "hs_communication_channel_type": "PIGEON"}
        },
        "owners": {"501": {"first_name": "Robin", "last_name": "Sample"}},
        "pipelines": {
            "default": {
                "label": "Sales",
                "display_order": "0",
                "stages": [
                    {
                        "id": key,
                        "label": label,
                        "display_order": str(place),
                        "is_closed": str(is_closed).lower(),
                        "probability": str(probability),
                        "archived": "false",
                    }
                    for key, (label, place, is_closed, probability) in STAGES.items()
                ],
            }
        },
    }
    for deal in objects["deals"].values():
        deal["pipeline"] = "default"
    for rows in objects.values():
        for row in rows.values():
            row |= {"created_at": CREATED, "updated_at": CREATED}
    links = [
        ("contacts", "1", "companies", "12", 279),
        ("contacts", "3", "companies", "11", 1),
        ("contacts", "4", "companies", "12", 279),
        ("contacts", "2", "deals", "22", 4),
        ("contacts", "5", "deals", "20", 4),
        ("companies", "10", "deals", "20", 342),
        ("companies", "12", "deals", "21", 342),
        ("companies", "11", "deals", "23", 6),
        *(("calls", call, "contacts", contact, 194) for call, contact in zip(("30", "31", "32"), "132", strict=True)),
        # The loser and its winner took part in the same call.
        ("calls", "30", "contacts", "2", 194),
        ("calls", "30", "deals", "22", 206),
        ("calls", "33", "contacts", "1", 194),
        ("emails", "40", "contacts", "2", 198),
        ("emails", "40", "companies", "11", 186),
        *(("emails", email, "contacts", "4", 198) for email in ("41", "42", "43")),
        ("emails", "41", "contacts", "6", 198),
        ("emails", "44", "contacts", "1", 198),
        ("emails", "45", "contacts", "1", 198),
        ("meetings", "50", "contacts", "1", 200),
        ("meetings", "51", "contacts", "4", 200),
        ("notes", "60", "contacts", "4", 202),
        ("tasks", "70", "contacts", "1", 204),
        ("tasks", "71", "contacts", "4", 204),
        ("communications", "80", "contacts", "4", 81),
        # A record that was never read.
        ("communications", "80", "contacts", "999", 81),
    ]  # fmt: skip
    objects["associations"] = {
        f"{one}:{first}>{other}:{second}#HUBSPOT_DEFINED:{kind}": {
            "from_type": one,
            "from_id": first,
            "to_type": other,
            "to_id": second,
            "category": "HUBSPOT_DEFINED",
            "type_id": str(kind),
        }
        for one, first, other, second, kind in links
    }
    return objects


class Answers:
    """What the marts should say of a CRM, worked out row by row."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.pairs: dict[tuple[str, str], dict[tuple[str, str], bool]] = {}
        for link in raw["associations"].values():
            one = (link["from_type"], self.winner(link["from_type"], link["from_id"]))
            other = (link["to_type"], self.winner(link["to_type"], link["to_id"]))
            is_primary = link["type_id"] in ("1", "2", "5", "6")
            for first, second in ((one, other), (other, one)):
                ends = self.pairs.setdefault(first, {})
                ends[second] = ends.get(second, False) or is_primary

    def winner(self, kind: str, key: str) -> str:
        while into := self.raw[kind].get(key, {}).get("_merged_into_id"):
            key = into
        return key

    def is_living(self, kind: str, key: str) -> bool:
        return key in self.raw[kind] and "_deleted_at" not in self.raw[kind][key]

    def living(self, kind: str) -> dict[str, Row]:
        return {key: row for key, row in self.raw[kind].items() if self.is_living(kind, key)}

    def ends(self, kind: str, key: str, to: str) -> list[str]:
        found = self.pairs.get((kind, key), {})
        return sorted(
            other for (other_kind, other) in found if other_kind == to and self.is_living(to, other)
        )

    def company(self, kind: str, key: str) -> str | None:
        found = self.pairs.get((kind, key), {})
        several = [(not found["companies", each], int(each)) for each in self.ends(kind, key, "companies")]
        return str(min(several)[1]) if several else None

    def at(self, kind: str, row: Row) -> datetime:
        text = row.get("hs_meeting_start_time") or row["hs_timestamp"]
        return (
            datetime.fromtimestamp(int(text) / 1000, UTC) if text.isdigit() else datetime.fromisoformat(text)
        )

    def engagements(self) -> dict[str, Row]:
        found = {}
        for kind in ENGAGEMENTS:
            for key, row in self.living(kind).items():
                status = next((row[name] for name in row if name.endswith(("_status", "_outcome"))), None)
                others = self.pairs.get((kind, key), {})
                found[f"{kind}:{key}"] = {
                    "type": kind,
                    "occurred_at": self.at(kind, row),
                    "is_touch": kind not in ("notes", "tasks") and status not in ("NO_ANSWER", "NO_SHOW"),
                    "status": status and status.lower(),
                    "contact_ids": self.ends(kind, key, "contacts"),
                    "company_ids": self.ends(kind, key, "companies"),
                    "deal_ids": self.ends(kind, key, "deals"),
                    "unknown_association_count": sum(other not in self.raw[to] for to, other in others),
                }
        return found

    def contacts(self) -> dict[str, Row]:
        found = {}
        for key, row in self.living("contacts").items():
            took_part = [each for each in self.engagements().values() if key in each["contact_ids"]]
            company = self.company("contacts", key)
            found[key] = {
                "full_name": " ".join(filter(None, (row.get("firstname"), row.get("lastname")))) or None,
                "email": (row.get("email") or "").strip().lower() or None,
                "born_on": date(1980, 4, 3) if key == "4" else None,
                "company_id": company,
                "company_name": company and self.raw["companies"][company]["name"],
                "owner": "Robin Sample" if row.get("hubspot_owner_id") else None,
                "merged_ids": sorted(
                    each
                    for each in self.raw["contacts"]
                    if each != key and self.winner("contacts", each) == key
                ),
                "engagements_count": len(took_part),
                "last_engagement_at": max(
                    (each["occurred_at"] for each in took_part if each["occurred_at"] <= NOW), default=None
                ),
                "lifecycle_stage_since_at": None,
            }
        return found

    def deals(self) -> dict[str, Row]:
        found = {}
        for key, row in self.living("deals").items():
            label, place, is_closed, probability = STAGES[row["dealstage"]]
            amount = row["amount"]
            found[key] = {
                "stage": label,
                "stage_order": place,
                "is_closed": is_closed,
                "is_won": is_closed and probability == 1,
                "amount": Decimal(amount) if amount[0].isdigit() else None,
                # 22:00 in UTC is midnight in Berlin, and a day without a time is that day.
                "close_on": date(2026, 8, 1) if "closedate" in row else None,
                "company_id": self.company("deals", key),
                "contact_ids": self.ends("deals", key, "contacts"),
            }
        return found

    def companies(self) -> dict[str, Row]:
        found = {}
        for key in self.living("companies"):
            deals = [deal for deal in self.deals().values() if deal["company_id"] == key]
            employees = set(self.ends("companies", key, "contacts"))
            at = [
                each["occurred_at"]
                for each in self.engagements().values()
                if (key in each["company_ids"] or employees & set(each["contact_ids"]))
                and each["occurred_at"] <= NOW
            ]
            found[key] = {
                "contacts_count": len(self.ends("companies", key, "contacts")),
                "deals_count": len(deals),
                "open_deals_amount": sum(deal["amount"] or 0 for deal in deals if not deal["is_closed"]),
                "won_amount": sum(deal["amount"] or 0 for deal in deals if deal["is_won"]),
                "last_engagement_at": max(at, default=None),
            }
        return found

    def relationships(self) -> dict[str, Row]:
        found = {}
        for key in self.living("contacts"):
            took_part = [each for each in self.engagements().values() if key in each["contact_ids"]]
            touches = [each for each in took_part if each["is_touch"] and each["occurred_at"] <= NOW]
            ages = [(TODAY - each["occurred_at"].astimezone(ZONE).date()).days for each in touches]
            gaps = [
                later - earlier for earlier, later in pairwise(sorted({age for age in ages if age < 365}))
            ]
            cadence = median(gaps) if len(gaps) >= 4 else None
            planned = [
                each
                for each in took_part
                if each["occurred_at"] > NOW
                and (each["type"], each["status"]) in (("meetings", "scheduled"), ("tasks", "not_started"))
            ]
            last = max(touches, key=lambda each: each["occurred_at"], default=None)
            found[key] = {
                "last_touch_at": last and last["occurred_at"],
                "last_touch_type": last and last["type"],
                "next_touch_at": min((each["occurred_at"] for each in planned), default=None),
                "touches_30_days": sum(age < 30 for age in ages),
                "touches_90_days": sum(age < 90 for age in ages),
                "touches_365_days": sum(age < 365 for age in ages),
                "cadence_days": cadence,
                "days_since_last_touch": min(ages, default=None),
                "is_going_cold": None if cadence is None else min(ages) > max(2 * cadence, 30),
            }
        return found

    def marts(self) -> Marts:
        return {name: getattr(self, name)() for name in MARTS}


@dataclass(frozen=True)
class Build:
    """What a build ran with which status, what its warnings said, and the marts that it left."""

    statuses: dict[str, str]
    warnings: dict[str, list[tuple[Any, ...]]]
    marts: Marts
    history: list[tuple[Any, ...]]


class Crm(SampleWarehouse):
    """A warehouse with HubSpot's raw tables, and dbt."""

    def hold(self, raw: Raw) -> None:
        """Make these the rows of the raw tables."""
        for name, rows in raw.items():
            table = f"{self.settings.dataset('raw')}.hubspot__{name}"
            columns = sorted({"id", "_extracted_at", *(column for row in rows.values() for column in row)})
            values = ", ".join(
                f"({', '.join(literal(each.get(column)) for column in columns)})"
                for each in ({"id": key, "_extracted_at": NOW, **row} for key, row in rows.items())
            )
            self.client.query_and_wait(f"DELETE FROM {table} WHERE TRUE")
            self.client.query_and_wait(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}")

    def build(self, *select: str, layers: tuple[str, ...] = ("staging", "marts")) -> Build:
        ran: dict[str, tuple[str, str]] = {}
        for layer in layers:
            ran |= self.dbt(*(f"{each}+,tag:{layer}" for each in select), exclude=("tag:full",))
        warnings = {
            name.split(".")[2]: sorted(self.rows(sql))
            for name, (status, sql) in ran.items()
            if status == "warn"
        }
        statuses = {name: status for name, (status, _) in ran.items()}
        return Build(statuses, warnings, self.marts(), self.history())

    def marts(self) -> Marts:
        """The rows of each mart by their key; a person is told by their only contact."""
        found: Marts = {}
        contacts = dict(self.rows(f"SELECT person_id, hubspot_contact_ids[0] FROM {self.mart('people')}"))
        for name in MARTS:
            rows = self.client.query_and_wait(f"SELECT * FROM {self.mart(name)}")
            found[name] = {contacts.get(row[0], row[0]): dict(row) for row in rows}
        return found

    def history(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "SELECT deal_id, stage_id, CAST(amount AS STRING), is_deleted, dbt_valid_from, dbt_valid_to "
            f"FROM {self.settings.dataset('snapshots')}.snap_hubspot__deals ORDER BY deal_id, dbt_valid_from"
        )


def literal(value: Any) -> str:
    """A value in SQL."""
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S+00}'"
    if isinstance(value, list):
        structs = (", ".join(f"{literal(each)} AS {name}" for name, each in part.items()) for part in value)
        return f"[{', '.join(f'STRUCT({struct})' for struct in structs)}]"
    return "NULL" if value is None else json.dumps(value)


@pytest.fixture(scope="module")
def sample_warehouse(shared_environment: dict[str, str]) -> Iterator[Crm]:
    with migrated(shared_environment, REPORTING_TIMEZONE=str(ZONE)) as (client, settings):
        yield Crm(client, settings, TODAY)


@dataclass(frozen=True)
class Story:
    """What the sample warehouse went through."""

    raw: Raw
    first: Build
    again: Build
    later_raw: Raw
    later: Build
    refreshed: list[tuple[Any, ...]]
    keys: tuple[str, str]


@pytest.fixture(scope="module")
def story(sample_warehouse: Crm) -> Story:
    raw = crm()
    sample_warehouse.hold(raw)
    # Of the views and seeds, which the first build in a warehouse makes, those that the marts below read.
    sample_warehouse.dbt("@source:hubspot,tag:staging", "+habit_metrics,tag:staging", "+int_calendar__events")
    first = sample_warehouse.build("source:hubspot")
    again = sample_warehouse.build("source:hubspot.deals", "source:hubspot.contacts", layers=("marts",))

    # A deal is won, and a contact taken out of the recycling bin.
    later_raw = crm()
    later_raw["deals"]["20"] |= {"dealstage": "closedwon", "updated_at": datetime.now(UTC)}
    later_raw["contacts"]["6"] = {
        name: value for name, value in later_raw["contacts"]["6"].items() if name not in ARCHIVED
    }
    sample_warehouse.hold({name: later_raw[name] for name in ("deals", "contacts")})
    later = sample_warehouse.build("source:hubspot.deals", "source:hubspot.contacts")
    sample_warehouse.dbt("snap_hubspot__deals", full_refresh=True)
    # Habits too, since the test of keys looks at all marts.
    ran = sample_warehouse.dbt("+habit_metrics,tag:marts", KEYS.rpartition(".")[2])
    return Story(raw, first, again, later_raw, later, sample_warehouse.history(), ran[KEYS])


def assert_same(marts: Marts, answers: Marts) -> None:
    for name, expected in answers.items():
        actual = {
            key: {column: row[column] for column in expected.get(key, ())} for key, row in marts[name].items()
        }
        assert actual == expected, name


def test_the_marts_are_what_python_makes_of_the_same_records(story: Story) -> None:
    answers = Answers(story.raw).marts()
    assert_same(story.first.marts, answers)
    # The calculation itself, by its most telling answers.
    assert answers["contacts"].keys() == {"1", "4"}
    assert answers["contacts"]["1"]["merged_ids"] == ["2", "3"]
    assert answers["contacts"]["1"]["company_id"] == "10"
    assert answers["engagements"]["calls:30"]["contact_ids"] == ["1"]
    assert answers["engagements"]["calls:30"]["deal_ids"] == ["20"]
    assert answers["relationships"]["1"]["cadence_days"] == 14
    # Four days with a touch are no rhythm.
    assert answers["relationships"]["4"]["cadence_days"] is None
    # Nothing names company 12 itself, but its contacts were met.
    assert answers["companies"]["12"]["last_engagement_at"] == datetime(2026, 6, 30, 9, tzinfo=UTC)
    assert answers["companies"]["10"]["won_amount"] == 250


def test_what_cannot_be_read_is_null_and_told(story: Story) -> None:
    assert story.first.marts["deals"]["21"]["amount"] is None
    # The archived contacts with a date of birth of that kind are not told of.
    assert story.first.warnings == {
        "stg_hubspot__deals_is_castable": [("hubspot.deals", "amount", 1)],
        "assert_associations_lead_to_records": [("communications", "contacts", 1, "999")],
        "assert_engagement_values_are_known": [
            ("hubspot.calls", "hs_call_direction", "sideways", 1),
            ("hubspot.communications", "hs_communication_channel_type", "pigeon", 1),
        ],
    }
    assert story.first.marts["engagements"]["communications:80"]["channel"] == "pigeon"
    assert story.first.marts["engagements"]["calls:31"]["direction"] == "sideways"
    # Its date cannot be read, and it is there again.
    assert story.later.warnings["stg_hubspot__contacts_is_castable"] == [
        ("hubspot.contacts", "date_of_birth", 1)
    ]


def test_building_again_changes_nothing(story: Story) -> None:
    assert set(story.again.statuses.values()) <= {"success", "pass", "warn"}
    assert story.again.statuses["model.reporting.relationships"] == "success"
    assert story.again.marts == story.first.marts
    assert story.again.history == story.first.history


def test_every_key_leads_to_a_row_until_one_is_gone(sample_warehouse: Crm, story: Story) -> None:
    status, sql = story.keys
    assert status == "pass"
    kept = (
        f"CREATE TABLE {sample_warehouse.mart('kept')} AS SELECT * FROM {sample_warehouse.mart('companies')}"
    )
    sample_warehouse.client.query_and_wait(kept)
    sample_warehouse.client.query_and_wait(f"DELETE FROM {sample_warehouse.mart('companies')} WHERE TRUE")
    try:
        broken = {place for place, *_ in sample_warehouse.rows(sql)}
    finally:
        sample_warehouse.client.query_and_wait(
            f"INSERT INTO {sample_warehouse.mart('companies')} SELECT * FROM {sample_warehouse.mart('kept')}"
        )
        sample_warehouse.client.query_and_wait(f"DROP TABLE {sample_warehouse.mart('kept')}")
    assert broken == {"contacts.company_id", "deals.company_id", "engagements.company_ids"}


def test_a_changed_stage_makes_a_history_of_two(story: Story) -> None:
    before, after = story.first.marts["deals"]["20"], story.later.marts["deals"]["20"]
    assert [(stay["stage"], stay["left_at"]) for stay in before["stage_history"]] == [("Appointment", None)]
    assert (before["stage_entered_at"], before["is_stage_since_known"]) == (CREATED, False)
    assert before["days_in_stage"] == (TODAY - CREATED.date()).days
    old, new = after["stage_history"]
    assert (old["stage"], old["entered_at"]) == ("Appointment", CREATED)
    assert (new["stage"], new["left_at"]) == ("Closed won", None)
    assert old["left_at"] == new["entered_at"] == after["stage_entered_at"]
    assert after["is_stage_since_known"]
    assert [stay["stage"] for stay in story.later.marts["deals"]["23"]["stage_history"]] == ["Closed won"]


def test_a_restored_contact_is_back_with_its_engagements(story: Story) -> None:
    assert_same(story.later.marts, Answers(story.later_raw).marts())
    assert story.later.marts["contacts"]["6"]["engagements_count"] == 1


def test_a_full_refresh_loses_no_history(story: Story) -> None:
    assert len(story.later.history) == len(story.first.history) + 1
    assert story.refreshed == story.later.history


def test_the_bill_is_of_the_nodes_that_dbt_runs(sample_warehouse: Crm, story: Story) -> None:
    project = billed_bytes().read(dbt.target_folder(sample_warehouse.settings))
    assert project.changed("hubspot.deals", "hubspot.contacts") == story.later.statuses.keys()
    hubspot = (
        f"hubspot.{each['name']}" for each in project.sources.values() if each["source_name"] == "hubspot"
    )
    assert project.changed(*hubspot) == story.first.statuses.keys()


@pytest.mark.parametrize(
    ("changed", "mebibytes"),
    [
        (("hubspot.contacts",), 880),
        (("hubspot.companies",), 490),
        (("hubspot.deals",), 640),
        *(((f"hubspot.{kind}",), 530) for kind in ENGAGEMENTS),
        (("hubspot.associations",), 460),
        (("hubspot.property_history",), 490),
        (("hubspot.contacts", "hubspot.deals", "hubspot.calls", "hubspot.associations"), 1130),
        (("notion.daily_habits",), 320),
        (("google.contacts",), 400),
        (("google_sheets.ledger",), 60),
        *(((f"google_calendar.{name}",), 580) for name in ("events", "calendars")),
        ((), 2180),
    ],
)
def test_a_build_costs_no_more_than_it_did(
    sample_warehouse: Crm, story: Story, changed: tuple[str, ...], mebibytes: int
) -> None:
    """A higher bill is for somebody to decide: what it is made of, dbt/billed_bytes.py says. Nothing changed is all."""
    project = billed_bytes().read(dbt.target_folder(sample_warehouse.settings))
    selected = project.changed(*changed) if changed else project.full()
    assert 0 < project.bill(selected).mebibytes <= mebibytes


def billed_bytes() -> ModuleType:
    """The script, which is in no package."""
    specification = importlib.util.spec_from_file_location("billed_bytes", dbt.PROJECT / "billed_bytes.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
