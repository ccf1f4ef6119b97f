"""A letter as a message of RFC 5322: text, HTML beside it for those who read that, and attachments."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file by its name, such as `habits.csv`, and its type, such as `text/csv`."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be read. `text` says all that `html` does."""

    subject: str
    text: str
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()


def message_id(key: str, sender: str) -> str:
    """The Message-ID of the letter called `key`: the same each time, so that a mailbox knows a second copy for one."""
    _, at, domain = parseaddr(sender)[1].rpartition("@")
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain if at else 'localhost'}>"


def compose(
    letter: Letter, key: str, sender: str, receivers: Sequence[str], written_at: datetime
) -> EmailMessage:
    """The message that carries `letter`; every receiver sees the others."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"] = sender, ", ".join(receivers)
    mail["Subject"] = " ".join(letter.subject.split())
    mail["Date"] = format_datetime(written_at)
    mail["Message-ID"] = message_id(key, sender)
    # No holiday notice answers it: https://www.rfc-editor.org/rfc/rfc3834#section-5
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text)
    if letter.html is not None:
        mail.add_alternative(letter.html, subtype="html")
    for each in letter.attachments:
        main, _, sub = each.type.partition("/")
        mail.add_attachment(each.content, maintype=main, subtype=sub, filename=each.name)
    return mail
