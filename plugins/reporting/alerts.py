"""Tells a person what is wrong: by e-mail, by a webhook, and by a ping whose absence somebody else notices.

| Variable                  | What it is                                                               |
|---------------------------|--------------------------------------------------------------------------|
| `REPORTING_ALERT_EMAIL`   | who gets the messages, or `none`; by the mail server of `mail/server.py` |
| `REPORTING_ALERT_WEBHOOK` | an address that takes `{"text": …}` as Slack's does, or `none`           |
| `REPORTING_PING_URL`      | an address that is asked every half hour while runs succeed, or `none`   |

The webhook's body: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

No error of this module quotes an address: addresses of webhooks and pings are secrets.
"""

import os
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import urlsplit

from reporting.mail.server import (
    LOOPBACK,
    NONE,
    SENDER,
    SHAPE,
    SMTP,
    TIMEOUT_SECONDS,
    MailSettingError,
    Server,
    read_server,
    refusal,
)

EMAIL = "REPORTING_ALERT_EMAIL"
WEBHOOK = "REPORTING_ALERT_WEBHOOK"
PING = "REPORTING_PING_URL"
# What decides about a channel.
VARIABLES = (EMAIL, SENDER, SMTP, WEBHOOK, PING)


class AlertError(Exception):
    """A message did not get through; says which channel, and why."""


class AlertSettingError(ValueError):
    """A variable of a channel cannot be used; begins with its name."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a person is told: one line, and what belongs to it."""

    subject: str
    text: str


class Channel(Protocol):
    """A way to a person."""

    @property
    def name(self) -> str:
        """What it is called in a sentence."""

    def send(self, message: Message) -> None:
        """Send it. Raises `AlertError`."""


@dataclass(frozen=True, slots=True)
class Email:
    """A mail server and who gets its mail."""

    receiver: str
    server: Server

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return "e-mail"

    def send(self, message: Message) -> None:
        """Hand the message to the mail server. Raises `AlertError`."""
        mail = EmailMessage()
        mail["From"], mail["To"] = self.server.sender or self.receiver, self.receiver
        mail["Subject"] = " ".join(message.subject.split())
        mail.set_content(message.text)
        try:
            self.server.send(mail)
        except (smtplib.SMTPException, OSError) as error:
            raise AlertError(
                f"e-mail by {self.server.host}:{self.server.port} failed: {refusal(error)}"
            ) from None


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that takes what Slack's incoming webhooks take."""

    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return "webhook"

    def send(self, message: Message) -> None:
        """Post the message. Raises `AlertError`."""
        _request("the webhook", self.url, {"text": f"*{message.subject}*\n{message.text}"})


@dataclass(frozen=True, slots=True)
class Channels:
    """Every way that is configured. `ping_url` is None without one; `missing` names what nobody decided about."""

    ways: tuple[Channel, ...]
    ping_url: str | None = field(repr=False)
    missing: tuple[str, ...]

    def ping(self) -> bool:
        """Say that all is well; False without an address. Raises `AlertError`."""
        if self.ping_url is None:
            return False
        _request("the ping", self.ping_url)
        return True

    def send(self, message: Message) -> list[AlertError]:
        """Send by every way, and return what did not get through."""
        errors = []
        for way in self.ways:
            try:
                way.send(message)
            except AlertError as error:
                errors.append(error)
        return errors


def read_channels(environment: Mapping[str, str] = os.environ) -> Channels:
    """What `environment` configures. Raises `AlertSettingError`."""
    given = {name: environment.get(name, "").strip() for name in VARIABLES}
    ways: list[Channel] = []
    if given[EMAIL] not in ("", NONE):
        ways.append(_email(given))
    if given[WEBHOOK] not in ("", NONE):
        ways.append(Webhook(_https(WEBHOOK, given[WEBHOOK])))
    ping_url = _https(PING, given[PING]) if given[PING] not in ("", NONE) else None
    missing = [] if ways else [name for name in (EMAIL, WEBHOOK) if given[name] != NONE]
    if not given[PING]:
        missing.append(PING)
    return Channels(tuple(ways), ping_url, tuple(missing))


def _email(given: Mapping[str, str]) -> Email:
    if "@" not in given[EMAIL] or any(each.isspace() for each in given[EMAIL]):
        raise AlertSettingError(f"{EMAIL} is no e-mail address; it takes one, or none.")
    try:
        server = read_server(given)
    except MailSettingError as error:
        raise AlertSettingError(str(error)) from None
    if server is None:
        raise AlertSettingError(f"{SMTP} is not set, and {EMAIL} needs it: {SHAPE}.")
    return Email(given[EMAIL], server)


def _https(name: str, value: str) -> str:
    try:
        parts = urlsplit(value)
        is_usable = bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        )
    except ValueError:
        is_usable = False
    if not is_usable:
        # Not the address itself, which is a secret.
        raise AlertSettingError(f"{name} is no address that begins with https://; it takes one, or none.")
    return value


def _request(what: str, url: str, body: Mapping[str, str] | None = None) -> None:
    # Only what sends needs it, and whoever reads the settings need not wait for it.
    import httpx

    try:
        answer = httpx.request(
            "GET" if body is None else "POST", url, json=body, timeout=TIMEOUT_SECONDS, follow_redirects=False
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = type(error).__name__
    else:
        if answer.is_success:
            return
        reason = f"status {answer.status_code}"
    # Outside the handler: the error would bring the address along.
    raise AlertError(f"{what} failed: {reason}")
