"""The letters that tasks send: by the SMTP provider, through the connection `smtp`.

Without that connection it is the mail server of the alerts (`REPORTING_SMTP_URL`), so that one setting is enough.
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
from reporting.mail.letters import Letter
from reporting.mail.sending import AlreadySentError, Errand, RefusedError, SendError, send_once
from reporting.mail.server import LOOPBACK, SENDER, TIMEOUT_SECONDS, Server, read_server
from reporting.orchestration import connections
from reporting.orchestration.exports import log_progress
from reporting.settings import Settings, read_settings

SMTP = "smtp"


class MailHook(SmtpHook):
    """The provider's hook, for messages that are made already."""

    def __init__(self) -> None:
        super().__init__(smtp_conn_id=SMTP)

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """The connection `smtp`, or one to the mail server of the alerts. Raises `AirflowFailException` without either."""
        found = connections.find(conn_id)
        if found is not None:
            return found
        server = read_server()
        if server is None:
            raise AirflowFailException(
                "somebody is to get letters, and there is no mail server: set REPORTING_SMTP_URL, or make the Airflow "
                "connection 'smtp'."
            )
        return _connection(server)

    def sender(self, otherwise: str) -> str:
        """Who sends by the connection: its `from_email`, the setting, its user, or `otherwise`."""
        connection = self.get_connection(self.smtp_conn_id)
        named: str | None = connection.extra_dejson.get("from_email")
        user = connection.login if connection.login and "@" in connection.login else None
        return named or os.environ.get(SENDER, "").strip() or user or otherwise

    # Inside TLS there is no STARTTLS, which the provider would try with a connection that says nothing about it.
    @property
    def smtp_starttls(self) -> bool:
        """Whether an unencrypted connection turns to TLS."""
        return not self.use_ssl and bool(super().smtp_starttls)

    def send(self, mail: EmailMessage) -> Mapping[str, Any]:
        """Hand `mail` over, and return the receivers that were refused. Raises the errors of smtplib, and OSError."""
        self.smtp_connection = self.get_connection(self.smtp_conn_id)
        if self.smtp_password and not (self.use_ssl or self.smtp_starttls) and self.host not in LOOPBACK:
            raise AirflowFailException(
                "the connection 'smtp' would send its password in clear. Leave TLS or STARTTLS switched on."
            )
        # The provider would send again whatever the error was, also after the server had taken it.
        with self:
            client = self._smtp_client
            if not isinstance(client, smtplib.SMTP):
                raise AirflowException("the SMTP provider gave no connection to the mail server.")
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
    """Send the week that is over to `REPORTING_SUMMARY_EMAIL`, and return the letter's size in bytes.

    Once a week, whoever asks; with the param `again` once more for this run.
    """
    settings = read_settings()
    if not settings.summary_emails:
        raise AirflowSkipException("REPORTING_SUMMARY_EMAIL is not set, so nobody gets the summary.")
    now = datetime.now(UTC)
    week = summary.week_before(now, settings.timezone, settings.first_weekday)
    key = f"summary/{week.first_on}"
    context = get_current_context()
    if context["params"].get("again"):
        key += f"/{context['dag_run'].run_id}"
    client = connections.warehouse(settings)

    def write() -> Letter:
        found = summary.read(client, settings, week, now)
        return rendering.letter(found, os.environ.get("AIRFLOW__API__BASE_URL"))

    return _send(client, settings, key, settings.summary_emails, write)


def send_csv() -> int:
    """Send every mart but the records of runs and tables as CSV to `REPORTING_CSV_EMAIL`, and return the letter's size in bytes.

    Once a day by schedule, and once for each run that somebody asks for.
    """
    settings = read_settings()
    if not settings.csv_emails:
        raise AirflowSkipException("REPORTING_CSV_EMAIL is not set, so nobody gets the marts.")
    run = get_current_context()["dag_run"]
    today = datetime.now(UTC).astimezone(ZoneInfo(settings.timezone)).date()
    key = f"full_csv/{today}" if str(run.run_type) == "scheduled" else f"full_csv/{run.run_id}"
    client = connections.warehouse(settings)

    def write() -> Letter:
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
                "Text that a spreadsheet would take for a formula has an apostrophe in front.",
            ]
        )
        return Letter(f"Marts of {today}: {len(counts)} tables", f"{text}\n", attachments=files)

    return _send(client, settings, key, settings.csv_emails, write)


def _send(
    client: Any, settings: Settings, key: str, receivers: tuple[str, ...], write: Callable[[], Letter]
) -> int:
    context = get_current_context()
    dag_run = context["dag_run"]
    hook = MailHook()
    errand = Errand(key, f"{dag_run.dag_id}/{dag_run.run_id}", hook.sender(receivers[0]), receivers)
    try:
        return send_once(client, settings, errand, write, hook.send)
    except AlreadySentError as error:
        raise AirflowSkipException(str(error)) from None
    except summary.NothingBuiltError as error:
        raise AirflowSkipException(str(error)) from None
    except (RefusedError, TooLargeError) as error:
        # Trying again makes it no better.
        raise AirflowFailException(str(error)) from None
    except SendError as error:
        raise AirflowException(str(error)) from None
