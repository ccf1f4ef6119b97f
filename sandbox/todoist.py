"""A fake Todoist: its open tasks in the shape of https://developer.todoist.com/api/v1/, with invented content."""

import random
from datetime import UTC, datetime, timedelta

from sandbox.lists import Lists, Record

KEY = "todoist-of-nobody"
TITLES = (
    "Water the plants",
    "Pay the rent",
    "Call the dentist",
    "Book a train",
    "Sort photos",
    "Mend the bicycle",
)
START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def task(number: int) -> Record:
    """One task, the same for the same number."""
    dice = random.Random(number)
    added = START + timedelta(hours=7 * number)
    due = {
        "date": f"{added + timedelta(days=3):%Y-%m-%d}",
        "is_recurring": False,
        "lang": "en",
        "string": "in 3 days",
    }
    return {
        "id": f"6X{number:06d}",
        "project_id": f"6J{number % 4:06d}",
        "content": f"{TITLES[number % len(TITLES)]} ({number})",
        "description": "",
        "labels": dice.sample(["home", "errand", "phone"], k=number % 3),
        "priority": 1 + number % 4,
        "due": due if number % 2 else None,
        "checked": False,
        "is_deleted": False,
        "added_at": f"{added:%Y-%m-%dT%H:%M:%S.%fZ}",
        "updated_at": f"{added:%Y-%m-%dT%H:%M:%S.%fZ}",
    }


class Todoist(Lists):
    """Its tasks. One that is deleted is in no list any more; asked for by itself it says that it is deleted."""

    def __init__(self, count: int = 25, cap: int = 10) -> None:
        tasks = [task(number) for number in range(count)]
        super().__init__({"tasks": tasks}, "cursor", cap, field="results", secret=KEY)

    def chosen(self, path: str, request: object) -> list[Record]:
        """Those that are open."""
        return [each for each in self.lists[path] if not each["is_deleted"] and not each["checked"]]

    def change(self, number: int, **fields: object) -> None:
        """Set fields of one task."""
        self.lists["tasks"][number] |= fields


def fake() -> Todoist:
    """The fake API with its sample."""
    return Todoist()
