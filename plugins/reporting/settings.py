"""Settings from the environment, read when a task runs. Secrets are in connections; one of them opens buckets, too."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reporting.files import is_bucket
from reporting.google_key import GoogleKey, key_of
from reporting.mail.server import MailSettingError, addresses

PREFIX = "REPORTING_"
# As the name of an entity: it is not read.
SWITCHED_OFF = "none"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EXPORT_FORMATS = ("csv", "parquet", "duckdb", "sqlite")
ROOT = Path(__file__).resolve().parents[2]
EMULATOR_HOST = "BIGQUERY_EMULATOR_HOST"
EMULATOR_TOKEN = "BIGQUERY_EMULATOR_TOKEN"  # noqa: S105
# In the state folder, where the local BigQuery keeps its data and its token.
LOCAL_BIGQUERY = "bigquery"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SettingError(ValueError):
    """A setting has a value that cannot be used; the message names the variable and what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of the project. Sizes are in bytes, shares between 0 and 1.

    `state` is the folder for what this installation keeps on its disk. `landing_uri` and `site_uri` are where answers are
    kept and the report is written. The schedules are cron expressions in `timezone` (None: only when triggered).
    `retry_seconds` is the wait before a failed task's first retry; later waits are longer. `settle_seconds` is how long a
    build waits for what else changes in the same round.

    `history_days` is how long runs and their logs are kept, `landing_days` how long landings are (None: for good).

    `backup_uri` is the folder or bucket of the backups (None: there are none), `backup_dataset` the dataset of another
    project (`project.dataset`) that keeps tables as snapshots (None: they are Parquet files in the folder), `backup_days`
    how long every backup is kept before it is one a month.

    `default_region` is the country of telephone numbers that name none, by its two letters. `hubspot_version` is that of
    HubSpot's API: `v3`, or a year and month as in its dated paths. `emulator_host` is the address of a local BigQuery
    (None: the real one), and `emulator_token` what it asks for. `names` says, by raw table, what an entity is called in its
    source where that differs from the default (a name, an id, or `none`), `date_properties` which property dates its rows, and
    `columns` what columns of a sheet are called in it (`date=Datum, amount=Betrag`).

    `first_weekday` is the day with which weeks begin, 0 for Monday. `summary_emails` get the week's summary, `csv_emails`
    the marts; `mail_limit` is how large a letter may be as it travels. `export_uri` is the folder or bucket that marts are
    exported to (None: they are not), `export_format` one of `EXPORT_FORMATS`. `google_key` is the service account's key where
    one of the addresses is a bucket of Google's (None: the machine's own credentials).
    """

    project: str
    location: str
    dataset_prefix: str
    maximum_bytes_billed: int
    landing_uri: str
    site_uri: str
    state: Path
    default_region: str | None
    hubspot_version: str
    timezone: str
    first_weekday: int
    tombstone_share: float
    schedule_changed: str | None
    schedule_full: str | None
    retry_seconds: int
    settle_seconds: int
    history_days: int
    landing_days: int | None
    backup_uri: str | None
    backup_dataset: str | None
    backup_days: int
    emulator_host: str | None
    summary_emails: tuple[str, ...]
    csv_emails: tuple[str, ...]
    mail_limit: int
    export_uri: str | None
    export_format: str
    names: Mapping[str, str] = field(default_factory=dict)
    date_properties: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    google_key: GoogleKey | None = field(default=None, repr=False)
    emulator_token: str | None = field(default=None, repr=False)

    def dataset(self, name: str) -> str:
        """The name of a dataset in this environment."""
        return f"{self.dataset_prefix}{name}"

    def emulator_variables(self) -> dict[str, str]:
        """The environment that leads to the local BigQuery; empty for the real one."""
        given = {EMULATOR_HOST: self.emulator_host, EMULATOR_TOKEN: self.emulator_token}
        return {name: value for name, value in given.items() if self.emulator_host and value}


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that `environment` holds. Raises `SettingError`."""

    def text(name: str, default: str) -> str:
        return environment.get(f"{PREFIX}{name}", "").strip() or default

    def number[T: (int, float)](name: str, default: T, least: T, most: T | None = None) -> T:
        given = text(name, str(default))
        try:
            value = type(default)(given)
        except ValueError:
            value = least - 1
        # Not the negation of its parts: a comparison with NaN is never true.
        if not (least <= value and (most is None or value <= most)):
            bounds = f"of at least {least}" if most is None else f"between {least} and {most}"
            raise SettingError(
                f"{PREFIX}{name} is '{given}'; it takes a number {bounds} (default {default})."
            )
        return value

    def schedule(name: str, default: str) -> str | None:
        given = text(f"SCHEDULE_{name}", default)
        if given == "none":
            return None
        if len(given.split()) != 5:
            raise SettingError(
                f"{PREFIX}SCHEDULE_{name} is '{given}'; it takes a cron expression of five fields (default {default}), "
                "or none."
            )
        return given

    def emails(name: str) -> tuple[str, ...]:
        try:
            return addresses(f"{PREFIX}{name}", text(name, ""))
        except MailSettingError as error:
            raise SettingError(str(error)) from None

    def choice(name: str, choices: tuple[str, ...], default: str) -> str:
        given = text(name, default).lower()
        if given not in choices:
            raise SettingError(
                f"{PREFIX}{name} is '{given}'; it takes one of {', '.join(choices)} (default {default})."
            )
        return given

    timezone = text("TIMEZONE", "UTC")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingError(
            f"{PREFIX}TIMEZONE is '{timezone}'; it takes the name of a time zone such as Europe/Berlin."
        ) from None
    hubspot_version = text("HUBSPOT_VERSION", "2026-09")
    if not re.fullmatch(r"v3|\d{4}-\d{2}", hubspot_version):
        raise SettingError(
            f"{PREFIX}HUBSPOT_VERSION is '{hubspot_version}'; it takes v3, or a year and month such as 2026-09."
        )
    default_region = text("DEFAULT_REGION", "").upper() or None
    if default_region and not re.fullmatch("[A-Z]{2}", default_region):
        raise SettingError(
            f"{PREFIX}DEFAULT_REGION is '{default_region}'; it takes the two letters of a country, such as DE."
        )
    project = text("BIGQUERY_PROJECT", "local")
    backup_dataset = text("BACKUP_DATASET", "") or None
    if backup_dataset and not re.fullmatch(r"[a-z][a-z0-9:.-]{4,28}[a-z0-9]\.[A-Za-z0-9_]+", backup_dataset):
        raise SettingError(
            f"{PREFIX}BACKUP_DATASET is '{backup_dataset}'; it takes a dataset of another project, such as "
            "my-backups.reporting."
        )
    if backup_dataset and backup_dataset.rpartition(".")[0] == project:
        raise SettingError(
            f"{PREFIX}BACKUP_DATASET is '{backup_dataset}', which is in the project that it is to protect; it takes a "
            "dataset of another one."
        )
    if backup_dataset and not text("BACKUP_URI", ""):
        raise SettingError(
            f"{PREFIX}BACKUP_DATASET is set and {PREFIX}BACKUP_URI is not; the lists of what is kept need a folder or "
            "bucket."
        )
    state = Path(text("STATE", str(ROOT / "var" / "local")))
    emulator_host = environment.get(EMULATOR_HOST) or None
    landing_uri = text("LANDING_URI", str(state / "landing"))
    site_uri = text("SITE_URI", str(state / "site"))
    backup_uri, export_uri = text("BACKUP_URI", "").rstrip("/"), text("EXPORT_URI", "")
    try:
        has_bucket = any(map(is_bucket, (landing_uri, site_uri, backup_uri, export_uri)))
        google_key = key_of(environment) if has_bucket else None
    except ValueError as error:
        raise SettingError(str(error)) from None
    return Settings(
        project=project,
        location=text("BIGQUERY_LOCATION", "US"),
        dataset_prefix=text("DATASET_PREFIX", ""),
        maximum_bytes_billed=number("MAXIMUM_BYTES_BILLED", 10 * 2**30, 10 * 2**20),
        landing_uri=landing_uri,
        site_uri=site_uri,
        state=state,
        default_region=default_region,
        hubspot_version=hubspot_version,
        timezone=timezone,
        first_weekday=WEEKDAYS.index(choice("FIRST_WEEKDAY", WEEKDAYS, "monday")),
        tombstone_share=number("TOMBSTONE_SHARE", 0.2, 0.0, 1.0),
        schedule_changed=schedule("CHANGED", "7 * * * *"),
        schedule_full=schedule("FULL", "17 3 * * *"),
        retry_seconds=number("RETRY_SECONDS", 300, 1, 3600),
        settle_seconds=number("SETTLE_SECONDS", 120, 0, 3600),
        history_days=number("HISTORY_DAYS", 60, 7),
        landing_days=None if text("LANDING_DAYS", "") == "none" else number("LANDING_DAYS", 180, 30),
        backup_uri=backup_uri or None,
        backup_dataset=backup_dataset,
        backup_days=number("BACKUP_DAYS", 30, 1),
        emulator_host=emulator_host,
        summary_emails=emails("SUMMARY_EMAIL"),
        csv_emails=emails("CSV_EMAIL"),
        mail_limit=number("MAIL_MEGABYTES", 20, 1, 150) * 10**6,
        export_uri=export_uri or None,
        export_format=choice("EXPORT_FORMAT", EXPORT_FORMATS, "parquet"),
        names=_per_table(environment, "NAME_"),
        date_properties=_per_table(environment, "DATE_PROPERTY_"),
        columns=_per_table(environment, "COLUMNS_"),
        google_key=google_key,
        emulator_token=_emulator_token(environment, state) if emulator_host else None,
    )


def _emulator_token(environment: Mapping[str, str], state: Path) -> str | None:
    """The token of the environment, or else of the local BigQuery in the state folder; None when there is neither.

    The one in the folder is of a server on this machine, and is not for any other.
    """
    if given := environment.get(EMULATOR_TOKEN):
        return given
    try:
        host = urlsplit(environment.get(EMULATOR_HOST, "")).hostname
    except ValueError:
        raise SettingError(
            f"{EMULATOR_HOST} is no address; it takes one such as http://127.0.0.1:9050."
        ) from None
    if host not in LOOPBACK:
        return None
    path = state / LOCAL_BIGQUERY / "token"
    try:
        return path.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise SettingError(
            f"{path}, the token of the local BigQuery, cannot be read. Delete it, and start the local BigQuery again: it "
            "makes another."
        ) from None


def _per_table(environment: Mapping[str, str], kind: str) -> dict[str, str]:
    start = f"{PREFIX}{kind}"
    return {
        name.removeprefix(start).lower(): value.strip()
        for name, value in environment.items()
        if name.startswith(start) and value.strip()
    }
