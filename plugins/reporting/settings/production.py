"""The variables for production, alerts, sign-in and commands, each with its description and default."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from pydantic import SecretStr

from reporting.settings.errors import Problem
from reporting.settings.part import ADDRESSES, Part, family, variable
from reporting.settings.values import (
    GUID,
    SWITCHED_OFF,
    Date,
    Emails,
    HttpsOrNone,
    MailServerUrl,
    PrivateAddress,
    Sender,
)

ALERT_EMAIL = "REPORTING_ALERT_EMAIL"
ALERT_WEBHOOK = "REPORTING_ALERT_WEBHOOK"
PING_URL = "REPORTING_PING_URL"
ALERT_SENDER = "REPORTING_ALERT_SENDER"
SMTP_URL = "REPORTING_SMTP_URL"
# The address at which workers on other machines reach this one; without it only this machine itself is served.
INTERNAL_ADDRESS = "REPORTING_INTERNAL_ADDRESS"
ENTRA = ("REPORTING_ENTRA_TENANT_ID", "REPORTING_ENTRA_CLIENT_ID", "REPORTING_ENTRA_CLIENT_SECRET")
# Microsoft does not show this day to an application that may only sign people in, so the owner writes it down.
ENTRA_EXPIRES_ON = "REPORTING_ENTRA_EXPIRES_ON"
DATABASE_URL = "REPORTING_DATABASE_URL"
ADMIN_PASSWORD = "REPORTING_ADMIN_PASSWORD"  # noqa: S105
# The metadata database's address, for the tasks that need it: Airflow hides its own variable from every task.
METADATA_URL = "REPORTING_METADATA_URL"
HTTPS = "an address that begins with `https://`, or none"


class MailServer(Part):
    """The mail server of alerts, and of e-mail where Airflow has no connection `smtp`."""

    TITLE = "Mail server"

    url: MailServerUrl | None = variable(
        SMTP_URL,
        "the mail server; an `smtp://` address is upgraded to TLS with STARTTLS",
        "an address such as `smtps://user:password@host:465` or `smtp://user:password@host:587`",
        is_shown=False,
    )
    sender: Sender | None = variable(
        ALERT_SENDER,
        "the sender of e-mails",
        "an e-mail address, also with a name such as `Reports <reports@example.org>`",
        words="the user of the mail server",
        is_shown=False,
    )


class Alerts(Part):
    """Who gets alerts. `model_fields_set` tells a variable that was set to `none` from one that was not set."""

    TITLE = "Alerts"

    emails: Emails = variable(
        ALERT_EMAIL,
        "who gets alerts by e-mail",
        ADDRESSES,
        (),
        words="production needs one channel, or `none` for each",
        is_shown=False,
    )
    webhook: HttpsOrNone = variable(
        ALERT_WEBHOOK,
        'a webhook that accepts `{"text": …}` as Slack\'s do',
        HTTPS,
        words="production needs one channel, or `none` for each",
        is_shown=False,
    )
    ping_url: HttpsOrNone = variable(
        PING_URL,
        "an address that is called every half hour while runs succeed; the service behind it sends a message when the calls "
        "stop",
        HTTPS,
        words="production needs one, or `none`",
        is_shown=False,
    )

    @classmethod
    def rules(cls, given: Mapping[str, str]) -> Iterator[Problem]:
        """Alerts by e-mail need a mail server."""
        if given.get(ALERT_EMAIL, SWITCHED_OFF) != SWITCHED_OFF and not given.get(SMTP_URL):
            yield Problem(
                SMTP_URL,
                f"is not set, and {ALERT_EMAIL} needs it; it takes {MailServer.variables()[SMTP_URL].plain_takes}",
            )


class Production(Part):
    """What `script/start` needs in addition."""

    TITLE = "Production"

    database_url: SecretStr | None = variable(
        DATABASE_URL,
        "the metadata database. `sslmode` is `require`, `verify-ca` or `verify-full` (the default), or `disable` "
        "on the same machine; `sslrootcert` names a file of certificate authorities to use instead of the system's",
        "`postgresql://user:password@host:5432/airflow?sslmode=verify-full`, special characters percent-encoded",
        words="production needs it",
        is_shown=False,
    )
    admin_password: SecretStr | None = variable(
        ADMIN_PASSWORD,
        "the password of the first `admin`; remove it after the first start",
        "at least 16 characters",
        words="the first start needs it",
        is_shown=False,
    )
    internal_address: PrivateAddress | None = variable(
        INTERNAL_ADDRESS,
        "if workers run on other machines: the address at which they reach the machine that runs `script/start`, at `$PORT`; "
        "requests that come through the front end are still refused there",
        "an address of a private network",
        words="this machine alone",
    )
    metadata_url: SecretStr | None = variable(
        METADATA_URL,
        "the metadata database's address for the clean-up and the history of runs",
        "an address of SQLAlchemy",
        words="`script/server` and `script/start` set it",
        is_shown=False,
    )


class SignIn(Part):
    """Sign-in with Microsoft Entra."""

    TITLE = "Sign-in with Microsoft Entra"

    tenant: str | None = variable(
        ENTRA[0],
        "the id of the tenant; only its people may sign in",
        "an id of the form 00000000-0000-0000-0000-000000000000",
        words="local accounts",
        pattern=GUID,
    )
    client: str | None = variable(
        ENTRA[1],
        "the id of the application that is registered there",
        "an id of the form 00000000-0000-0000-0000-000000000000",
        words="local accounts",
        pattern=GUID,
    )
    secret: SecretStr | None = variable(
        ENTRA[2],
        "a client secret of that application",
        "the value of the secret",
        words="local accounts",
        is_shown=False,
    )
    expires_on: Date | None = variable(
        ENTRA_EXPIRES_ON,
        "the day on which that client secret expires; an alert is sent two weeks before",
        "a date such as 2027-11-30",
        words="no alert is sent",
    )

    @classmethod
    def rules(cls, given: Mapping[str, str]) -> Iterator[Problem]:
        """Either all three variables are set, or none."""
        missing = [name for name in ENTRA if not given.get(name)]
        for name in missing if len(missing) < len(ENTRA) else ():
            yield Problem(
                name, "is not set, though other variables of Microsoft Entra are; set all three or none"
            )


class Webhooks(Part):
    """What tells the events of sources from forged ones."""

    TITLE = "Webhooks"

    secrets: Mapping[str, SecretStr] = family(
        "REPORTING_*_WEBHOOK_SECRET",
        "the key with which a source signs its events, such as the client secret of HubSpot's app; the star stands for the "
        "source. Notion sends its own: `script/connect notion --webhook`",
        "a key",
        is_shown=False,
    )


class Commands(Part):
    """What commands read before an installation is configured."""

    TITLE = "Commands"

    config: Path | None = variable(
        "REPORTING_CONFIG",
        "the file of connections and settings that `script/connect` writes",
        "a path",
        words="`~/.config/personal-reporting/environment`",
    )
    hosts: Mapping[str, str] = family(
        "REPORTING_*_HOST",
        "another server for `script/connect` and `script/google-login`, such as a fake API; the star stands for the source",
        "an address such as `http://127.0.0.1:8001`",
    )


class Within(Part):
    """Variables that one process of the project sets for another. People do not set them."""

    TITLE = "Within the project"

    dbt_target: str | None = variable("REPORTING_DBT_TARGET", "dbt's target", "local or bigquery")
    dbt_method: str | None = variable("REPORTING_DBT_METHOD", "how dbt signs in", "oauth or service-account")
    today: date | None = variable("REPORTING_TODAY", "the day that dbt's tests use as today", "a date")
    package: str | None = variable(
        "REPORTING_PACKAGE", "the package that script/production-check tests", "a path"
    )
    skipped_patches: str | None = variable(
        "REPORTING_SANDBOX_SKIP_PATCHES", "patches of the local BigQuery that their tests leave out", "names"
    )
