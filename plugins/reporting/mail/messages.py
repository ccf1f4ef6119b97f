"""The record of e-mails, the table `ops.messages_sent`: a run claims an e-mail before it sends it, and marks it as sent after.

If a run is killed after the mail server accepted the e-mail and before the mark, it is sent again with the same Message-ID,
which most mailboxes show only once. If the mark came first, such a kill could mean that an e-mail is never sent, and nobody
would notice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from google.cloud import bigquery

from reporting.settings import Settings
from reporting.warehouse.client import with_parameters

# Longer than sending any e-mail takes: a run whose claim is older was killed.
CLAIM_AGE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Claim:
    """The result of a claim: whether the run may send the e-mail. If it was sent already, `sent_at` says when."""

    is_ours: bool
    sent_at: datetime | None


def claim(client: bigquery.Client, settings: Settings, key: str, run_id: str) -> Claim:
    """Claim the e-mail `key` for `run_id`, unless it was sent already or another run claimed it recently.

    The same run may claim it again when it is retried.
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
    """Mark the e-mail as sent."""
    sql = f"""
        UPDATE {_table(settings)}
        SET sent_at = CURRENT_TIMESTAMP(), receiver_count = @receiver_count, size_bytes = @size_bytes
        WHERE message_key = @key AND run_id = @run_id
    """
    _run(client, sql, key, run_id, receiver_count=receiver_count, size_bytes=size_bytes)


def release(client: bigquery.Client, settings: Settings, key: str, run_id: str) -> None:
    """Release the claim of an e-mail that was not sent, so that another run need not wait."""
    sql = f"""
        UPDATE {_table(settings)} SET claimed_at = NULL
        WHERE message_key = @key AND run_id = @run_id AND sent_at IS NULL
    """
    _run(client, sql, key, run_id)


def _table(settings: Settings) -> str:
    return f"`{settings.dataset('ops')}.messages_sent`"


def _run(client: bigquery.Client, sql: str, key: str, run_id: str, **numbers: int) -> Any:
    return client.query_and_wait(sql, job_config=with_parameters(key=key, run_id=run_id, **numbers))
