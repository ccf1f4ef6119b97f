"""Events of an account on their way: some are lost, doubled, late, out of order or forged, and none of them is believed unsigned."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from reporting.entity import Entity
from reporting.naming import DagId
from reporting.web.events import PREFIX
from sandbox.events import SENDERS, Change, Delivery, Sender
from tests.support.event_desk import BASE, SECRETS, Desk

FORGED = "a key that somebody made up"
# What becomes of a delivery; None is that it arrives.
FATES = (None, None, None, "lost", "doubled", "unanswered", "forged", "old", "away")


class Ringing:
    """The webhook of one account, and the server that takes its events. `figures` counts what became of them."""

    def __init__(
        self, source: str, entities: dict[str, Entity], now: Callable[[], datetime], figures: Counter[str]
    ) -> None:
        self.source, self.figures = source, figures
        self._entities = tuple(entities.values())
        self._now = now()
        names = tuple(each.name for each in self._entities)
        self.desk = Desk(
            {source: SECRETS[source]}, self._entities, lambda ids: names if ids else (), lambda: self._now
        )
        address = f"{BASE}{PREFIX}/{source}"
        self._sender: Sender = SENDERS[source](SECRETS[source], address, Random(0))
        self._forger: Sender = SENDERS[source](FORGED, address, Random(0))

    def happened(self, changes: list[Change]) -> None:
        """Something changed in the account."""
        if changes:
            self._sender.happened(changes)

    def deliver(self, now: datetime, seed: int) -> list[tuple[str, str]]:
        """Deliver what is due, each with a fate of its own, and return what it triggered: tables and refreshes."""
        self._now = now
        chance = Random(seed)
        begun = len(self.desk.triggered)
        for delivery in self._sender.due(now):
            fate = chance.choice(FATES)
            self.figures[f"events {fate or 'taken'}"] += 1
            self._deliver(delivery, fate)
        found = [DagId.parse(each) for each in self.desk.triggered[begun:]]
        return [(f"{each.source}__{each.entity}", each.refresh) for each in found]

    def _deliver(self, delivery: Delivery, fate: str | None) -> None:
        if fate == "lost":
            return
        if fate == "forged":
            body, headers = self._forger.request(delivery, self._now)
            assert self.desk.send(self.source, body, headers)[0] == 401
        if fate == "old" and self.source == "hubspot":
            body, headers = self._sender.request(delivery, self._now - timedelta(minutes=6))
            assert self.desk.send(self.source, body, headers)[0] == 401
        self.desk.is_away = fate == "away"
        self.desk.seconds += 60
        body, headers = self._sender.request(delivery, self._now)
        status = self.desk.send(self.source, body, headers)[0]
        assert status == (503 if fate == "away" else 200), (fate, status)
        self.desk.is_away = False
        if fate == "doubled":
            count = len(self.desk.triggered)
            assert self.desk.send(self.source, body, headers)[0] == 200
            assert len(self.desk.triggered) == count
        # The answer may be lost, and then it comes again.
        self._sender.answered(delivery, None if fate == "unanswered" else status, self._now)
