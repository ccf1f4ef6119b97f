"""Sends each e-mail once, even if several runs try to send it."""

import logging
import smtplib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from google.cloud import bigquery

from reporting.mail import messages
from reporting.mail.emails import Email, compose
from reporting.mail.server import refusal
from reporting.settings import Settings

logger = logging.getLogger(__name__)

# A function that sends a message and returns the refused receivers with the reasons, as smtplib does.
Post = Callable[[EmailMessage], Mapping[str, Any]]


class SendError(Exception):
    """An e-mail was not sent. The message says why. A retry may help."""


class RefusedError(Exception):
    """An e-mail was sent, but some receivers were refused. A retry would send it twice to the others."""


class AlreadySentError(Exception):
    """The e-mail was sent before. The message says when."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An e-mail to be sent. `key` identifies the e-mail, and `run_id` the run that sends it."""

    key: str
    run_id: str
    sender: str
    receivers: Sequence[str]


def send_once(
    client: bigquery.Client,
    settings: Settings,
    delivery: Delivery,
    write: Callable[[], Email],
    post: Post,
) -> int:
    """Write and send the e-mail, unless that was done before. Returns its size in bytes.

    Raises `AlreadySentError`, `SendError`, `RefusedError`, and the errors of `write`.
    """
    claimed = messages.claim(client, settings, delivery.key, delivery.run_id)
    if claimed.sent_at:
        raise AlreadySentError(f"{delivery.key} was sent at {claimed.sent_at:%Y-%m-%d %H:%M} UTC.")
    if not claimed.is_ours:
        minutes = messages.CLAIM_AGE.seconds // 60
        raise SendError(
            f"another run is sending {delivery.key} at this moment. If that run was killed, try again in {minutes} minutes."
        )
    try:
        mail = compose(write(), delivery.key, delivery.sender, delivery.receivers, datetime.now(UTC))
        size = len(bytes(mail))
        refused = _posted(mail, delivery.key, post)
    except Exception:
        messages.release(client, settings, delivery.key, delivery.run_id)
        raise
    taken = len(delivery.receivers) - len(refused)
    messages.record(client, settings, delivery.key, delivery.run_id, taken, size)
    logger.info("%s: %d bytes for %d receivers.", delivery.key, size, taken)
    if refused:
        places = [str(delivery.receivers.index(each) + 1) for each in refused if each in delivery.receivers]
        codes = sorted({str(code) for code, _ in refused.values()})
        raise RefusedError(
            f"{delivery.key} was sent, but the mail server refused receiver {', '.join(places)} of "
            f"{len(delivery.receivers)} with {', '.join(codes)}. Correct the list of receivers; the others got the e-mail."
        )
    return size


def _posted(mail: EmailMessage, key: str, post: Post) -> Mapping[str, Any]:
    try:
        return post(mail)
    except (smtplib.SMTPException, OSError) as error:
        raise SendError(f"the mail server did not accept {key}: {refusal(error)}") from None
