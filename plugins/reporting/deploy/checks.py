"""The checks of `script/doctor`. Each yields findings that say what is wrong and what to do, and never show a secret."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery

from reporting.backup import backup
from reporting.deploy import configuration, event_store, extras, metadata
from reporting.deploy.errors import CommandError
from reporting.settings import SettingError, Settings, Webhooks, is_bucket, problems, read, read_settings
from reporting.sources.base import Finding, Source, SourceError
from reporting.sources.google_api import authorized_user
from reporting.sources.registry import BROKEN, SOURCES
from reporting.storage.files import is_on_disk, open_folder, write_whole
from reporting.warehouse.client import connect

PROBE = "reporting_probe"
LONGEST_BACKUP_AGE = timedelta(days=2)


def check_settings(variables: Mapping[str, str]) -> Iterator[Finding]:
    """One finding per variable whose value cannot be used."""
    for problem in (*problems(variables), *extras.missing(variables)):
        yield Finding(problem.variable, False, f"{problem.text}.")


def check_sources(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Check each configured source, and report packages of sources that cannot be imported."""
    for package, error in BROKEN.items():
        yield Finding(f"sources/{package}", False, f"cannot be imported ({error}), so it is not read.")
    pulled = [source for source in SOURCES.values() if source.has_secret]
    has_streams = any(source.entities for source in SOURCES.values() if not source.has_secret)
    if not has_streams and not any(variables.get(variable_of(source)) for source in pulled):
        advice = " ".join(dict.fromkeys(source.advice for source in pulled))
        yield Finding("sources", False, f"none is configured, so nothing is read. {advice}")
        return
    for source in SOURCES.values():
        yield from check_source(source, variables)


def check_source(source: Source, variables: Mapping[str, str]) -> Iterator[Finding]:
    """Check the connection of one source and the entities that are read with it."""
    if not source.has_secret:
        yield from source.checks.check(read_settings(variables), "", None)
        return
    connection = variables.get(variable_of(source))
    if not connection:
        yield Finding(source.title, True, f"is not configured, so it is not read. {source.advice}", "note")
        return
    try:
        token, host = token_of(connection, source)
        yield from source.checks.check(read_settings(variables), token, host)
    except (SourceError, CommandError, SettingError) as error:
        yield Finding(source.title, False, str(error))


def variable_of(source: Source) -> str:
    """The name of the environment variable with the connection of `source`."""
    return f"AIRFLOW_CONN_{source.connection.upper()}"


def token_of(connection: str, source: Source) -> tuple[str, str | None]:
    """The token and the host in a connection, the value of `variable_of(source)`. For a login to Google the token is an
    authorized user as JSON.

    Raises `CommandError` if the connection has no token.
    """
    fields = configuration.connection_fields(variable_of(source), connection, source.advice)
    token = fields.get("password")
    if source.is_login:
        extra = fields.get("extra") or {}
        try:
            user = authorized_user(json.loads(extra) if isinstance(extra, str) else extra)
        except (SourceError, ValueError):
            user = None
        token = json.dumps(user) if user else None
    if not token:
        raise CommandError(
            f"the connection '{source.connection}' does not hold {source.needs}. {source.advice}"
        )
    return token, fields.get("host")


def check_bigquery(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Check that datasets can be created and tables written with DML, which needs a billing account."""
    try:
        settings = read_settings(variables)
        if not settings.emulator_host and not variables.get("REPORTING_BIGQUERY_PROJECT"):
            yield Finding(
                "BigQuery", True, "no Google project is configured: a local BigQuery keeps the data.", "note"
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
            subject,
            False,
            f"Google refused the credentials ({type(error).__name__}). Make a new key, and run script/connect bigquery.",
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
        return (
            f"{said} Check the project's id, and the location, which cannot change once the datasets exist."
        )
    return said


def check_buckets(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Check that the buckets for landings, report, exports and backups can be written to."""
    settings = read_settings(variables)
    for name, attribute in (
        ("REPORTING_LANDING_URI", "landing_uri"),
        ("REPORTING_SITE_URI", "site_uri"),
        ("REPORTING_EXPORT_URI", "export_uri"),
        ("REPORTING_BACKUP_URI", "backup_uri"),
    ):
        try:
            uri = getattr(settings, attribute)
        except SettingError:
            # `check_settings` has reported this already.
            continue
        if uri and is_bucket(uri):
            yield _check_bucket(name, uri, settings)


def _check_bucket(name: str, uri: str, settings: Settings) -> Finding:
    try:
        files, root = open_folder(uri, settings.google_key)
        probe = f"{root}/{PROBE}-{secrets.token_hex(4)}"
        write_whole(files, probe, b"")
        files.rm_file(probe)
    except SettingError as error:
        return Finding(name, False, str(error))
    except Exception as error:  # noqa: BLE001 (the clients of buckets raise errors of no common kind)
        return Finding(name, False, _bucket_advice("written to", error))
    return Finding(name, True, f"{uri} can be written to.")


def _bucket_advice(action: str, error: Exception) -> str:
    # Without the text of the error, which may quote the address.
    return (
        f"cannot be {action} ({type(error).__name__}). Check the address; a Google bucket also needs the role Storage "
        "Object Admin for the service account of AIRFLOW_CONN_BIGQUERY."
    )


def check_backup(variables: Mapping[str, str], now: datetime | None = None) -> Iterator[Finding]:
    """Check that there is a backup, that it is outside of what it protects, and that the newest is not old."""
    subject = "REPORTING_BACKUP_URI"
    settings = read_settings(variables)
    try:
        is_set = settings.backup_uri is not None
    except SettingError:
        # `check_settings` has reported this already.
        return
    if not is_set:
        yield Finding(
            subject,
            True,
            "is not set, so there is no backup. Set it to a folder on another disk, or to a bucket.",
            "warning",
        )
        return
    try:
        files, root = backup.open_backups(settings)
        if is_on_disk(files) and Path(root).is_relative_to(settings.state.resolve()):
            yield Finding(
                subject,
                False,
                f"is within {settings.state}, so it would be lost together with it. Choose another disk.",
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


def check_events(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Say when an event of each source came last, and how many requests were refused. Nothing where no webhook was enrolled."""
    try:
        address = metadata.address_of(Path(variables["REPORTING_STATE"]), variables)
        if address is None:
            return
        with event_store.connected(address) as connection:
            senders = event_store.senders(connection)
    except CommandError:
        # An installation of an earlier version has no such tables before its next start; a start itself checks the database.
        return
    secrets = read(Webhooks, variables).secrets
    for source in SOURCES.values():
        sender = senders.get(source.name, event_store.Sender(source.name))
        has_key = sender.key is not None or source.name in secrets
        if not has_key and not sender.noted_count:
            continue
        said = (
            f"{sender.noted_count} came, the last at {sender.last_noted_at:%Y-%m-%d %H:%M} UTC"
            if sender.last_noted_at
            else "none has come yet"
        )
        if sender.last_refused_at:
            at = f"{sender.last_refused_at:%Y-%m-%d %H:%M} UTC"
            said += f"; {sender.refused_count} requests were refused, the last at {at}"
        if not has_key:
            said += f"; none is taken any more. Run script/connect {source.name} --webhook"
        yield Finding(f"events of {source.title}", True, f"{said}.", "" if has_key else "warning")
