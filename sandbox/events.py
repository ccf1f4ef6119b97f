"""Sends events as the services do: signed, collected, in any order, more than once, and again until somebody takes them.

Nothing here waits: whoever has a `Sender` moves its clock, takes what is due, and says what it was answered.

- Notion collects the changes of a page for up to five minutes, a change that is taken back within that time sends nothing, and an event
  is sent up to eight times, the last time about a day later: https://developers.notion.com/reference/webhooks-events-delivery
- HubSpot sends up to a hundred events in a request, and each request up to ten times within a day:
  https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide
"""

import hmac
import json
import uuid
from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, ClassVar

# The pauses before each further delivery.
NOTION_PAUSES = tuple(timedelta(minutes=each) for each in (1, 4, 15, 40, 120, 420, 840))
HUBSPOT_PAUSES = tuple(timedelta(minutes=each) for each in (1, 5, 15, 30, 60, 120, 240, 360, 480))
COLLECTING = timedelta(minutes=5)
BATCH = 100


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an object: `kind` is `created`, `changed`, `deleted`, `restored`, `merged` or `associated`.

    `container` is the database of a page, or the type of an object. With `is_undone` the object is what it was before.
    """

    kind: str
    object_id: str
    container: str
    at: datetime
    is_undone: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request, not signed yet. `attempt` counts from 0."""

    due_at: datetime
    content: Any
    attempt: int = 0


@dataclass(slots=True)
class Sender(ABC):
    """The webhook of one account. `address` is the one that its owner has entered."""

    secret: str
    address: str
    random: Random
    queue: list[Delivery] = field(default_factory=list)
    pauses: tuple[timedelta, ...] = ()

    @abstractmethod
    def happened(self, changes: list[Change]) -> None:
        """Take in what happened, in order."""

    def due(self, now: datetime) -> list[Delivery]:
        """What is sent by now, in no order. What is not answered is lost."""
        found = [each for each in self.queue if each.due_at <= now]
        self.queue = [each for each in self.queue if each.due_at > now]
        self.random.shuffle(found)
        return found

    def answered(self, delivery: Delivery, status: int | None, now: datetime) -> None:
        """Send it again later unless it was taken; `status` is None if nobody answered."""
        is_taken = status is not None and 200 <= status < 300
        if not is_taken and delivery.attempt < len(self.pauses):
            due_at = now + self.pauses[delivery.attempt]
            self.queue.append(replace(delivery, due_at=due_at, attempt=delivery.attempt + 1))

    @abstractmethod
    def request(self, delivery: Delivery, now: datetime) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a delivery."""


class NotionSender(Sender):
    """Notion's."""

    KINDS: ClassVar[dict[str, str]] = {
        "created": "page.created",
        "changed": "page.properties_updated",
        "deleted": "page.deleted",
        "restored": "page.undeleted",
    }

    def happened(self, changes: list[Change]) -> None:
        self.pauses = NOTION_PAUSES
        collected: dict[tuple[str, str], Change] = {}
        for each in changes:
            if each.kind not in self.KINDS:
                continue
            if each.is_undone:
                collected.pop((each.object_id, each.kind), None)
            else:
                collected[each.object_id, each.kind] = each
        for each in collected.values():
            due_at = each.at + COLLECTING * self.random.random()
            self.queue.append(Delivery(due_at, self._event(each)))

    def _event(self, change: Change) -> dict[str, Any]:
        return {
            "id": str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
            "timestamp": change.at.isoformat(),
            "workspace_id": "sample",
            "subscription_id": "sample",
            "integration_id": "sample",
            "type": self.KINDS[change.kind],
            "authors": [],
            "entity": {"id": change.object_id, "type": "page"},
            "data": {"parent": {"id": change.container, "type": "data_source"}},
        }

    def request(self, delivery: Delivery, now: datetime) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(delivery.content | {"attempt_number": delivery.attempt + 1}).encode()
        return body, {
            "X-Notion-Signature": f"sha256={hmac.new(self.secret.encode(), body, 'sha256').hexdigest()}"
        }


class HubSpotSender(Sender):
    """HubSpot's."""

    KINDS: ClassVar[dict[str, str]] = {
        "created": "creation",
        "changed": "propertyChange",
        "deleted": "deletion",
        "restored": "restore",
        "merged": "merge",
        "associated": "associationChange",
    }

    def happened(self, changes: list[Change]) -> None:
        self.pauses = HUBSPOT_PAUSES
        events = [self._event(each) for each in changes]
        self.random.shuffle(events)
        for begin in range(0, len(events), BATCH):
            batch = events[begin : begin + BATCH]
            due_at = max(each.at for each in changes) + timedelta(seconds=20) * self.random.random()
            self.queue.append(Delivery(due_at, batch))

    def _event(self, change: Change) -> dict[str, Any]:
        event: dict[str, Any] = {
            # Not unique, as HubSpot says of it.
            "eventId": self.random.randrange(5),
            "subscriptionId": 1,
            "portalId": 1,
            "appId": 1,
            "occurredAt": int(change.at.timestamp() * 1000),
            "subscriptionType": f"{change.container}.{self.KINDS[change.kind]}",
            "changeSource": "CRM_UI",
        }
        if change.kind == "associated":
            return event | {"fromObjectId": change.object_id, "toObjectId": 1, "associationRemoved": False}
        return event | {"objectId": change.object_id}

    def request(self, delivery: Delivery, now: datetime) -> tuple[bytes, dict[str, str]]:
        events = [each | {"attemptNumber": delivery.attempt} for each in delivery.content]
        body = json.dumps(events).encode()
        time = str(int(now.timestamp() * 1000))
        message = f"POST{self.address}".encode() + body + time.encode()
        signature = b64encode(hmac.new(self.secret.encode(), message, "sha256").digest()).decode()
        return body, {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": time}


SENDERS: dict[str, type[Sender]] = {"notion": NotionSender, "hubspot": HubSpotSender}
