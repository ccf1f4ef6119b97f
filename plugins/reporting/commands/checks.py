"""What can be wrong with a connection, and what to do about it. Nothing here shows a secret."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery

from reporting.commands import configuration
from reporting.commands.errors import CommandError
from reporting.entities import GOOGLE_SHEETS, HUBSPOT, NOTION, SQL, Entity, NotionDatabase, SheetTab
from reporting.files import is_bucket, is_on_disk, open_folder, write_whole
from reporting.readers import open_reader
from reporting.settings import SWITCHED_OFF, SettingError, Settings, read_settings
from reporting.sources import notion
from reporting.sources.base import AccessDeniedError, NotFoundError, NotReadError, SourceError
from reporting.sources.google_api import GoogleAccount, authorized_user
from reporting.sources.google_contacts.api import Account
from reporting.sources.google_sheets import SHEETS, SheetReader
from reporting.sources.http import Policy
from reporting.sources.hubspot import api as hubspot
from reporting.sources.notion import NotionSource
from reporting.warehouse import backup
from reporting.warehouse.client import connect
from reporting.warehouse.phones import check_region

# Someone waits for the answer: a check is less patient than a run at night.
IMPATIENT = Policy(requests_per_second=3.0, attempts=3, longest_total=30.0, longest_backoff=5.0, timeout=20.0)
PROBE = "reporting_probe"
LONGEST_BACKUP_AGE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `text` says what is well, or what is wrong and what to do."""

    subject: str
    is_well: bool
    text: str


def notion_source(connection: str) -> NotionSource:
    """The source of AIRFLOW_CONN_NOTION's value. Raises `CommandError` when it holds no token."""
    token, host = token_of(connection, "notion")
    return NotionSource(token, host or notion.DEFAULT_BASE_URL, IMPATIENT)


def hubspot_portal(connection: str, version: str) -> hubspot.HubSpot:
    """The portal of AIRFLOW_CONN_HUBSPOT's value. Raises `CommandError` when it holds no token."""
    token, host = token_of(connection, "hubspot")
    return hubspot.HubSpot(token, host or hubspot.DEFAULT_BASE_URL, version, IMPATIENT)


def token_of(connection: str, name: str) -> tuple[str, str | None]:
    """Token and host of AIRFLOW_CONN_<NAME>'s value; Google's token is an authorized user in JSON.

    Raises `CommandError` when it holds none.
    """
    fields = configuration.connection_fields(name.upper(), connection)
    if name == "google":
        extra = fields.get("extra") or {}
        try:
            user = authorized_user(json.loads(extra) if isinstance(extra, str) else extra)
        except (SourceError, ValueError):
            user = None
        if user is None:
            raise CommandError("the connection 'google' holds no authorized user. Run script/google-login.")
        return json.dumps(user), fields.get("host")
    token = fields.get("password")
    if not token:
        what = "address" if name == "sql" else "token"
        raise CommandError(
            f"the connection '{name}' has no {what} as its password. {configuration.how_to_connect(name)}"
        )
    return token, fields.get("host")


def check_notion(variables: Mapping[str, str]) -> Iterator[Finding]:
    """The token, and each habits database."""
    connection = variables.get("AIRFLOW_CONN_NOTION")
    if not connection:
        is_well = any(variables.get(f"AIRFLOW_CONN_{other}") for other in ("HUBSPOT", "GOOGLE", "SQL"))
        yield Finding("Notion", is_well, "is not configured. Run script/connect notion.")
        return
    source = None
    try:
        settings = read_settings(variables)
        source = notion_source(connection)
        seen = len(list(source.data_sources()))
    except (SourceError, CommandError, SettingError) as error:
        yield Finding("Notion", False, str(error))
        if source:
            source.close()
        return
    yield Finding("Notion", True, f"the token is good; {seen} databases are shared with it.")
    for entity in NOTION:
        yield _check_database(source, settings, entity)
    source.close()


def _check_database(source: NotionSource, settings: Settings, entity: NotionDatabase) -> Finding:
    name = settings.names.get(entity.table, entity.default_name)
    if name == SWITCHED_OFF:
        return Finding(entity.table, True, "is switched off.")
    try:
        found = source.find(name)
        if entity.is_dated:
            notion.date_property(found, settings.date_properties.get(entity.table))
    except NotFoundError as error:
        if entity.is_optional and not error.found_count and entity.table not in settings.names:
            return Finding(entity.table, True, f"there is no '{name}', and it is optional.")
        return Finding(entity.table, False, f"{error} (REPORTING_NAME_{entity.table.upper()})")
    except SourceError as error:
        return Finding(entity.table, False, str(error))
    return Finding(entity.table, True, f"reads '{notion.title_of(found)}'.")


def check_hubspot(variables: Mapping[str, str]) -> Iterator[Finding]:
    """The token, and its scope for each entity."""
    connection = variables.get("AIRFLOW_CONN_HUBSPOT")
    if not connection:
        yield Finding("HubSpot", True, "is not configured, and so not read. script/connect hubspot does it.")
        return
    try:
        settings = read_settings(variables)
        portal = hubspot_portal(connection, settings.hubspot_version)
    except (CommandError, SettingError) as error:
        yield Finding("HubSpot", False, str(error))
        return
    try:
        for entity in HUBSPOT:
            if settings.names.get(entity.table) == SWITCHED_OFF:
                yield Finding(entity.table, True, "is switched off.")
                continue
            refusal = hubspot_refusal(portal, entity)
            yield Finding(entity.table, refusal is None, str(refusal or "can be read."))
    except SourceError as error:
        yield Finding("HubSpot", False, str(error))
    finally:
        portal.close()


def hubspot_refusal(portal: hubspot.HubSpot, entity: Entity) -> AccessDeniedError | None:
    """Why the token may not read `entity`; None if it may. Raises the other errors of `reporting.sources.base`."""
    try:
        portal.probe(entity)
    except AccessDeniedError as error:
        return error
    return None


def google_account(connection: str) -> Account:
    """The account of AIRFLOW_CONN_GOOGLE's value. Raises `CommandError` when it holds no authorized user."""
    token, host = token_of(connection, "google")
    return Account(json.loads(token), host, IMPATIENT)


def check_google(variables: Mapping[str, str]) -> Iterator[Finding]:
    """The login, whether it may read contacts and each tab, and the country of telephone numbers."""
    connection = variables.get("AIRFLOW_CONN_GOOGLE")
    if not connection:
        yield Finding("Google", True, "is not configured, and so not read. script/google-login does it.")
        return
    try:
        settings = read_settings(variables)
        check_region(settings.default_region)
        account = google_account(connection)
    except (CommandError, SettingError, SourceError) as error:
        yield Finding("Google", False, str(error))
        return
    try:
        yield Finding("Google", True, f"the login is good; it may read {account.count()} contacts.")
    except SourceError as error:
        yield Finding("Google", False, str(error))
    finally:
        account.close()
    for entity in GOOGLE_SHEETS:
        if settings.names.get(entity.table, SWITCHED_OFF) != SWITCHED_OFF:
            yield _check_tab(connection, settings, entity)
    if settings.default_region is None:
        text = "is not set: telephone numbers without a country have no E.164 form."
        yield Finding("REPORTING_DEFAULT_REGION", True, text)


def _check_tab(connection: str, settings: Settings, entity: SheetTab) -> Finding:
    token, host = token_of(connection, "google")
    account = GoogleAccount(SHEETS, json.loads(token), host, IMPATIENT)
    try:
        columns = settings.columns.get(entity.table)
        found = SheetReader(account, entity, settings.names[entity.table], columns).describe()
    except SourceError as error:
        return Finding(entity.table, False, str(error))
    finally:
        account.close()
    names = found["tab"]["title"], found["spreadsheet"].get("title")
    return Finding(entity.table, True, "reads the tab '{}' of '{}'.".format(*names))


def check_sql(variables: Mapping[str, str]) -> Iterator[Finding]:
    """The database, and each table that is read from it."""
    connection = variables.get("AIRFLOW_CONN_SQL")
    if not connection:
        yield Finding("database", True, "none is configured, and so none is read. AIRFLOW_CONN_SQL does it.")
        return
    try:
        settings = read_settings(variables)
        address, _ = token_of(connection, "sql")
    except (CommandError, SettingError) as error:
        yield Finding("database", False, str(error))
        return
    for entity in SQL:
        yield _check_table(settings, entity, address)


def _check_table(settings: Settings, entity: Entity, address: str) -> Finding:
    try:
        reader = open_reader(settings, entity, address)
    except NotReadError:
        return Finding(entity.table, True, "is switched off.")
    except SourceError as error:
        return Finding(entity.table, False, str(error))
    try:
        count = len(reader.describe()["properties"])
    except SourceError as error:
        return Finding(entity.table, False, str(error))
    finally:
        reader.close()
    return Finding(entity.table, True, f"reads a table of {count} columns.")


def check_bigquery(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Whether datasets can be made and tables written with DML, which needs billing."""
    try:
        settings = read_settings(variables)
        if not settings.emulator_host and not variables.get("REPORTING_BIGQUERY_PROJECT"):
            yield Finding(
                "BigQuery", True, "no Google project is configured: a local BigQuery keeps the data."
            )
            return
        client = connect(settings, configuration.google_credentials(variables))
    except GoogleAuthError:
        yield Finding(
            "BigQuery",
            False,
            "this machine has no Google credentials. Run script/connect bigquery with a key file.",
        )
        return
    except (SettingError, CommandError) as error:
        yield Finding("BigQuery", False, str(error))
        return
    yield _attempt(
        f"project {settings.project}", lambda: client.query("SELECT 1").result(timeout=30), "can be queried."
    )
    ops = settings.dataset("ops")
    dataset = bigquery.Dataset(f"{settings.project}.{ops}")
    dataset.location = settings.location
    yield _attempt(f"dataset {ops}", lambda: client.create_dataset(dataset, exists_ok=True), "is there.")
    yield _attempt(f"tables in {ops}", lambda: _probe(client, ops), "can be made, written and dropped.")


def _probe(client: bigquery.Client, dataset: str) -> None:
    table = f"`{dataset}.{PROBE}`"
    for sql in (
        f"CREATE OR REPLACE TABLE {table} (id INT64)",
        f"INSERT INTO {table} (id) VALUES (1)",
        f"DROP TABLE {table}",
    ):
        client.query(sql).result(timeout=60)


def _attempt(subject: str, action: Callable[[], Any], well: str) -> Finding:
    try:
        action()
    except GoogleAuthError as error:
        return Finding(
            subject, False, f"Google refused the credentials ({type(error).__name__}). Make a new key."
        )
    except GoogleAPICallError as error:
        return Finding(subject, False, _advice(error))
    return Finding(subject, True, well)


def _advice(error: GoogleAPICallError) -> str:
    said = error.message.splitlines()[0] if error.message else type(error).__name__
    if "illing" in said:
        return f"{said} Writing rows needs billing: link a billing account to the project; the free tier stays free."
    if isinstance(error, Forbidden):
        return f"{said} Give the service account the roles BigQuery Data Editor and BigQuery Job User on the project."
    if isinstance(error, NotFound):
        return f"{said} Check the project's id and the location, which cannot change once datasets are there."
    return said


def check_buckets(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the buckets of answers, report, exports and backups can be written to."""
    try:
        settings = read_settings(variables)
    except SettingError as error:
        yield Finding("buckets", False, str(error))
        return
    for name, uri in (
        ("REPORTING_LANDING_URI", settings.landing_uri),
        ("REPORTING_SITE_URI", settings.site_uri),
        ("REPORTING_EXPORT_URI", settings.export_uri),
        ("REPORTING_BACKUP_URI", settings.backup_uri),
    ):
        if uri and is_bucket(uri):
            yield _check_bucket(name, uri, settings)


def _check_bucket(name: str, uri: str, settings: Settings) -> Finding:
    try:
        files, root = open_folder(uri, settings.google_key)
        probe = f"{root}/{PROBE}-{secrets.token_hex(4)}"
        write_whole(files, probe, b"")
        files.rm_file(probe)
    except Exception as error:  # noqa: BLE001 (the clients of buckets raise errors of no common kind)
        return Finding(name, False, _bucket_advice("written to", error))
    return Finding(name, True, f"{uri} can be written to.")


def _bucket_advice(action: str, error: Exception) -> str:
    # Not its text, which may quote the address.
    return (
        f"cannot be {action} ({type(error).__name__}). Check the address; a bucket of Google's also needs the role Storage "
        "Object Admin for the service account of AIRFLOW_CONN_BIGQUERY."
    )


def check_backup(variables: Mapping[str, str], now: datetime | None = None) -> Iterator[Finding]:
    """Whether there is a backup, outside of what it protects, and how old the newest is."""
    subject = "REPORTING_BACKUP_URI"
    try:
        settings = read_settings(variables)
        if settings.backup_uri is None:
            yield Finding(
                subject, True, "is not set: there is no backup. It takes a folder or bucket elsewhere."
            )
            return
        files, root = backup.open_backups(settings)
        if is_on_disk(files) and Path(root).is_relative_to(settings.state.resolve()):
            yield Finding(
                subject, False, f"is within {settings.state}, and would be lost with it. Choose another disk."
            )
        ids = backup.kept_ids(files, f"{root}/warehouse/backups", ".json")
    except SettingError as error:
        yield Finding(subject, False, str(error))
        return
    except Exception as error:  # noqa: BLE001 (the clients of buckets raise errors of no common kind)
        yield Finding(subject, False, _bucket_advice("read", error))
        return
    if not ids:
        yield Finding(
            "backup", False, "there is none yet. Run script/backup, or ops_warehouse__backup__daily."
        )
        return
    age = (now or datetime.now(UTC)) - backup.taken_at(ids[-1])
    said = f"{len(ids)} are kept, the newest of {backup.taken_at(ids[-1]):%Y-%m-%d %H:%M} UTC."
    is_old = age > LONGEST_BACKUP_AGE
    yield Finding("backup", not is_old, f"{said} Look at ops_warehouse__backup__daily." if is_old else said)
