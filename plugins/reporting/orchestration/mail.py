"""The tasks that send e-mails, with Airflow's SMTP provider and its connection `smtp`.

Without that connection they use the mail server of alerts (`REPORTING_SMTP_URL`), so that one setting is enough.
"""

import json
import os
import smtplib
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk import Connection, get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from reporting.exports.export import export, make_request
from reporting.exports.marts import MARTS
from reporting.mail import rendering, summary
from reporting.mail.attachments import TooLargeError, attachments
from reporting.mail.emails import Email
from reporting.mail.sending import AlreadySentError, Delivery, RefusedError, SendError, send_once
from reporting.mail.server import TIMEOUT_SECONDS, Server, read_server
from reporting.mail.week import week_before
from reporting.orchestration import connections
from reporting.orchestration.exports import log_progress
from reporting.settings import LOOPBACK, MailServer, Settings, read, read_settings

SMTP = "smtp"


class MailHook(SmtpHook):
    """The provider's hook, changed to send complete messages."""

    def __init__(self) -> None:
        super().__init__(smtp_conn_id=SMTP)

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """The connection `smtp`, or one to the mail server of alerts. Raises `AirflowFailException` if there is neither."""
        found = connections.find(conn_id)
        if found is not None:
            return found
        server = read_server()
        if server is None:
            raise AirflowFailException(
                "there is no mail server to send the e-mail with. Set REPORTING_SMTP_URL, or create the Airflow connection "
                "'smtp'."
            )
        return _connection(server)

    def sender(self, otherwise: str) -> str:
        """The sender's address: the connection's `from_email`, the setting, the connection's user, or `otherwise`."""
        connection = self.get_connection(self.smtp_conn_id)
        named: str | None = connection.extra_dejson.get("from_email")
        user = connection.login if connection.login and "@" in connection.login else None
        return named or read(MailServer).sender or user or otherwise

    # A connection that already uses TLS must not use STARTTLS, which is the provider's default.
    @property
    def smtp_starttls(self) -> bool:
        """Whether to upgrade an unencrypted connection with STARTTLS."""
        return not self.use_ssl and bool(super().smtp_starttls)

    def send(self, mail: EmailMessage) -> Mapping[str, Any]:
        """Send `mail`, and return the receivers that the server refused. Raises the errors of smtplib, and OSError."""
        self.smtp_connection = self.get_connection(self.smtp_conn_id)
        if self.smtp_password and not (self.use_ssl or self.smtp_starttls) and self.host not in LOOPBACK:
            raise AirflowFailException(
                "the connection 'smtp' would send its password unencrypted. Leave TLS or STARTTLS switched on."
            )
        # The provider's own method retries after every error, even if the server had accepted the message.
        with self:
            client = self._smtp_client
            if not isinstance(client, smtplib.SMTP):
                raise AirflowException(
                    "the SMTP provider did not connect to the mail server; the lines above say why."
                )
            refused = client.send_message(mail)
            with suppress(smtplib.SMTPException, OSError):
                client.quit()
            return refused


def _connection(server: Server) -> Connection:
    extra = {
        "disable_ssl": not server.is_tls_from_start,
        "disable_tls": server.host in LOOPBACK,
        "timeout": int(TIMEOUT_SECONDS),
        "from_email": server.sender,
    }
    return Connection(
        conn_id=SMTP,
        conn_type="smtp",
        host=server.host,
        port=server.port,
        login=server.user,
        password=server.password,
        extra=json.dumps({name: value for name, value in extra.items() if value is not None}),
    )


def send_summary() -> int:
    """Send the summary of last week to `REPORTING_SUMMARY_EMAIL`, and return the e-mail's size in bytes.

    It is sent once per week, even if several runs ask for it; with the parameter `again`, once more for this run.
    """
    settings = read_settings()
    if not settings.summary_emails:
        raise AirflowSkipException("REPORTING_SUMMARY_EMAIL is not set, so nobody gets the summary.")
    now = datetime.now(UTC)
    week = week_before(now, settings.timezone, settings.first_weekday)
    key = f"summary/{week.first_on}"
    context = get_current_context()
    if context["params"].get("again"):
        key += f"/{context['dag_run'].run_id}"
    client = connections.warehouse(settings)

    def write() -> Email:
        found = summary.read(client, settings, week, now)
        return rendering.email(found, os.environ.get("AIRFLOW__API__BASE_URL"))

    return _send(client, settings, key, settings.summary_emails, write)


def send_csv() -> int:
    """Send every mart but the records of runs and tables as CSV to `REPORTING_CSV_EMAIL`, and return the e-mail's size in bytes.

    It is sent once per day by schedule, and once per run that was started by hand.
    """
    settings = read_settings()
    if not settings.csv_emails:
        raise AirflowSkipException("REPORTING_CSV_EMAIL is not set, so nobody gets the marts.")
    run = get_current_context()["dag_run"]
    today = datetime.now(UTC).astimezone(ZoneInfo(settings.timezone)).date()
    key = f"full_csv/{today}" if str(run.run_type) == "scheduled" else f"full_csv/{run.run_id}"
    client = connections.warehouse(settings)

    def write() -> Email:
        names = [mart.name for mart in MARTS if mart.is_mailed]
        request = make_request("csv", names, None, None, settings.timezone)
        with tempfile.TemporaryDirectory(prefix="csv-") as folder:
            target = Path(folder) / "marts"
            manifest = export(client, settings, request, target, log_progress)
            files = attachments([target / name for name in manifest["files"]], settings.mail_limit)
        counts = [f"{name}: {each['row_count']:,} rows" for name, each in manifest["marts"].items()]
        text = "\n".join(
            [
                f"The marts as of {today}, in UTF-8 with commas.",
                "",
                *counts,
                "",
                "Text that a spreadsheet would run as a formula begins with an apostrophe.",
            ]
        )
        return Email(f"Marts of {today}: {len(counts)} tables", f"{text}\n", attachments=files)

    return _send(client, settings, key, settings.csv_emails, write)


def _send(
    client: Any, settings: Settings, key: str, receivers: tuple[str, ...], write: Callable[[], Email]
) -> int:
    context = get_current_context()
    dag_run = context["dag_run"]
    hook = MailHook()
    delivery = Delivery(key, f"{dag_run.dag_id}/{dag_run.run_id}", hook.sender(receivers[0]), receivers)
    try:
        return send_once(client, settings, delivery, write, hook.send)
    except AlreadySentError as error:
        raise AirflowSkipException(str(error)) from None
    except summary.NothingBuiltError as error:
        raise AirflowSkipException(str(error)) from None
    except (RefusedError, TooLargeError) as error:
        # A retry would fail in the same way.
        raise AirflowFailException(str(error)) from None
    except SendError as error:
        raise AirflowException(str(error)) from None
