"""Sends each letter once, however often it is asked for."""

import logging
import smtplib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from google.cloud import bigquery

from reporting.mail.letters import Letter, compose
from reporting.mail.server import refusal
from reporting.settings import Settings
from reporting.warehouse import messages

logger = logging.getLogger(__name__)

# Hands a message over, and returns the receivers that were refused with the reason, as smtplib does.
Post = Callable[[EmailMessage], Mapping[str, Any]]


class SendError(Exception):
    """A letter was not sent; the message says why. Trying again may help."""


class RefusedError(Exception):
    """A letter was sent, and not to everybody. Trying again would send it twice to the others."""


class AlreadySentError(Exception):
    """The letter was sent before; says when."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A letter to be sent: `key` is what makes it this one, `run_id` who sends it."""

    key: str
    run_id: str
    sender: str
    receivers: Sequence[str]


def send_once(
    client: bigquery.Client,
    settings: Settings,
    errand: Errand,
    write: Callable[[], Letter],
    post: Post,
) -> int:
    """Write the letter and hand it over unless that was done before, and return its size in bytes.

    Raises `AlreadySentError`, `SendError`, `RefusedError`, and whatever `write` raises.
    """
    claimed = messages.claim(client, settings, errand.key, errand.run_id)
    if claimed.sent_at:
        raise AlreadySentError(f"{errand.key} was sent at {claimed.sent_at:%Y-%m-%d %H:%M} UTC.")
    if not claimed.is_ours:
        minutes = messages.CLAIM_AGE.seconds // 60
        raise SendError(
            f"{errand.key} is being sent by another run. If that was killed, try again in {minutes} minutes."
        )
    try:
        mail = compose(write(), errand.key, errand.sender, errand.receivers, datetime.now(UTC))
        size = len(bytes(mail))
        refused = _posted(mail, errand.key, post)
    except Exception:
        messages.release(client, settings, errand.key, errand.run_id)
        raise
    taken = len(errand.receivers) - len(refused)
    messages.record(client, settings, errand.key, errand.run_id, taken, size)
    logger.info("%s: %d bytes for %d receivers.", errand.key, size, taken)
    if refused:
        places = [str(errand.receivers.index(each) + 1) for each in refused if each in errand.receivers]
        codes = sorted({str(code) for code, _ in refused.values()})
        raise RefusedError(
            f"{errand.key} was sent, and the mail server refused receiver {', '.join(places)} of "
            f"{len(errand.receivers)} with {', '.join(codes)}. Mend the list; the others have their letter."
        )
    return size


def _posted(mail: EmailMessage, key: str, post: Post) -> Mapping[str, Any]:
    try:
        return post(mail)
    except (smtplib.SMTPException, OSError) as error:
        raise SendError(f"the mail server did not take {key}: {refusal(error)}") from None
