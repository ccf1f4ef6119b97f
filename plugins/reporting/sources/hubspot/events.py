"""HubSpot's webhooks: https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide and
https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation

A request has up to a hundred events. They come in any order and more than once, and up to ten times within a day until they are
answered.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reporting.sources.events import Event, EventError, Request, digest, is_same, mac, name_of, parsed

SIGNATURE, TIME = "x-hubspot-signature-v3", "x-hubspot-request-timestamp"
LONGEST_AGE = timedelta(minutes=5)
# What HubSpot has not encoded where it signs an address.
# https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation
DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$", "%27": "'", "%28": "(", "%29": ")", "%2A": "*",
    "%2C": ",", "%3B": ";",
}  # fmt: skip
ENCODED = re.compile("|".join(DECODED), re.IGNORECASE)
# How events name what has an entity here: by its name in the singular, or by the number of its type.
# https://developers.hubspot.com/docs/guides/crm/understanding-the-crm#object-type-ids
ENTITIES = {
    "contact": "contacts", "0-1": "contacts", "company": "companies", "0-2": "companies", "deal": "deals", "0-3": "deals",
    "ticket": "tickets", "0-5": "tickets", "product": "products", "0-7": "products", "line_item": "line_items",
    "0-8": "line_items", "0-14": "quotes", "0-136": "leads", "0-48": "calls", "0-49": "emails", "0-47": "meetings",
    "0-46": "notes", "0-27": "tasks", "0-18": "communications",
}  # fmt: skip
# No date of modification says that these happened.
NEED_FULL = frozenset({"deletion", "privacyDeletion", "restore"})
ASSOCIATION = "associationChange"


def is_signed(request: Request, secret: str, now: datetime) -> bool:
    """Whether the header has the HMAC of method, address, body and time, and the time is at most five minutes away."""
    time = request.header(TIME)
    # Thirteen digits are enough until the year 2286.
    if time is None or not re.fullmatch("[0-9]{1,13}", time):
        return False
    at = datetime.fromtimestamp(int(time) / 1000, UTC)
    if abs(now - at) > LONGEST_AGE:
        return False
    address = ENCODED.sub(lambda found: DECODED[found[0].upper()], request.address)
    message = b"POST" + address.encode(errors="surrogateescape") + request.body + time.encode()
    return is_same(request.header(SIGNATURE), base64.b64encode(mac(secret, message)).decode())


def events_in(body: bytes, now: datetime) -> list[Event]:
    """The events of a request. Raises `EventError`."""
    found = parsed(body)
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise EventError("HubSpot sends a list of events")
    return [_event(each) for each in found]


def _event(given: Mapping[str, Any]) -> Event:
    kind = name_of(given.get("subscriptionType"))
    if kind is None:
        raise EventError("an event of HubSpot has a subscriptionType")
    about, _, action = kind.rpartition(".")
    # Of an association there are the ids of both ends, and which end an event names is not promised.
    names = ("subscriptionId", "objectId", "occurredAt", "eventId", "fromObjectId", "toObjectId")
    entity = (
        "associations" if action == ASSOCIATION else ENTITIES.get(name_of(given.get("objectTypeId")) or about)
    )
    return Event(
        # An id alone may be there twice.
        key=digest(kind, *(name_of(given.get(name)) for name in names)),
        type=kind,
        object_id=name_of(given.get("objectId")) or name_of(given.get("fromObjectId")),
        occurred_at=_time(given.get("occurredAt")),
        entities=(entity,) if entity else (),
        needs_full=action in NEED_FULL,
    )


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
