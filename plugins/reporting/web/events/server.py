"""The address of events over Airflow's metadata database and the owner's settings."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from reporting.deploy import event_store
from reporting.ingest.containers import Containers
from reporting.ingest.landing import Landing
from reporting.orchestration import events as recording
from reporting.settings import Settings, Webhooks, read, read_settings
from reporting.sources.events import Event
from reporting.sources.registry import ENTITIES, SOURCES
from reporting.web import events
from reporting.web.events.endpoint import Events, Keys
from reporting.web.events.noting import Notebook
from reporting.web.guard import BASE_URL, App

FORGET_INTERVAL = timedelta(hours=1)
MODULES = MappingProxyType({name: module for name, each in SOURCES.items() if (module := each.events)})


class MetadataStore:
    """The keys that were enrolled, and those in the settings."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def keys(self) -> Mapping[str, Keys]:
        """The keys of each source that has one, or may send one."""
        from airflow.utils.session import create_session

        with create_session(scoped=False) as session:
            known = event_store.senders(session.connection(), event_store.cipher_of())
        now = datetime.now(UTC)
        found = {}
        for source in MODULES:
            sender = known.get(source, event_store.Sender(source))
            # One that waits to be confirmed counts meanwhile: the source signs with it once the owner has pasted it.
            is_enrolling = sender.open_until is not None and now < sender.open_until
            secrets = (self._secrets.get(source), sender.key, sender.pending_key if is_enrolling else None)
            found[source] = Keys(tuple(each for each in secrets if each), sender.is_open(now))
        return found

    def enrol(self, source: str, key: str) -> bool:
        """Keep a key as pending, if the owner has asked for one."""
        from airflow.utils.session import create_session

        cipher = event_store.cipher_of()
        with create_session(scoped=False) as session:
            return event_store.enrol(session.connection(), source, key, cipher, datetime.now(UTC))


class Recorder:
    """Writes events, and triggers what they are about; used by one thread."""

    def __init__(self, settings: Settings) -> None:
        self._debounce = timedelta(seconds=settings.event_seconds)
        landing = Landing.of(settings)
        self._containers = {
            name: Containers(landing, SOURCES[name].entities, module.containers_in)
            for name, module in MODULES.items()
            if hasattr(module, "containers_in")
        }
        self._forgotten_at = datetime.min.replace(tzinfo=UTC)

    def __call__(self, notes: Sequence[tuple[str, Event]], refused: Mapping[str, int]) -> int:
        """Write, all or nothing, and return how many of the events are new."""
        now = datetime.now(UTC)
        found = [(source, self._placed(source, event)) for source, event in notes]
        new = recording.record(found, refused, ENTITIES, self._debounce, now)
        if now - self._forgotten_at >= FORGET_INTERVAL:
            recording.forget_old(now)
            self._forgotten_at = now
        return new

    def _placed(self, source: str, event: Event) -> Event:
        """The event with the entities of its containers."""
        if not event.containers or source not in self._containers:
            return event
        entities = self._containers[source].entities(event.containers)
        return replace(event, entities=(*event.entities, *entities))


def application_of_server() -> App:
    """The application of this server."""
    settings = read_settings()
    secrets = {name: each.get_secret_value() for name, each in read(Webhooks).secrets.items()}
    address = f"{os.environ.get(BASE_URL, '').rstrip('/')}{events.PREFIX}"
    return Events(MODULES, address, MetadataStore(secrets), Notebook(Recorder(settings)))
