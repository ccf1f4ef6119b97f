"""The mail server that the environment names, and what is said when one refuses.

| Variable                 | What it is                                                                          |
|--------------------------|-------------------------------------------------------------------------------------|
| `REPORTING_SMTP_URL`     | `smtps://user:password@host:465`, or `smtp://…:587`, which turns to TLS by STARTTLS |
| `REPORTING_ALERT_SENDER` | the sender; without it the user of the mail server                                  |
"""

import os
import re
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

NONE = "none"
SENDER = "REPORTING_ALERT_SENDER"
SMTP = "REPORTING_SMTP_URL"
TIMEOUT_SECONDS = 15.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHAPE = "smtps://user:password@host:465 or smtp://user:password@host:587"


class MailSettingError(ValueError):
    """A variable of the mail cannot be used; begins with its name."""


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server, and who sends by it; None where neither the setting nor the user says."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    is_tls_from_start: bool
    sender: str | None

    def send(self, mail: EmailMessage) -> None:
        """Hand `mail` over. Raises the errors of smtplib, and OSError.

        https://docs.python.org/3.13/library/smtplib.html
        """
        with self._connected() as server:
            if self.user and self.password:
                server.login(self.user, self.password)
            server.send_message(mail)

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.is_tls_from_start:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_SECONDS, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        # A password never travels in clear but within this machine.
        if self.host not in LOOPBACK:
            server.starttls(context=context)
        return server


def read_server(environment: Mapping[str, str] = os.environ) -> Server | None:
    """The mail server that `environment` names; None without one. Raises `MailSettingError`."""
    url = environment.get(SMTP, "").strip()
    sender = environment.get(SENDER, "").strip() or None
    if not url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port or (465 if parts.scheme == "smtps" else 587)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise MailSettingError(f"{SMTP} is not of the form {SHAPE}.")
    user = unquote(parts.username) if parts.username else None
    return Server(
        host=parts.hostname,
        port=port,
        user=user,
        password=unquote(parts.password) if parts.password else None,
        is_tls_from_start=parts.scheme == "smtps",
        sender=sender or (user if user and "@" in user else None),
    )


def is_address(text: str) -> bool:
    """Whether `text` is one e-mail address, as far as a form can tell."""
    return "@" in text.strip("@") and not re.search(r"[\s,;<>]", text)


def addresses(name: str, text: str) -> tuple[str, ...]:
    """The addresses in `text`, with commas between them; none for nothing and for `none`.

    Raises `MailSettingError`, which quotes no address.
    """
    if text.strip() in ("", NONE):
        return ()
    found = [each.strip() for each in text.split(",") if each.strip()]
    for place, each in enumerate(found, 1):
        if not is_address(each):
            raise MailSettingError(
                f"{name} is no list of e-mail addresses: number {place} of {len(found)} is none; it takes addresses "
                "with commas between them, or none."
            )
    return tuple(dict.fromkeys(found))


def refusal(error: Exception) -> str:
    """What a mail server's error is called: its kind and code, and never its text, which may quote an address."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__}{f' {code}' if code else ''}"
