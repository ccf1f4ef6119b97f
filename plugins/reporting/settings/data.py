"""The variables for sources, schedules, storage, e-mail, exports and backups, each with its description, default and bounds.

Each part is validated by itself: a wrong value in `Mail` does not stop a task that only reads a source.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import SecretStr

from reporting.settings.errors import Problem
from reporting.settings.part import ADDRESSES, ROOT, Part, family, number, variable
from reporting.settings.values import (
    EXPORT_FORMATS,
    WEEKDAYS,
    Address,
    CronOrNone,
    Emails,
    Folder,
    IntOrNone,
    LowerCase,
    TimeZone,
    UpperCase,
    Weekday,
)

EMULATOR_HOST = "BIGQUERY_EMULATOR_HOST"
EMULATOR_TOKEN = "BIGQUERY_EMULATOR_TOKEN"  # noqa: S105
BIGQUERY_PROJECT = "REPORTING_BIGQUERY_PROJECT"
BACKUP_URI = "REPORTING_BACKUP_URI"
BACKUP_DATASET = "REPORTING_BACKUP_DATASET"
EXPORT_URI = "REPORTING_EXPORT_URI"


class Storage(Part):
    """Where an installation keeps its data, and for how long."""

    TITLE = "Storage"

    state: Path = variable(
        "REPORTING_STATE",
        "the state folder, in which this installation keeps databases, logs and keys",
        "a folder",
        ROOT / "var" / "local",
        words="`var/local`, in production `var/production`",
    )
    landing_uri: str = variable(
        "REPORTING_LANDING_URI",
        "where the answers of sources are kept",
        "a folder, or a bucket such as `gs://my-landing`",
        words="`landing` in the state folder",
        default_factory=lambda found: str(found["state"] / "landing"),
    )
    site_uri: str = variable(
        "REPORTING_SITE_URI",
        "where the report is written",
        "a folder, or a bucket such as `gs://my-report`",
        words="`site` in the state folder",
        default_factory=lambda found: str(found["state"] / "site"),
    )
    landing_days: IntOrNone = number(
        "REPORTING_LANDING_DAYS",
        "how many days landings are kept, or `none` to keep them all; the newest of each entity always stays",
        180,
        30,
        36500,
        is_optional=True,
    )
    history_days: int = number(
        "REPORTING_HISTORY_DAYS", "how many days Airflow's runs and their logs are kept", 60, 7, 36500
    )
    dbt: Path = variable(
        "REPORTING_DBT",
        "the dbt executable that builds the marts",
        "a path",
        ROOT / ".venv" / "dbt" / "bin" / "dbt",
        words="`.venv/dbt/bin/dbt`",
    )


class Warehouse(Part):
    """Where BigQuery is."""

    TITLE = "Warehouse"

    project: str = variable(
        BIGQUERY_PROJECT,
        "the Google project of the warehouse",
        "the id of a project",
        "local",
        text="",
        words="a local BigQuery",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9:._-]*$",
    )
    location: str = variable(
        "REPORTING_BIGQUERY_LOCATION",
        "the location of the datasets, which cannot change later",
        "a location of BigQuery such as EU or europe-west3",
        "US",
        pattern="^[A-Za-z0-9-]+$",
    )
    dataset_prefix: str = variable(
        "REPORTING_DATASET_PREFIX",
        "a prefix for the name of every dataset",
        "letters, digits and underscores",
        "",
        pattern="^[A-Za-z0-9_]{0,100}$",
    )
    maximum_bytes_billed: int = number(
        "REPORTING_MAXIMUM_BYTES_BILLED",
        "the most bytes that one query may be billed for; the default is 10 GiB",
        10 * 2**30,
        10 * 2**20,
        10**15,
    )
    emulator_host: Address | None = variable(
        EMULATOR_HOST,
        "the address of a local BigQuery that already runs",
        "an address such as `http://127.0.0.1:9050`",
        words="one is started where no project is set",
    )
    emulator_secret: SecretStr | None = variable(
        EMULATOR_TOKEN,
        "the token of a local BigQuery that already runs, which is in the file `token` of its folder",
        "a token",
        words="what is in `bigquery/token` of the state folder",
        is_shown=False,
    )


class Sources(Part):
    """Which entities are read, and what they are called in their sources."""

    TITLE = "Sources"

    names: Mapping[str, str] = family(
        "REPORTING_NAME_*",
        "what an entity is called in its source, where that differs from the default; the star stands for its raw table",
        "a name, an id or a link; `none` switches the entity off",
    )
    date_properties: Mapping[str, str] = family(
        "REPORTING_DATE_PROPERTY_*",
        "the property of a Notion database that dates a row, where it has several; the star stands for its raw table",
        "the name of a property",
    )
    columns: Mapping[str, str] = family(
        "REPORTING_COLUMNS_*",
        "what the columns of a table are called in a sheet; the star stands for its raw table",
        "pairs such as `date=Datum, amount=Betrag`",
    )
    hubspot_version: str = variable(
        "REPORTING_HUBSPOT_VERSION",
        "the version of HubSpot's API",
        "v3, or a year and month such as 2026-09",
        "2026-09",
        pattern="^(v3|[0-9]{4}-[0-9]{2})$",
    )
    default_region: Annotated[str | None, UpperCase] = variable(
        "REPORTING_DEFAULT_REGION",
        "the country of telephone numbers without a country code; after a change the next full refresh converts them again",
        "the two letters of a country, such as DE",
        words="none: such numbers have no E.164 form",
        pattern="^[A-Z]{2}$",
    )


class Schedules(Part):
    """When sources are read and marts are built."""

    TITLE = "Schedules and refreshes"

    timezone: TimeZone = variable(
        "REPORTING_TIMEZONE",
        "the time zone of your days and of the schedules",
        "the name of a time zone such as Europe/Berlin",
        "UTC",
    )
    first_weekday: Weekday = variable(
        "REPORTING_FIRST_WEEKDAY",
        "the day with which your weeks begin",
        f"one of {', '.join(WEEKDAYS)}",
        0,
        text="monday",
    )
    schedule_changed: CronOrNone = variable(
        "REPORTING_SCHEDULE_CHANGED",
        "when sources are asked for what changed",
        "a cron expression of five fields, or none",
        "7 * * * *",
    )
    schedule_full: CronOrNone = variable(
        "REPORTING_SCHEDULE_FULL",
        "when sources are asked for everything, and every mart is built",
        "a cron expression of five fields, or none",
        "17 3 * * *",
    )
    tombstone_share: float = number(
        "REPORTING_TOMBSTONE_SHARE",
        "the greatest share of a table that a full refresh may mark as gone",
        0.2,
        0,
        1,
    )
    retry_seconds: int = number(
        "REPORTING_RETRY_SECONDS",
        "seconds before a failed task's first retry; later waits are longer",
        300,
        1,
        3600,
    )
    debounce_seconds: int = number(
        "REPORTING_SETTLE_SECONDS",
        "how many seconds a build waits for other sources that change at the same time",
        120,
        0,
        3600,
    )
    event_seconds: int = number(
        "REPORTING_EVENT_SECONDS",
        "how many seconds an event of a source waits for others before what it is about is read",
        30,
        1,
        3600,
    )


class Mail(Part):
    """Who gets what by e-mail."""

    TITLE = "E-mail"

    summary_emails: Emails = variable(
        "REPORTING_SUMMARY_EMAIL",
        "who gets the week's summary",
        ADDRESSES,
        (),
        words="nobody",
        is_shown=False,
    )
    csv_emails: Emails = variable(
        "REPORTING_CSV_EMAIL",
        "who gets the marts as CSV every day",
        ADDRESSES,
        (),
        words="nobody",
        is_shown=False,
    )
    megabytes: int = number("REPORTING_MAIL_MEGABYTES", "how many megabytes an e-mail may have", 20, 1, 150)


class Exports(Part):
    """The marts as files."""

    TITLE = "Exports"

    uri: str | None = variable(
        EXPORT_URI,
        "where the marts are exported to every day",
        "a folder, or a bucket such as `gs://my-exports`",
        words="they are not exported",
    )
    format: Annotated[Literal["csv", "parquet", "duckdb", "sqlite"], LowerCase] = variable(
        "REPORTING_EXPORT_FORMAT",
        "the kind of file that marts are exported as",
        f"one of {', '.join(EXPORT_FORMATS)}",
        "parquet",
    )


class Backup(Part):
    """Copies of what cannot be made again."""

    TITLE = "Backups"

    uri: Folder | None = variable(
        BACKUP_URI,
        "where backups are kept",
        "a folder on another disk, or a bucket of another project",
        words="there is no backup",
    )
    dataset: str | None = variable(
        BACKUP_DATASET,
        "the dataset of another Google project in the same location in which tables are kept as snapshots, and not as "
        "Parquet files",
        "a dataset of another project, such as my-backups.reporting",
        words="Parquet files",
        pattern=r"^[a-z][a-z0-9:.-]{4,28}[a-z0-9]\.[A-Za-z0-9_]+$",
    )
    days: int = number(
        "REPORTING_BACKUP_DAYS",
        "how many days every backup is kept; of older backups the first of each month stays",
        30,
        1,
        36500,
    )

    @classmethod
    def rules(cls, given: Mapping[str, str]) -> Iterator[Problem]:
        """The dataset belongs to another project, and the lists that say what a backup consists of need an address."""
        dataset = given.get(BACKUP_DATASET)
        if not dataset:
            return
        if dataset.rpartition(".")[0] == given.get(BIGQUERY_PROJECT, "local"):
            yield Problem(
                BACKUP_DATASET,
                f"is '{dataset}', which is in the project that the backup protects; name a dataset of another project",
            )
        if not given.get(BACKUP_URI):
            yield Problem(
                BACKUP_DATASET,
                f"is set and {BACKUP_URI} is not; set that as well, since each backup's list of tables is kept there",
            )
