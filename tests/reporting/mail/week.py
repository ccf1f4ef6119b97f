"""A small consultancy's invented week, as the marts have it: 16 to 22 November 2026, looked at on the Monday after."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.support.marts import Marts

ZONE = "Europe/Berlin"
NOW = datetime(2026, 11, 23, 5, 13, tzinfo=UTC)
FIRST_ON = date(2026, 11, 16)


def habit(
    name: str, period: str, on: date, is_complete: bool, *, amount: float | None = None, **fields: Any
) -> dict[str, Any]:
    """A row of the mart `habits`."""
    row = {
        "habit_id": name.lower(),
        "data_source_id": "d",
        "property_id": name.lower(),
        "property_type": "checkbox" if amount is None else "number",
        "habit": name,
        "period": period,
        "date": on.isoformat(),
        "is_complete": is_complete,
        "amount": amount,
        "target": None,
        "is_recorded": True,
        "is_due": True,
        "is_current": False,
    }
    return row | fields


def habits() -> list[dict[str, Any]]:
    rows = []
    for number in range(-9, 7):
        on = FIRST_ON + timedelta(days=number)
        rows.append(habit("Meditate", "daily", on, number not in (-3, 2, 5), target=0.8))
        rows.append(habit("Read <twenty> pages", "daily", on, number % 2 == 0, target=0.8))
        # Not due on its free days.
        rows.append(habit("Run", "daily", on, number == 1, is_due=number % 7 in (1, 3)))
        rows.append(
            habit(
                "Steps",
                "daily",
                on,
                number in (0, 3, 4),
                amount=9000.0 if number in (0, 3, 4) else 6500.5,
                target=8000,
            )
        )
    for number in range(-5, 1):
        on = FIRST_ON + timedelta(weeks=number)
        rows.append(habit("Review the week", "weekly", on, number != -1))
    rows.append(habit("Review the week", "weekly", FIRST_ON + timedelta(weeks=1), False, is_current=True))
    for month in (8, 9, 10, 11):
        rows.append(
            habit(
                "Send the invoices",
                "monthly",
                date(2026, month, 1),
                month != 9 and month != 11,
                is_current=month == 11,
            )
        )
    return rows


def person(number: int, name: str | None, **fields: Any) -> dict[str, Any]:
    """A row of the mart `relationships`."""
    return {
        "person_id": f"p{number:03}",
        "full_name": name,
        "touches_30_days": 0,
        "touches_90_days": 0,
        "touches_365_days": 0,
        **fields,
    }


def cold(number: int, name: str | None, days: int, cadence: float, **fields: Any) -> dict[str, Any]:
    return person(
        number,
        name,
        days_since_last_touch=days,
        cadence_days=cadence,
        is_going_cold=True,
        last_touch_type="calls",
        **fields,
    )


def relationships() -> list[dict[str, Any]]:
    return [
        cold(1, "Ada Abel", 40, 14.0, company_name="Abel & Daughters Bakery"),
        cold(2, "Ben <b>Brandt</b>", 90, 10.0, company_name="Brandt Studio"),
        # Nobody knows the name.
        cold(3, None, 61, 30.0, email="cleo@example.com"),
        cold(4, "Dora Dahl", 70, 20.0, next_touch_at="2026-11-25T13:00:00Z", next_touch_type="meetings"),
        *(cold(10 + number, f"Person {number:02}", 50, 24.0) for number in range(7)),
        person(30, "Emil Egge", next_touch_at="2026-11-24T23:30:00Z", next_touch_type="tasks"),
        person(31, "Far Away", next_touch_at="2026-12-24T10:00:00Z", next_touch_type="meetings"),
        person(32, "Gil Gross", next_birthday_on="2026-11-23", age_at_birthday=40),
        person(33, "Hal Holm", next_birthday_on="2026-12-07"),
        person(34, "Ida Icke", next_birthday_on="2026-12-08", age_at_birthday=30),
    ]


def deal(number: int, name: str, **fields: Any) -> dict[str, Any]:
    """A row of the mart `deals`."""
    row = {
        "deal_id": f"{number}",
        "deal_name": name,
        "stage": "Offer",
        "is_closed": False,
        "is_won": False,
        "is_stage_since_known": True,
        "stage_entered_at": "2026-06-01T10:00:00Z",
        "created_at": "2026-05-01T10:00:00Z",
    }
    return row | fields


def deals() -> list[dict[str, Any]]:
    # Half past midnight on Monday in Berlin, which is Sunday in UTC.
    at = "2026-11-15T23:30:00Z"
    return [
        deal(1, "Roof", amount="12500.50", is_closed=True, is_won=True, stage="Won", stage_entered_at=at),
        deal(2, "Cellar", amount="3000", is_closed=True, stage="Lost", stage_entered_at=at),
        deal(3, "Door", amount="800", stage="Talk", stage_entered_at=at),
        deal(4, "Window", stage_entered_at=at, created_at=at, is_stage_since_known=False),
        deal(5, "Stairs", amount="4200", close_on="2026-11-20"),
        deal(6, "Garden", amount="100", close_on="2026-11-23"),
        # Of the week after, by half an hour.
        deal(7, "Fence", amount="100", is_closed=True, is_won=True, stage_entered_at="2026-11-22T23:30:00Z"),
    ]


def engagements() -> list[dict[str, Any]]:
    rows = []
    for number, (kind, at, contacts) in enumerate(
        [
            ("calls", "2026-11-15T23:30:00Z", ["1", "2"]),
            ("calls", "2026-11-17T10:00:00Z", ["2"]),
            ("emails", "2026-11-17T10:00:00Z", ["3"]),
            ("emails", "2026-11-22T22:59:59Z", ["3"]),
            ("meetings", "2026-11-22T23:00:00Z", ["4"]),
            ("notes", "2026-11-18T10:00:00Z", ["5"]),
            ("calls", "2026-11-15T22:30:00Z", ["6"]),
            ("meetings", "2026-11-09T10:00:00Z", ["6"]),
            ("meetings", "2026-11-08T10:00:00Z", ["7"]),
        ]
    ):
        rows.append(
            {
                "engagement_id": f"{kind}:{number}",
                "type": kind,
                "occurred_at": at,
                "is_touch": kind != "notes",
                "contact_ids": contacts,
                "company_ids": [],
                "deal_ids": [],
                "unknown_association_count": 0,
            }
        )
    return rows


def busy_days() -> list[dict[str, Any]]:
    """Two hours a day, and a full Wednesday; the week before two hours less."""
    return [
        {
            "date": (FIRST_ON + timedelta(days=number)).isoformat(),
            "hours": 11.5 if number == 2 else 1.75 if number < 0 else 2.0,
            "events_count": 1,
            "meetings_count": 1,
            "average_7_days": 2.0,
            "average_28_days": 2.0,
            "full_above_hours": 4.0,
            "is_unusually_full": number == 2,
        }
        for number in range(-9, 8)
    ]


def calendar_days() -> list[dict[str, Any]]:
    rows = []
    for number in range(-9, 8):
        for name, hours in (("Friends <of mine>", 0.5), ("Robin", 3.0), ("Nothing", 0.0)):
            rows.append(
                {
                    "calendar_id": name,
                    "calendar_name": name,
                    "date": (FIRST_ON + timedelta(days=number)).isoformat(),
                    "hours": hours,
                    "events_count": 1,
                    "average_7_days": hours,
                    "average_28_days": hours,
                }
            )
    return rows


def fill(marts: Marts) -> None:
    """Make it the week of a warehouse."""
    marts.hold("habits", habits())
    marts.hold(
        "habit_metrics",
        [
            {
                "habit_id": "meditate",
                "habit": "Meditate",
                "period": "daily",
                "month_on": month,
                "current_streak": streak,
            }
            for month, streak in (("2026-10-01", 1), ("2026-11-01", 3))
        ],
    )
    marts.hold("relationships", relationships())
    marts.hold("deals", deals())
    marts.hold("engagements", engagements())
    marts.hold("busy_days", busy_days())
    marts.hold("calendar_days", calendar_days())
    marts.read_by("google_calendar", NOW - timedelta(hours=3))
    marts.read_by("notion", NOW - timedelta(hours=3), changed_count=5)
    marts.read_by("hubspot", NOW - timedelta(hours=3), changed_count=37)
    marts.read_by("google", NOW - timedelta(days=5))
    # It asks the source nothing, so the source is as stale as before.
    marts.read_by("google", NOW - timedelta(hours=1), refresh="replay")
