"""Every part of the settings, and every variable. `script/reference` writes the tables in the documents from this list."""

from reporting.settings.data import Backup, Exports, Mail, Schedules, Sources, Storage, Warehouse
from reporting.settings.part import Part, Variable
from reporting.settings.production import Alerts, Commands, MailServer, Production, SignIn, Webhooks, Within

PARTS: tuple[type[Part], ...] = (
    Warehouse,
    Storage,
    Sources,
    Schedules,
    Mail,
    Exports,
    Backup,
    Production,
    Alerts,
    MailServer,
    SignIn,
    Webhooks,
    Commands,
    Within,
)
VARIABLES: dict[str, Variable] = {name: each for part in PARTS for name, each in part.variables().items()}
