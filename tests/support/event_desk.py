"""The address of events over a metadata database of a test's own, without Airflow: what would be triggered is kept in a list."""

import asyncio
import hmac
import json
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, MultiFernet

from reporting.deploy import event_store
from reporting.entity import Entity
from reporting.orchestration.events import wanted
from reporting.sources.events import Event
from reporting.sources.registry import ENTITIES, SOURCES
from reporting.web.events import PREFIX
from reporting.web.events.endpoint import Events, Keys
from reporting.web.events.noting import Notebook
from reporting.web.guard import App, Message

BASE = "https://reporting.example"
SECRETS = {"hubspot": "hub-secret", "notion": "secret_notion"}
MODULES = {name: SOURCES[name].events for name in SECRETS}


class Desk:
    """One server's address of events. `now` is its clock, `triggered` the DAGs that events have asked for, in order."""

    def __init__(
        self,
        secrets: Mapping[str, str] = SECRETS,
        entities: Iterable[Entity] = ENTITIES,
        containers: Callable[[Sequence[str]], tuple[str, ...]] = lambda _: (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.now = now
        self.secrets = dict(secrets)
        self.engine = sa.create_engine(
            "sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False}
        )
        event_store.create(self.engine)
        self.cipher = MultiFernet([Fernet(Fernet.generate_key())])
        self.entities = tuple(entities)
        self.containers = containers
        self.triggered: list[str] = []
        self.writes = 0
        self.is_away = False
        self.seconds = 0.0
        self.app = self.restarted()

    def restarted(self) -> Events:
        """Another process of the same server."""
        self.app = Events(
            MODULES,
            f"{BASE}{PREFIX}",
            self,
            Notebook(self.write, lambda: self.seconds),
            lambda: self.seconds,
            lambda: self.now(),
        )
        return self.app

    def keys(self) -> dict[str, Keys]:
        self._look()
        with self.engine.begin() as connection:
            known = event_store.senders(connection, self.cipher)
        found = {}
        for name in MODULES:
            sender = known.get(name, event_store.Sender(name))
            secrets = (self.secrets.get(name), sender.key)
            found[name] = Keys(tuple(each for each in secrets if each), sender.is_open(self.now()))
        return found

    def enrol(self, source: str, key: str) -> bool:
        self._look()
        with self.engine.begin() as connection:
            return event_store.enrol(connection, source, key, self.cipher, self.now())

    def write(self, notes: Sequence[tuple[str, Event]], refused: Mapping[str, int]) -> int:
        self._look()
        self.writes += 1
        placed = [
            (source, replace(event, entities=(*event.entities, *self.containers(event.containers))))
            for source, event in notes
        ]
        with self.engine.begin() as connection:
            new = event_store.note(connection, placed, self.now())
            counts: dict[str, int] = {}
            for source, _ in new:
                counts[source] = counts.get(source, 0) + 1
            event_store.count(connection, counts, refused, self.now())
        self.triggered += [dag_id for dag_id, _ in wanted(new, self.entities)]
        return len(new)

    def _look(self) -> None:
        if self.is_away:
            raise sa.exc.OperationalError(
                "SELECT", {}, sqlite3.OperationalError("postgresql://owner:hush@db")
            )

    def noted(self) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.execute(sa.select(event_store.EVENTS).order_by(event_store.EVENTS.c.key)))

    def sender(self, source: str) -> event_store.Sender:
        with self.engine.begin() as connection:
            return event_store.senders(connection, self.cipher)[source]

    def send(
        self, source: str, body: bytes, headers: Mapping[str, str] | None = None, **more: Any
    ) -> tuple[int, Any]:
        """The status and the content of the answer to one request."""
        return asyncio.run(ask(self.app, f"{PREFIX}/{source}", body, headers or {}, **more))

    def notion(self, content: Any, secret: str | None = None) -> tuple[int, Any]:
        """Send as Notion does."""
        body = json.dumps(content).encode()
        return self.send("notion", body, notion_headers(body, secret or self.secrets["notion"]))

    def hubspot(self, content: Any, secret: str | None = None, at: datetime | None = None) -> tuple[int, Any]:
        """Send as HubSpot does."""
        body = json.dumps(content).encode()
        return self.send(
            "hubspot", body, hubspot_headers(body, secret or self.secrets["hubspot"], at or self.now())
        )


def notion_headers(body: bytes, secret: str) -> dict[str, str]:
    return {"X-Notion-Signature": f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"}


def hubspot_headers(
    body: bytes, secret: str, at: datetime, address: str = f"{BASE}{PREFIX}/hubspot"
) -> dict[str, str]:
    time = str(int(at.timestamp() * 1000))
    message = f"POST{address}".encode() + body + time.encode()
    signature = b64encode(hmac.new(secret.encode(), message, "sha256").digest()).decode()
    return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": time}


async def ask(
    app: App,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    pieces: int = 2,
    **more: Any,
) -> tuple[int, Any]:
    """The status and the content of the answer to one request, whose body comes in pieces."""
    given = headers.items() if isinstance(headers, Mapping) else headers
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "root_path": path.rpartition("/")[0],
        "query_string": b"",
    }
    scope |= {"headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given], **more}
    size = max(len(body) // pieces, 1)
    parts = [body[begin : begin + size] for begin in range(0, len(body), size)] or [b""]
    sent: list[Message] = []

    async def receive() -> Message:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])
