"""How the fake services send events."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from sandbox.events import BATCH, COLLECTING, SENDERS, Change, Sender

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def sender(source: str) -> Sender:
    return SENDERS[source]("key", "https://reporting.example/reporting/events/hubspot", Random(1))


def changed(count: int = 1, kind: str = "changed", is_undone: bool = False) -> list[Change]:
    return [Change(kind, str(number), "contact", NOW, is_undone) for number in range(count)]


@pytest.mark.parametrize(("source", "attempts"), [("notion", 8), ("hubspot", 10)])
def test_what_nobody_takes_is_sent_again_for_about_a_day(source: str, attempts: int) -> None:
    made = sender(source)
    made.happened(changed())
    now = NOW + COLLECTING
    met = []
    while made.queue:
        now = max(now, min(each.due_at for each in made.queue))
        for delivery in made.due(now):
            met.append(delivery.attempt)
            made.answered(delivery, (None, 503, 401)[delivery.attempt % 3], now)
    assert met == list(range(attempts))
    assert timedelta(hours=20) < now - NOW < timedelta(hours=30)


@pytest.mark.parametrize("source", SENDERS)
def test_what_was_taken_is_not_sent_again(source: str) -> None:
    made = sender(source)
    made.happened(changed(3))
    for delivery in made.due(NOW + COLLECTING):
        made.answered(delivery, 200, NOW)
    assert made.queue == []


def test_notion_collects_and_says_nothing_of_what_was_taken_back() -> None:
    made = sender("notion")
    made.happened([*changed(2), *changed(1), *changed(1, is_undone=True)])
    assert [each.content["entity"]["id"] for each in made.due(NOW + COLLECTING)] == ["1"]


def test_hubspot_sends_up_to_a_hundred_events_in_a_request() -> None:
    made = sender("hubspot")
    made.happened(changed(250))
    assert sorted(len(each.content) for each in made.due(NOW + COLLECTING)) == [50, BATCH, BATCH]
