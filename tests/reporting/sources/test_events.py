"""What sources send when something changes: signatures by the services' own rules, and the events in a body."""

import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.sources.events import EventError, Request, StaleError
from reporting.sources.hubspot import events as hubspot
from reporting.sources.notion import events as notion
from reporting.sources.registry import SOURCES

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ADDRESS = "https://reporting.example/reporting/events/hubspot"
SECRET = "client-secret"
BODY = b'[{"eventId": 1}]'
PAGE = {
    "id": "367cba44-b6f3-4c92-81e7-6a2e9659efd4",
    "timestamp": "2026-11-30T11:59:00.000Z",
    "type": "page.properties_updated",
    "attempt_number": 1,
    "entity": {"id": "153104cd-477e-809d-8dc4-ff2d96ae3090", "type": "page"},
    "data": {"parent": {"id": "AAAA0000-0000-0000-0000-000000000001", "type": "database"}},
}


def signed_at(at: datetime, address: str = ADDRESS, secret: str = SECRET) -> dict[str, list[str]]:
    time = str(int(at.timestamp() * 1000))
    message = f"POST{address}".encode() + BODY + time.encode()
    signature = b64encode(hmac.new(secret.encode(), message, "sha256").digest()).decode()
    return {hubspot.SIGNATURE: [signature], hubspot.TIME: [time]}


def is_hubspots(headers: dict[str, list[str]], address: str = ADDRESS, body: bytes = BODY) -> bool:
    return hubspot.is_signed(Request(address, headers, body), SECRET, NOW)


def test_hubspot_signs_method_address_body_and_time() -> None:
    right = signed_at(NOW)
    assert is_hubspots(right)
    assert not is_hubspots(right, body=BODY + b" ")
    assert not is_hubspots(right, address=f"{ADDRESS}?a=b")
    assert not is_hubspots(signed_at(NOW, secret="another"))
    assert not is_hubspots(signed_at(NOW, address="https://evil.example/reporting/events/hubspot"))
    other_time = str(int(right[hubspot.TIME][0]) + 1)
    assert not is_hubspots({**right, hubspot.TIME: [other_time]})


@pytest.mark.parametrize("name", [hubspot.SIGNATURE, hubspot.TIME])
@pytest.mark.parametrize("values", [[], [""], ["x"], ["1e3"], ["-1"], ["é"], ["9" * 30], ["١٢٣"]])
def test_a_header_that_is_none_of_hubspots_is_refused(name: str, values: list[str]) -> None:
    assert not is_hubspots({**signed_at(NOW), name: values})


@pytest.mark.parametrize("name", [hubspot.SIGNATURE, hubspot.TIME])
def test_a_header_that_comes_twice_is_refused(name: str) -> None:
    right = signed_at(NOW)
    assert not is_hubspots({**right, name: right[name] * 2})


@pytest.mark.parametrize(
    ("seconds", "is_taken"), [(-301, False), (-299, True), (0, True), (299, True), (301, False)]
)
def test_a_request_of_hubspots_is_taken_within_five_minutes(seconds: int, is_taken: bool) -> None:
    assert is_hubspots(signed_at(NOW + timedelta(seconds=seconds))) is is_taken


def test_hubspot_signs_an_address_in_which_it_has_decoded_what_it_does_not_encode() -> None:
    plain = f"{ADDRESS}?to=a:b/c@d!$'()*,;&and=%20%2B%e9"
    encoded = f"{ADDRESS}?to=a%3Ab%2Fc%40d%21%24%27%28%29%2a%2c%3b&and=%20%2B%e9"
    assert is_hubspots(signed_at(NOW, address=plain), address=encoded)
    assert is_hubspots(signed_at(NOW, address=plain), address=plain)


def is_notions(body: bytes, header: list[str]) -> bool:
    return notion.is_signed(Request(ADDRESS, {notion.SIGNATURE: header}, body), SECRET, NOW)


def test_notion_signs_the_body() -> None:
    right = f"sha256={hmac.new(SECRET.encode(), BODY, 'sha256').hexdigest()}"
    assert is_notions(BODY, [right])
    for wrong in (
        [],
        [right, right],
        [right[:-1]],
        [right.upper()],
        [right[7:]],
        ["sha256="],
        ["é"],
        [f"{right} "],
    ):
        assert not is_notions(BODY, wrong)
    assert not is_notions(BODY + b"\n", [right])


def test_notions_handshake_is_a_body_of_one_token() -> None:
    assert notion.handshake_in(b'{"verification_token": "secret_abc"}') == "secret_abc"
    for other in (b"", b"[]", b"{}", b'{"verification_token": 1}', b'{"verification_token": "a", "id": 1}'):
        assert notion.handshake_in(other) is None
    assert notion.handshake_in(json.dumps({"verification_token": "x" * 101}).encode()) is None


def events_of_notion(**changes: Any) -> Any:
    return notion.events_in(json.dumps(PAGE | changes).encode(), NOW)


def test_an_event_of_notions_names_the_containers_of_its_page() -> None:
    (event,) = events_of_notion()
    assert (event.key, event.object_id) == (PAGE["id"], "153104cd-477e-809d-8dc4-ff2d96ae3090")
    assert event.containers == ("aaaa0000000000000000000000000001",)
    assert not event.needs_full
    with_source = {"parent": {"id": "a", "type": "database", "data_source_id": "B-1"}}
    assert events_of_notion(data=with_source)[0].containers == ("a", "b1")
    assert events_of_notion(type="page.deleted")[0].needs_full
    schema = events_of_notion(type="data_source.schema_updated", entity={"id": "C-1", "type": "data_source"})
    assert "c1" in schema[0].containers
    assert events_of_notion(type="comment.created")[0].containers == ()
    assert notion.containers_in({"id": "B-1", "parent": {"database_id": "A"}}) == {"b1", "a"}


def test_an_event_of_notions_that_is_older_than_its_retries_is_an_old_recording() -> None:
    for days, is_old in ((4, True), (2, False)):
        at = (NOW - timedelta(days=days)).isoformat()
        if is_old:
            with pytest.raises(StaleError):
                events_of_notion(timestamp=at)
        else:
            assert len(events_of_notion(timestamp=at)) == 1
    with pytest.raises(StaleError):
        events_of_notion(timestamp=(NOW + timedelta(hours=1)).isoformat())


@pytest.mark.parametrize(
    ("event", "entities", "needs_full"),
    [
        ({"subscriptionType": "contact.propertyChange"}, ("contacts",), False),
        ({"subscriptionType": "company.creation"}, ("companies",), False),
        ({"subscriptionType": "deal.deletion"}, ("deals",), True),
        ({"subscriptionType": "contact.privacyDeletion"}, ("contacts",), True),
        ({"subscriptionType": "contact.restore"}, ("contacts",), True),
        ({"subscriptionType": "contact.merge"}, ("contacts",), False),
        ({"subscriptionType": "contact.associationChange"}, ("associations",), False),
        ({"subscriptionType": "object.propertyChange", "objectTypeId": "0-48"}, ("calls",), False),
        ({"subscriptionType": "object.deletion", "objectTypeId": "0-1"}, ("contacts",), True),
        ({"subscriptionType": "object.creation", "objectTypeId": "2-123456"}, (), False),
        ({"subscriptionType": "conversation.newMessage"}, (), False),
    ],
)
def test_an_event_of_hubspots_names_its_entity(
    event: dict[str, Any], entities: tuple[str, ...], needs_full: bool
) -> None:
    (found,) = hubspot.events_in(json.dumps([event]).encode(), NOW)
    assert (found.entities, found.needs_full) == (entities, needs_full)


def test_an_event_of_hubspots_is_told_apart_by_more_than_its_id() -> None:
    one = {
        "eventId": 1,
        "subscriptionId": 2,
        "portalId": 3,
        "occurredAt": 1764500000000,
        "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0,
        "objectId": 4,
    }
    others = [
        one | {"objectId": 5},
        one | {"occurredAt": 1764500000001},
        one | {"subscriptionId": 6},
        one | {"eventId": 7},
    ]
    again = one | {"attemptNumber": 3}
    keys = [each.key for each in hubspot.events_in(json.dumps([one, again, *others]).encode(), NOW)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 5


@pytest.mark.parametrize("source", ["hubspot", "notion"])
@given(body=st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["id", "type", "timestamp", "data", "entity", "parent", "objectId", "subscriptionType", "occurredAt"]), x), max_leaves=12).map(lambda each: json.dumps(each).encode()))  # fmt: skip
def test_any_body_is_events_or_an_error_of_ours(source: str, body: bytes) -> None:
    try:
        found = SOURCES[source].events.events_in(body, NOW)
    except EventError:
        return
    for each in found:
        assert len(each.key) <= 100
        assert len(each.type) <= 100


def test_lists_within_lists_are_refused() -> None:
    for module in (hubspot, notion):
        with pytest.raises(EventError):
            module.events_in(b"[" * 100_000, NOW)


def test_most_sources_send_none() -> None:
    assert {name for name, each in SOURCES.items() if each.events} == {"hubspot", "notion"}
