"""Sends alerts by e-mail and by webhook, and pings an outside service that sends an alert itself when the pings stop.

The webhook's body: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

No error of this module quotes an address, since the addresses of webhooks and pings are secrets.
"""

import html
import os
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol

from reporting.mail.server import TIMEOUT_SECONDS, Server, read_server, refusal
from reporting.settings import ALERT_EMAIL, ALERT_SENDER, ALERT_WEBHOOK, PING_URL, SMTP_URL, Alerts, read

# The variables that configure the channels. Their order must not change: production keeps a digest of their values to know
# which configuration it has tested.
VARIABLES = (ALERT_EMAIL, ALERT_SENDER, SMTP_URL, ALERT_WEBHOOK, PING_URL)


class AlertError(Exception):
    """A channel did not take a message. The text says which channel, and why."""


@dataclass(frozen=True, slots=True)
class Message:
    """An alert: a subject of one line, and a text.

    Half a surrogate pair, which an error may quote, cannot be encoded and sent, so it is replaced by its code.
    """

    subject: str
    text: str

    def __post_init__(self) -> None:
        for name in ("subject", "text"):
            sendable = str(getattr(self, name)).encode(errors="backslashreplace").decode()
            object.__setattr__(self, name, sendable)


class Channel(Protocol):
    """A way to send alerts."""

    @property
    def name(self) -> str:
        """What it is called in a sentence."""

    def send(self, message: Message) -> None:
        """Send it. Raises `AlertError`."""


@dataclass(frozen=True, slots=True)
class Email:
    """Alerts by e-mail: a mail server and the receivers."""

    receivers: tuple[str, ...]
    server: Server

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return "e-mail"

    def send(self, message: Message) -> None:
        """Hand the message to the mail server. Raises `AlertError`."""
        mail = EmailMessage()
        mail["From"], mail["To"] = self.server.sender or self.receivers[0], ", ".join(self.receivers)
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
    """Alerts by a webhook that takes the same requests as Slack's incoming webhooks."""

    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return "webhook"

    def send(self, message: Message) -> None:
        """Post the message. Raises `AlertError`."""
        # Escaped, because Slack would read <!channel> in a name as a command to notify everybody.
        # https://docs.slack.dev/messaging/formatting-message-text#escaping
        subject, text = (html.escape(each, quote=False) for each in (message.subject, message.text))
        _request("the webhook", self.url, {"text": f"*{subject}*\n{text}"})


@dataclass(frozen=True, slots=True)
class Channels:
    """All configured channels.

    `ping_url` is None if there is none. `missing` names the variables that are neither set nor declined with `none`.
    """

    ways: tuple[Channel, ...]
    ping_url: str | None = field(repr=False)
    missing: tuple[str, ...]

    def ping(self) -> bool:
        """Ping the outside service. False if no address is configured. Raises `AlertError`."""
        if self.ping_url is None:
            return False
        _request("the ping", self.ping_url)
        return True

    def send(self, message: Message) -> list[AlertError]:
        """Send through every channel, and return the errors of those that failed."""
        errors = []
        for way in self.ways:
            try:
                way.send(message)
            except AlertError as error:
                errors.append(error)
            except Exception as error:  # noqa: BLE001  # no error of one channel may stop the others
                errors.append(AlertError(f"{way.name} failed: {type(error).__name__}"))
        return errors


def read_channels(environment: Mapping[str, str] = os.environ) -> Channels:
    """The channels that `environment` configures. Raises `SettingError`."""
    given = read(Alerts, environment)
    ways: list[Channel] = []
    if given.emails and (server := read_server(environment)):
        ways.append(Email(given.emails, server))
    if given.webhook:
        ways.append(Webhook(given.webhook.get_secret_value()))
    # A variable that is set to `none` counts as decided.
    decided = given.model_fields_set
    missing = (
        []
        if ways
        else [
            name
            for name, field in ((ALERT_EMAIL, "emails"), (ALERT_WEBHOOK, "webhook"))
            if field not in decided
        ]
    )
    if "ping_url" not in decided:
        missing.append(PING_URL)
    ping_url = given.ping_url.get_secret_value() if given.ping_url else None
    return Channels(tuple(ways), ping_url, tuple(missing))


def _request(what: str, url: str, body: Mapping[str, str] | None = None) -> None:
    # Imported here, because most processes only read the settings and never send an alert.
    import httpx

    try:
        # What is said beside the status is not read, however long it is.
        with httpx.stream(
            "GET" if body is None else "POST", url, json=body, timeout=TIMEOUT_SECONDS, follow_redirects=False
        ) as answer:
            if answer.is_success:
                return
            reason = f"status {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = type(error).__name__
    # Outside the handler: the error would bring the address along.
    raise AlertError(f"{what} failed: {reason}")
