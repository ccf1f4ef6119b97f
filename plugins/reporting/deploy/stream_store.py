"""The tokens of streams and the keys of their requests, in Airflow's metadata database beside `event_store`.

A token is kept as its SHA-256: it has 256 random bits, so nobody finds it by trying. A key that a sender gives a request
(`Idempotency-Key`) is kept for a week with the answer.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from reporting.deploy.event_store import KEPT, METADATA, Time, insert

PREFIX = "stream_"
TOKENS = sa.Table(
    "reporting_stream_tokens",
    METADATA,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("entity", sa.String(200), nullable=False),
    sa.Column("made_at", Time(), nullable=False),
)
REQUESTS = sa.Table(
    "reporting_stream_requests",
    METADATA,
    sa.Column("entity", sa.String(200), primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("content", sa.String(64), nullable=False),
    sa.Column("answer", sa.Text(), nullable=False),
    sa.Column("received_at", Time(), nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A request that was answered: the digest of its body, and the answer."""

    content: str
    answer: Mapping[str, Any]


def create(engine: sa.Engine) -> None:
    """Create the tables of streams and of events that are not there."""
    METADATA.create_all(engine)


def make_token(connection: sa.Connection, entity: str, now: datetime) -> str:
    """Make a token for a stream, which is not kept and so is never shown again."""
    token = f"{PREFIX}{secrets.token_urlsafe(32)}"
    connection.execute(sa.insert(TOKENS).values(digest=digest(token), entity=entity, made_at=now))
    return token


def revoke(connection: sa.Connection, entity: str) -> int:
    """Remove every token of a stream, and return how many there were."""
    return int(connection.execute(sa.delete(TOKENS).where(TOKENS.c.entity == entity)).rowcount)


def tokens(connection: sa.Connection) -> dict[str, frozenset[str]]:
    """The digests of the tokens of each stream."""
    found: dict[str, set[str]] = {}
    for row in connection.execute(sa.select(TOKENS.c.entity, TOKENS.c.digest)):
        found.setdefault(row.entity, set()).add(row.digest)
    return {name: frozenset(each) for name, each in found.items()}


def answered(connection: sa.Connection, entity: str, key: str) -> Kept | None:
    """What a request with this key was answered; None if there was none."""
    where = (REQUESTS.c.entity == entity, REQUESTS.c.key == digest(key))
    row = connection.execute(sa.select(REQUESTS.c.content, REQUESTS.c.answer).where(*where)).first()
    return None if row is None else Kept(row.content, json.loads(row.answer))


def keep_answer(
    connection: sa.Connection, entity: str, key: str, content: str, answer: Mapping[str, Any], now: datetime
) -> None:
    """Keep the answer of a request with a key, unless another one was first. Removes those of more than a week ago."""
    connection.execute(sa.delete(REQUESTS).where(REQUESTS.c.received_at < now - KEPT))
    values = {"entity": entity, "key": digest(key), "content": content, "answer": json.dumps(answer)}
    connection.execute(
        insert(connection, REQUESTS).values(**values, received_at=now).on_conflict_do_nothing()
    )


def digest(text: str | bytes) -> str:
    """The SHA-256 of a token, a key or a body."""
    return sha256(text.encode() if isinstance(text, str) else text).hexdigest()
