"""The address of streams over Airflow's metadata database and the landing."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reporting.deploy import stream_store
from reporting.ingest import inbox
from reporting.ingest.landing import Landing
from reporting.orchestration import events as recording
from reporting.settings import Settings, read_settings
from reporting.sources.base import Record
from reporting.sources.registry import ENTITIES
from reporting.sources.stream.declare import StreamTable
from reporting.web.guard import App
from reporting.web.stream.endpoint import Stream


class MetadataStore:
    """Tokens and keys in the metadata database, records in the landing."""

    def __init__(self, settings: Settings) -> None:
        self._landing = Landing.of(settings)
        self._debounce = timedelta(seconds=settings.event_seconds)

    def tokens(self) -> Mapping[str, frozenset[str]]:
        """The digests of the tokens of each stream."""
        from airflow.utils.session import create_session

        with create_session(scoped=False) as session:
            return stream_store.tokens(session.connection())

    def answered(self, table: StreamTable, key: str) -> stream_store.Kept | None:
        """What a request with that key was answered."""
        from airflow.utils.session import create_session

        with create_session(scoped=False) as session:
            return stream_store.answered(session.connection(), table.name, key)

    def keep(self, table: StreamTable, records: list[Record], request_id: str, received_at: datetime) -> None:
        """Write records to the inbox."""
        inbox.keep(self._landing, table, records, request_id, received_at)

    def done(self, table: StreamTable, key: str | None, content: str, said: Mapping[str, Any]) -> None:
        """Trigger the DAG that reads the inbox, and keep the answer."""
        from airflow.utils.session import create_session

        recording.ring(table, self._debounce)
        if key is not None:
            with create_session(scoped=False) as session:
                now = datetime.now(UTC)
                stream_store.keep_answer(session.connection(), table.name, key, content, said, now)


def application_of_server() -> App:
    """The application of this server."""
    tables = {each.name: each for each in ENTITIES if isinstance(each, StreamTable)}
    return Stream(tables, MetadataStore(read_settings()))
