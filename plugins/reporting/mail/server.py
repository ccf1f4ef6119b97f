"""The mail server that the environment names, and descriptions of its errors."""

import os
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from reporting.settings import LOOPBACK, MailServer, read

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server. `sender` is the address that e-mails come from; None if neither the setting nor the user gives one."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    is_tls_from_start: bool
    sender: str | None

    def send(self, mail: EmailMessage) -> None:
        """Send `mail`. Raises the errors of smtplib, and OSError.

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
        # A password is never sent unencrypted to another machine.
        if self.host not in LOOPBACK:
            server.starttls(context=context)
        return server


def read_server(environment: Mapping[str, str] = os.environ) -> Server | None:
    """The mail server that `environment` names; None if it names none. Raises `SettingError`."""
    given = read(MailServer, environment)
    if given.url is None:
        return None
    parts = urlsplit(given.url.get_secret_value())
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Server(
        host=parts.hostname or "",
        port=parts.port or (465 if parts.scheme == "smtps" else 587),
        user=user,
        password=password,
        is_tls_from_start=parts.scheme == "smtps",
        sender=given.sender or (user if user and "@" in user else None),
    )


def refusal(error: Exception) -> str:
    """The type and code of a mail server's error, without its text, which may quote an address."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__}{f' {code}' if code else ''}"
