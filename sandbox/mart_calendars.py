"""Invented rows for the marts of calendars, as `sandbox.marts` has those of the others."""

import random
from datetime import UTC, date, datetime, time, timedelta

from sandbox.hubspot.sample import FIRST_NAMES, LAST_NAMES, TRADES
from sandbox.mart_tables import Row


def calendar_rows(today: date, seed: int) -> dict[str, list[Row]]:
    """The rows of each mart of calendars: half a year of days in two calendars, and some meetings with people."""
    names = {"robin@example.com": "Robin Sample", "friends": "Friends"}
    made: dict[str, list[Row]] = {"calendar_days": [], "busy_days": [], "meetings": []}
    for back in reversed(range(182)):
        on = today - timedelta(days=back)
        dice = random.Random(f"{seed}:{on}")
        hours = {
            "robin@example.com": dice.randrange(0, 16) / 2 if on.weekday() < 5 else 0.0,
            "friends": 2.5 if dice.random() < 0.1 else 0.0,
        }
        for key, spent in hours.items():
            averages = {"average_7_days": spent, "average_28_days": spent}
            row = {"calendar_id": key, "calendar_name": names[key], "date": on, "hours": spent}
            made["calendar_days"].append({**row, "events_count": int(spent > 0), **averages})
        total = sum(hours.values())
        made["busy_days"].append(
            {
                "date": on,
                "hours": total,
                "events_count": sum(each > 0 for each in hours.values()),
                "meetings_count": int(total > 2),
                "average_7_days": 3.0,
                "average_28_days": 3.0,
                "full_above_hours": 7.5 if back < 154 else None,
                "is_unusually_full": total > 7.5 if back < 154 else None,
            }
        )
    for number in range(40):
        at = datetime.combine(today - timedelta(days=2 * number + 1), time(9), UTC)
        made["meetings"].append(
            {
                "meeting_id": f"m{number}",
                "calendar_id": "robin@example.com",
                "calendar_name": names["robin@example.com"],
                "title": "Talk",
                "status": "confirmed",
                "start_at": at,
                "end_at": at + timedelta(hours=1),
                "hours": 1.0,
                "is_recurring": False,
                "guests_count": 1,
                "unknown_guests_count": 0,
                "person_ids": [f"p{number % 9}"],
                "is_past": True,
            }
        )
    made["people"] = [
        {
            "person_id": f"p{number}",
            "full_name": f"{FIRST_NAMES[number]} {LAST_NAMES[number]}",
            "company_name": f"{LAST_NAMES[-number]} {TRADES[number % len(TRADES)]}",
            "records_count": 1,
        }
        for number in range(9)
    ]
    return made
