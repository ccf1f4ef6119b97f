"""The project's settings, which come from environment variables. Secrets of sources are in Airflow's connections instead.

errors.py      the error that lists everything wrong at once
values.py      checks and conversions of single values
part.py        the base class of a part: variables that are validated together
data.py        the variables for sources, schedules, storage, e-mail, exports and backups
production.py  the variables for production, alerts, sign-in and commands
model.py       every part and every variable
reading.py     reads and validates an environment
reference.py   writes the tables in the documents, and `.env.example`
"""

from reporting.settings.data import EMULATOR_HOST, EMULATOR_TOKEN
from reporting.settings.errors import Problem, SettingError
from reporting.settings.model import VARIABLES
from reporting.settings.part import PREFIX, ROOT
from reporting.settings.production import (
    ADMIN_PASSWORD,
    ALERT_EMAIL,
    ALERT_SENDER,
    ALERT_WEBHOOK,
    DATABASE_URL,
    ENTRA,
    ENTRA_EXPIRES_ON,
    INTERNAL_ADDRESS,
    METADATA_URL,
    PING_URL,
    SMTP_URL,
    Alerts,
    Commands,
    MailServer,
    Production,
    SignIn,
    Webhooks,
)
from reporting.settings.reading import LOCAL_BIGQUERY, Settings, problems, read, read_settings, unknown
from reporting.settings.values import (
    BUCKET_SCHEMES,
    EXPORT_FORMATS,
    LOOPBACK,
    SWITCHED_OFF,
    WEEKDAYS,
    is_address,
    is_bucket,
    is_timezone,
)

__all__ = [
    "ADMIN_PASSWORD",
    "ALERT_EMAIL",
    "ALERT_SENDER",
    "ALERT_WEBHOOK",
    "BUCKET_SCHEMES",
    "DATABASE_URL",
    "EMULATOR_HOST",
    "EMULATOR_TOKEN",
    "ENTRA",
    "ENTRA_EXPIRES_ON",
    "EXPORT_FORMATS",
    "INTERNAL_ADDRESS",
    "LOCAL_BIGQUERY",
    "LOOPBACK",
    "METADATA_URL",
    "PING_URL",
    "PREFIX",
    "ROOT",
    "SMTP_URL",
    "SWITCHED_OFF",
    "VARIABLES",
    "WEEKDAYS",
    "Alerts",
    "Commands",
    "MailServer",
    "Problem",
    "Production",
    "SettingError",
    "Settings",
    "SignIn",
    "Webhooks",
    "is_address",
    "is_bucket",
    "is_timezone",
    "problems",
    "read",
    "read_settings",
    "unknown",
]
