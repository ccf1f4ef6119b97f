"""The project's own tables in Airflow's metadata database: events that sources sent, and what they are told from forged ones by.

`script/start`, `script/server` and every other command that prepares an installation creates them if they are not there
(`reporting.orchestration.prepare`). Airflow does not know them: `airflow db migrate` and `airflow db clean` leave them alone. They
are in each backup of the metadata database and come back with it; a backup from before they were there brings none, and the next
start creates them. An event is kept for a week, which is longer than any source sends one again, and has no more than ids, a type
and times. Keys of signatures are encrypted with Airflow's Fernet key.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.dialects import postgresql, sqlite

from reporting.deploy import database
from reporting.deploy.errors import CommandError
from reporting.sources.events import Event

FERNET_KEYS = "AIRFLOW__CORE__FERNET_KEY"
KEPT = timedelta(days=7)
# How long a webhook can be enrolled after `script/connect` has asked for it.
ENROLMENT = timedelta(minutes=10)
# Rows of one statement; SQLite takes no more than 32,766 values.
MOST_ROWS = 500


class Time(sa.TypeDecorator[datetime]):
    """A time of UTC, which is stored without saying so: SQLite has no times with a zone."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


METADATA = sa.MetaData()
EVENTS = sa.Table(
    "reporting_events",
    METADATA,
    sa.Column("source", sa.String(100), primary_key=True),
    sa.Column("key", sa.String(100), primary_key=True),
    sa.Column("type", sa.String(100), nullable=False),
    sa.Column("object_id", sa.String(100)),
    sa.Column("occurred_at", Time()),
    sa.Column("received_at", Time(), nullable=False, index=True),
)
SENDERS = sa.Table(
    "reporting_event_senders",
    METADATA,
    sa.Column("source", sa.String(100), primary_key=True),
    sa.Column("noted_count", sa.BigInteger(), nullable=False, default=0),
    sa.Column("refused_count", sa.BigInteger(), nullable=False, default=0),
    sa.Column("last_noted_at", Time()),
    sa.Column("last_refused_at", Time()),
    sa.Column("key", sa.Text()),
    sa.Column("pending_key", sa.Text()),
    sa.Column("open_until", Time()),
)
TABLES = (EVENTS, SENDERS)


@dataclass(frozen=True, slots=True)
class Sender:
    """What is known of a source that sends events. `key` is the active key of its signatures; `pending_key` one that the source
    has sent and the owner has not confirmed yet. Enrolment is open until `open_until`."""

    source: str
    noted_count: int = 0
    refused_count: int = 0
    last_noted_at: datetime | None = None
    last_refused_at: datetime | None = None
    key: str | None = None
    pending_key: str | None = None
    open_until: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether a key may be enrolled now: the owner has asked for it, and there is none."""
        is_asked = self.open_until is not None and now < self.open_until
        return is_asked and self.key is None and self.pending_key is None


def create(engine: sa.Engine) -> None:
    """Create the tables that are not there."""
    METADATA.create_all(engine)


@contextmanager
def connected(address: str | None) -> Iterator[sa.Connection]:
    """A transaction in the metadata database at `address`, for commands. Raises `CommandError` if it cannot be used."""
    if address is None:
        raise CommandError("there is no installation yet. Start it once with script/server or script/start.")
    url = sa.make_url(address)
    if url.get_backend_name() == "postgresql":
        options = {**database.LIBPQ, **database.tls(url)}
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg2", query={}), poolclass=sa.NullPool, connect_args=options
        )
    else:
        engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"timeout": 10})
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        raise CommandError(
            f"the metadata database cannot be used ({type(error.orig).__name__}). Start the installation once with "
            "script/server or script/start, which creates the tables of events, and try it again."
        ) from None


def note(
    connection: sa.Connection, notes: Sequence[tuple[str, Event]], now: datetime
) -> list[tuple[str, Event]]:
    """Keep events with their sources, and return those that were not there before, each once."""
    known: dict[tuple[str, str], tuple[str, Event]] = {}
    for source, event in notes:
        known.setdefault((source, event.key), (source, event))
    rows = [
        {
            "source": source,
            "key": event.key,
            "type": event.type,
            "object_id": event.object_id,
            "occurred_at": event.occurred_at,
            "received_at": now,
        }
        for source, event in known.values()
    ]
    new: list[tuple[str, Event]] = []
    for begin in range(0, len(rows), MOST_ROWS):
        statement = insert(connection, EVENTS).values(rows[begin : begin + MOST_ROWS])
        kept = statement.on_conflict_do_nothing().returning(EVENTS.c.source, EVENTS.c.key)
        new += [known[row.source, row.key] for row in connection.execute(kept)]
    return new


def count(
    connection: sa.Connection, noted: Mapping[str, int], refused: Mapping[str, int], now: datetime
) -> None:
    """Add to the counts of each source."""
    for counts, column, at in (
        (noted, SENDERS.c.noted_count, SENDERS.c.last_noted_at),
        (refused, SENDERS.c.refused_count, SENDERS.c.last_refused_at),
    ):
        for source, number in counts.items():
            if number:
                _ensure(connection, source)
                connection.execute(
                    sa.update(SENDERS)
                    .where(SENDERS.c.source == source)
                    .values({column: column + number, at: now})
                )


def forget_old(connection: sa.Connection, now: datetime) -> int:
    """Remove the events of more than a week ago, and return how many."""
    return int(connection.execute(sa.delete(EVENTS).where(EVENTS.c.received_at < now - KEPT)).rowcount)


def senders(connection: sa.Connection, cipher: MultiFernet | None = None) -> dict[str, Sender]:
    """Every source that has sent an event or is to send some. Without `cipher` a key is only known to be there: it is empty."""
    found = {}
    for row in connection.execute(sa.select(SENDERS)):
        values = dict(row._mapping)
        for name in ("key", "pending_key"):
            values[name] = _plain(values[name], cipher)
        found[row.source] = Sender(**values)
    return found


def open_enrolment(connection: sa.Connection, source: str, now: datetime) -> datetime | None:
    """Let the source send its key for ten minutes, and return until when; None if it has an active key already, which stays."""
    _ensure(connection, source)
    until = now + ENROLMENT
    changed = connection.execute(
        sa.update(SENDERS)
        .where(SENDERS.c.source == source, SENDERS.c.key.is_(None))
        .values(open_until=until, pending_key=None)
    )
    return until if changed.rowcount else None


def enrol(connection: sa.Connection, source: str, key: str, cipher: MultiFernet, now: datetime) -> bool:
    """Keep the key that a source has sent as pending. False if nobody has asked for it, or another one was first."""
    changed = connection.execute(
        sa.update(SENDERS)
        .where(
            SENDERS.c.source == source,
            SENDERS.c.open_until > now,
            SENDERS.c.key.is_(None),
            SENDERS.c.pending_key.is_(None),
        )
        .values(pending_key=cipher.encrypt(key.encode()).decode())
    )
    return bool(changed.rowcount)


def close_enrolment(connection: sa.Connection, source: str, *, confirmed: bool) -> None:
    """End the enrolment. A pending key that the owner has confirmed becomes the active one, any other is forgotten."""
    values: dict[str, Any] = {"open_until": None, "pending_key": None}
    if confirmed:
        values["key"] = SENDERS.c.pending_key
    connection.execute(
        sa.update(SENDERS).where(SENDERS.c.source == source, SENDERS.c.key.is_(None)).values(values)
    )


def forget_key(connection: sa.Connection, source: str) -> bool:
    """Remove the active key of a source, whose events are refused from then on. False if there is none."""
    changed = connection.execute(
        sa.update(SENDERS)
        .where(SENDERS.c.source == source, SENDERS.c.key.is_not(None))
        .values(key=None, pending_key=None, open_until=None)
    )
    return bool(changed.rowcount)


def cipher_of(variables: Mapping[str, str] = os.environ) -> MultiFernet:
    """What keys are encrypted with: Airflow's Fernet keys. Raises `CommandError` if there are none."""
    keys = [each.strip() for each in variables.get(FERNET_KEYS, "").split(",") if each.strip()]
    if not keys:
        raise CommandError(
            f"{FERNET_KEYS} is not set, so that no key can be kept. script/start needs it, too."
        )
    return MultiFernet([Fernet(each) for each in keys])


def _plain(value: str | None, cipher: MultiFernet | None) -> str | None:
    if value is None or cipher is None:
        return None if value is None else ""
    try:
        return cipher.decrypt(value.encode()).decode()
    except InvalidToken:
        # The Fernet key was changed without the old one beside it. Nothing is signed with an empty key.
        return ""


def _ensure(connection: sa.Connection, source: str) -> None:
    row = insert(connection, SENDERS).values(source=source, noted_count=0, refused_count=0)
    connection.execute(row.on_conflict_do_nothing())


def insert(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that may say what becomes of rows that are there already."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def names(tables: Iterable[sa.Table] = TABLES) -> list[str]:
    """The names of the tables."""
    return [each.name for each in tables]
