"""The former values of HubSpot's properties: every one is read, once, and then only those of what changed."""

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from reporting.sources.base import AccessDeniedError, Page, Record
from reporting.sources.http import PoliteTransport
from reporting.sources.hubspot import reader as hubspot
from reporting.sources.hubspot.entities import HUBSPOT_OBJECTS, OPTIONAL_OBJECTS, scope_of
from reporting.sources.hubspot.history import HISTORY_LIMIT
from tests.support.hubspot_portal import SMALL, UNPACED, Portal, portal, read_to_the_end

HISTORY = "property_history"
TRACKED = {each.name: each.history for each in (*HUBSPOT_OBJECTS, *OPTIONAL_OBJECTS) if each.history}
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recorded" / "hubspot"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A sample of 60 contacts, 8 companies and 5 deals."""
    options = ("--contacts", "60", "--companies", "8", "--deals", "5", "--engagements", "0")
    with portal(tmp_path_factory.mktemp("history"), *options) as running:
        yield running


def changes(pages: list[Page]) -> dict[tuple[str, ...], str | None]:
    """Each value by type, object, property and time."""
    rows = [record.payload for page in pages for record in page.records]
    names = ("object_type", "object_id", "property", "changed_at")
    found = {tuple(row[name] for name in names): row["value"] for row in rows}
    assert len(found) == len({row["id"] for row in rows})
    return found


def truth(running: Portal) -> dict[tuple[str, ...], str]:
    return {
        (kind, each["id"], each["property"], each["timestamp"]): each["value"]
        for kind, names in TRACKED.items()
        for each in running.ask("GET", f"/_control/history/{kind}?properties={','.join(names)}")
    }


def test_the_first_read_has_every_value_and_costs_a_request_for_fifty_objects(small: Portal) -> None:
    reader = small.reader(HISTORY)
    found = changes(read_to_the_end(reader))
    assert found == truth(small)
    stages = [key for key in found if key[2] == "dealstage"]
    assert len(stages) > len({key[1] for key in stages}) == 5
    # Two for 60 contacts, one each for companies, deals and tickets, and the four recycling bins.
    assert reader.request_count == 2 + 3 + 4


def test_what_did_not_change_is_not_read_again(small: Portal) -> None:
    reader = small.reader(HISTORY)
    assert changes(read_to_the_end(reader, datetime.now(UTC) + timedelta(hours=3))) == {}
    assert reader.request_count == len(TRACKED)


def test_one_change_costs_one_request_more_and_brings_the_whole_history_of_its_object(small: Portal) -> None:
    key = next(iter(small.truth("deals")))
    before = truth(small)
    after_all = datetime.now(UTC) + timedelta(hours=2)
    small.ask("POST", "/_control/clock", json={"seconds": 3 * 3600})
    small.change("deals", key, dealstage="contractsent", amount="")
    small.change("deals", key, dealstage="closedlost")
    reader = small.reader(HISTORY)
    found = changes(read_to_the_end(reader, after_all))
    assert reader.request_count == len(TRACKED) + 1
    assert {row[1] for row in found} == {key}
    assert found == {row: value for row, value in truth(small).items() if row[:2] == ("deals", key)}
    new = {
        row[2]: value
        for row, value in sorted(found.items(), key=lambda each: each[0][3])
        if row not in before
    }
    # A value that was cleared is one, too.
    assert new == {"dealstage": "closedlost", "amount": ""}


def test_many_changes_are_read_fifty_at_a_time(small: Portal) -> None:
    before = small.requests()
    found = changes(read_to_the_end(small.reader(HISTORY), LONG_AGO))
    path = "POST /crm/objects/2026-09/contacts/batch/read"
    assert small.requests()[path] - before.get(path, 0) == -(-60 // HISTORY_LIMIT)
    assert found == truth(small)


def test_a_read_that_was_cut_off_goes_on_at_every_place(small: Portal) -> None:
    reader = small.reader(HISTORY)
    pages = list(reader.read(None))
    for number, page in enumerate(pages[:-1]):
        if page.position is not None:
            position: Mapping[str, Any] = json.loads(json.dumps(page.position))
            rest = list(small.reader(HISTORY).resume(position))  # type: ignore[attr-defined]
            assert [each.records for each in rest] == [each.records for each in pages[number + 1 :]]
    assert sum(each.position is not None for each in pages) >= len(TRACKED)


def test_a_value_that_is_shown_no_longer_is_not_missed(small: Portal) -> None:
    assert not small.reader(HISTORY).would_meet("deals:1#dealstage=2020-01-01T00:00:00.000Z")


def test_types_without_a_scope_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with portal(tmp_path, *SMALL, "--scopes", "crm.objects.deals.read") as limited:
        found = changes(read_to_the_end(limited.reader(HISTORY)))
        assert {key[0] for key in found} == {"deals"}
        said = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
        assert any(
            "The history of contacts is not read." in each and "contacts.read" in each for each in said
        )
    with portal(tmp_path, *SMALL, "--scopes", "content") as closed, pytest.raises(AccessDeniedError):
        read_to_the_end(closed.reader(HISTORY))
    assert scope_of(Portal.entity("emails")) == "sales-email-read"


def records_of(result: Any) -> list[Record]:
    """What is read of one contact that the API gives like this."""

    def answer(request: httpx.Request) -> httpx.Response:
        is_contacts = request.url.path.endswith("/contacts") and request.url.params.get("archived") == "false"
        return httpx.Response(200, json={"results": [result] if is_contacts else []})

    transport = PoliteTransport(UNPACED, httpx.MockTransport(answer))
    source = hubspot.HubSpot("a-key", transport=transport)
    pages = read_to_the_end(hubspot.reader_of(source, Portal.entity(HISTORY)))
    return [record for page in pages for record in page.records]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"id": "1"}, []),
        ({"id": None, "propertiesWithHistory": {}}, [None]),
        ({"id": "1", "propertiesWithHistory": "odd"}, []),
        ({"id": "1", "propertiesWithHistory": {"lifecyclestage": "odd"}}, []),
        ({"id": "1", "propertiesWithHistory": {"lifecyclestage": ["odd", {"value": "lead"}]}}, [None, None]),
        (
            {
                "id": "1",
                "propertiesWithHistory": {
                    "lifecyclestage": [
                        {"value": "customer", "timestamp": "2026-01-02T00:00:00Z", "updatedByUserId": 7},
                        # Overwritten within the same millisecond.
                        {"value": "lead", "timestamp": "2026-01-02T00:00:00Z"},
                        {"value": None, "timestamp": "2026-01-01T00:00:00Z"},
                    ],
                    "somethingelse": [{"value": "x", "timestamp": "2026-01-01T00:00:00Z"}],
                },
            },
            [("customer", "7"), (None, None)],
        ),
    ],
)
def test_what_cannot_be_read_stops_nothing_else(result: Any, expected: list[Any]) -> None:
    found = records_of(result)
    assert [
        None if each.id is None else (each.payload["value"], each.payload["user_id"]) for each in found
    ] == expected


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside the checkout")
def test_recorded_histories_are_read_whole() -> None:
    recorded = json.loads((RECORDED / "contacts_with_history.json").read_text())["results"]
    for each in recorded:
        histories = each["propertiesWithHistory"]
        expected = [
            (name, version["timestamp"], version["value"])
            for name in TRACKED["contacts"]
            for version in histories.get(name) or []
        ]
        found = [record.payload for record in records_of(each)]
        assert [(row["property"], row["changed_at"], row["value"]) for row in found] == expected
