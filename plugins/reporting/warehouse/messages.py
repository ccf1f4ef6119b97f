"""The record of letters, `ops.messages_sent`: one row a letter, claimed before it is sent and marked when it was.

A run that was killed between the mail server's "accepted" and the mark sends again: the same letter under the same
Message-ID, which most mailboxes show once. The other way round, marked before it is sent, nobody would miss a letter
that never came.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from google.cloud import bigquery

from reporting.settings import Settings

# Longer than any letter takes; then whoever claimed it is dead.
CLAIM_AGE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose turn it is with a letter. `sent_at` is when it was sent, if it was; then it is nobody's."""

    is_ours: bool
    sent_at: datetime | None


def claim(client: bigquery.Client, settings: Settings, key: str, run_id: str) -> Claim:
    """Claim the letter `key` for `run_id`, unless it was sent or another run claimed it lately.

    A run may claim it as often as it is tried.
    """
    sql = f"""
        MERGE {_table(settings)} T
        USING (SELECT @key AS message_key, @run_id AS run_id, CURRENT_TIMESTAMP() AS claimed_at) S
        ON T.message_key = S.message_key
        WHEN MATCHED AND T.sent_at IS NULL AND (
            T.claimed_at IS NULL OR T.run_id = S.run_id
            OR T.claimed_at < TIMESTAMP_SUB(S.claimed_at, INTERVAL {int(CLAIM_AGE.total_seconds())} SECOND)
        ) THEN UPDATE SET run_id = S.run_id, claimed_at = S.claimed_at
        WHEN NOT MATCHED THEN INSERT (message_key, run_id, claimed_at) VALUES (S.message_key, S.run_id, S.claimed_at)
    """
    _run(client, sql, key, run_id)
    look = f"SELECT run_id, sent_at FROM {_table(settings)} WHERE message_key = @key"
    row = next(iter(_run(client, look, key, run_id)))
    return Claim(row["sent_at"] is None and row["run_id"] == run_id, row["sent_at"])


def record(
    client: bigquery.Client, settings: Settings, key: str, run_id: str, receiver_count: int, size_bytes: int
) -> None:
    """Mark the letter as sent."""
    sql = f"""
        UPDATE {_table(settings)}
        SET sent_at = CURRENT_TIMESTAMP(), receiver_count = @receiver_count, size_bytes = @size_bytes
        WHERE message_key = @key AND run_id = @run_id
    """
    _run(client, sql, key, run_id, receiver_count=receiver_count, size_bytes=size_bytes)


def release(client: bigquery.Client, settings: Settings, key: str, run_id: str) -> None:
    """Give the claim back: the letter was not sent, and another run need not wait."""
    sql = f"""
        UPDATE {_table(settings)} SET claimed_at = NULL
        WHERE message_key = @key AND run_id = @run_id AND sent_at IS NULL
    """
    _run(client, sql, key, run_id)


def _table(settings: Settings) -> str:
    return f"`{settings.dataset('ops')}.messages_sent`"


def _run(client: bigquery.Client, sql: str, key: str, run_id: str, **numbers: int) -> Any:
    parameters = [
        bigquery.ScalarQueryParameter("key", "STRING", key),
        bigquery.ScalarQueryParameter("run_id", "STRING", run_id),
        *(bigquery.ScalarQueryParameter(name, "INT64", value) for name, value in numbers.items()),
    ]
    return client.query(sql, job_config=bigquery.QueryJobConfig(query_parameters=parameters)).result()
