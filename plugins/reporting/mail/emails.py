"""Builds an e-mail as a message (RFC 5322) with text, HTML and attachments."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file with its name, such as `habits.csv`, and its type, such as `text/csv`."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Email:
    """The content of an e-mail. `text` contains everything that `html` does."""

    subject: str
    text: str
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()


def message_id(key: str, sender: str) -> str:
    """The Message-ID of the e-mail called `key`. It is always the same, so that mailboxes recognise a second copy."""
    _, at, domain = parseaddr(sender)[1].rpartition("@")
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain if at else 'localhost'}>"


def compose(
    email: Email, key: str, sender: str, receivers: Sequence[str], written_at: datetime
) -> EmailMessage:
    """Build the message for an e-mail. Every receiver sees the addresses of the others."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"] = sender, ", ".join(receivers)
    mail["Subject"] = " ".join(email.subject.split())
    mail["Date"] = format_datetime(written_at)
    mail["Message-ID"] = message_id(key, sender)
    # Prevents automatic replies such as holiday notices: https://www.rfc-editor.org/rfc/rfc3834#section-5
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(email.text)
    if email.html is not None:
        mail.add_alternative(email.html, subtype="html")
    for each in email.attachments:
        main, _, sub = each.type.partition("/")
        mail.add_attachment(each.content, maintype=main, subtype=sub, filename=each.name)
    return mail
