"""The task that looks for incidents, records them, and sends the alerts."""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.ingest import stamps
from reporting.monitoring import ahead, alerts, categories, expiry, reading, stale, volumes
from reporting.monitoring.checks import Check, built_again, record_result, run_checks
from reporting.monitoring.expiry import Lasting
from reporting.monitoring.notifier import Notifier, notify
from reporting.monitoring.record import Episode, Incident, Record
from reporting.orchestration import connections
from reporting.orchestration.callbacks import base_url
from reporting.settings import (
    ALERT_EMAIL,
    ALERT_WEBHOOK,
    ENTRA_EXPIRES_ON,
    METADATA_URL,
    Settings,
    SignIn,
    read,
    read_settings,
)
from reporting.sources.registry import SOURCES
from reporting.transform import builds

log = logging.getLogger(__name__)

# Expensive or slow checks, whose results change from day to day, run once a day: in this hour of the owner's time zone.
DAILY_HOUR = 7
# The columns of Airflow's own table that are queried here.
TASK_INSTANCES = sa.table(
    "task_instance",
    sa.column("dag_id", sa.String),
    sa.column("task_id", sa.String),
    sa.column("state", sa.String),
    sa.column("end_date", sa.DateTime(timezone=True)),
)
WELL_STATES = ("success", "skipped")
TLS_MODES = ("require", "verify-ca", "verify-full")


def send_incidents() -> int:
    """Run the checks, record the incidents and send the alerts. Returns the number of messages sent.

    Skips if no channel is configured. If a channel is down, this is logged and the next run tries again.
    """
    channels = alerts.read_channels()
    if not channels.ways:
        raise AirflowSkipException(f"No alert can be sent: neither {ALERT_EMAIL} nor {ALERT_WEBHOOK} is set.")
    settings, now = read_settings(), datetime.now(UTC)
    client = connections.warehouse(settings)
    record = Record(client, settings)
    try:
        before = record.unfinished()
    except NotFound:
        raise AirflowFailException(
            f"the table {settings.dataset('ops')}.problems does not exist. Run ops_warehouse__schema__upgrade."
        ) from None
    thorough = is_thorough(str(get_current_context()["dag_run"].run_type), settings, now)
    seen = run_checks(checks(client, settings, now, thorough=thorough))
    well = _succeeded_again(before, os.environ.get(METADATA_URL))
    if any(each.is_open and each.kind == "dbt" for each in before):
        well |= built_again(before, *builds.last_starts(client, settings))
    record_result(record, before, seen, well, now)
    return notify(record, Notifier(channels, base_url(), settings.timezone), now)


def is_thorough(run_type: str, settings: Settings, now: datetime) -> bool:
    """Whether a run also makes the expensive checks: if it was started by hand, and once a day."""
    return run_type == "manual" or now.astimezone(ZoneInfo(settings.timezone)).hour == DAILY_HOUR


def checks(client: bigquery.Client, settings: Settings, now: datetime, *, thorough: bool) -> Iterator[Check]:
    """The checks to run; with `thorough` also the expensive ones."""
    # Two checks share the result of one query. If it fails, both fail.
    asked: list[reading.SyncLog] = []

    def sync_log() -> reading.SyncLog:
        if not asked:
            asked.append(reading.sync_log(client, settings, now))
        return asked[0]

    yield Check("stale/", lambda: stale.find(sync_log().reads, settings.names, now))
    yield Check("rows/", lambda: volumes.find(sync_log().loads, now))
    if thorough:
        yield Check("categories/", lambda: _categories(client, settings))
        yield Check("stamps/", lambda: _stamps(client, settings))
        yield from _expiring(os.environ, now)


def _categories(client: bigquery.Client, settings: Settings) -> Iterable[Incident]:
    try:
        return categories.find(reading.values(client, settings, categories.CATEGORIES))
    except NotFound:
        # Before the first build there are no marts to check.
        return ()


def _stamps(client: bigquery.Client, settings: Settings) -> Iterable[Incident]:
    try:
        return tuple(ahead.find(stamps.find(client, settings)))
    except NotFound:
        # Before the first upgrade of the schema there are no tables to check.
        return ()


def _expiring(environment: Mapping[str, str], now: datetime) -> Iterator[Check]:
    """One check for each thing that can expire. One that is not configured (any more) finds nothing, which resolves its
    incident."""
    yield Check("expiry/web", partial(_web, base_url(environment), now))
    yield Check("expiry/database", partial(_database, environment.get(METADATA_URL), now))
    yield Check("expiry/entra", partial(_entra, environment, now))
    for name, source in SOURCES.items():
        if source.is_login and source.connection == name:
            yield Check(f"expiry/{name}", partial(_google, name, now))
    yield Check("expiry/key", partial(_key, now))


def _web(address: str, now: datetime) -> Iterator[Incident]:
    base = urlsplit(address)
    if base.scheme != "https" or not base.hostname:
        return
    certificate = expiry.web_certificate(base.hostname, base.port or 443)
    yield from expiry.find(
        Lasting(
            problem_key="expiry/web",
            name=f"the certificate of {base.hostname}",
            ends_at=certificate.not_valid_after_utc,
            todo=(
                "Renew it on the server of that address. On Azure, look at the app's TLS/SSL settings; with a front end of "
                "your own, look at the program that renews its certificates."
            ),
        ),
        now,
    )


def _database(address: str | None, now: datetime) -> Iterator[Incident]:
    url = sa.make_url(address or "sqlite://")
    if url.get_backend_name() != "postgresql" or not url.host or url.query.get("sslmode") not in TLS_MODES:
        return
    found = expiry.postgres_certificate(url.host, url.port or 5432)
    if found is None:
        return
    yield from expiry.find(
        Lasting(
            problem_key="expiry/database",
            name=f"the certificate of the metadata database {url.host}",
            ends_at=found.not_valid_after_utc,
            todo="Renew it on the server. With sslmode=verify-full, Airflow cannot start if the certificate has expired.",
        ),
        now,
    )


def _entra(environment: Mapping[str, str], now: datetime) -> Iterator[Incident]:
    noted = read(SignIn, environment).expires_on
    if noted is None:
        return
    yield from expiry.find(
        Lasting(
            problem_key="expiry/entra",
            name="the client secret of Microsoft Entra",
            ends_at=expiry.end_of_day(noted),
            todo=(
                "Make a new client secret in the app registration, change REPORTING_ENTRA_CLIENT_SECRET and "
                f"{ENTRA_EXPIRES_ON}, and restart. Without a valid secret nobody can sign in."
            ),
        ),
        now,
    )


def _google(name: str, now: datetime) -> Iterator[Incident]:
    """The login in the connection `name`."""
    from reporting.sources.google_api import authorized_user

    connection = connections.find(name)
    user = authorized_user(connection.extra_dejson) if connection else None
    ends_at = expiry.login_ends_at(user) if user else None
    if ends_at is None:
        return
    source = SOURCES[name]
    yield from expiry.find(
        Lasting(
            problem_key=f"expiry/{name}",
            name=f"the login to {source.title}",
            ends_at=ends_at,
            todo=(
                "Publish the app (Google Auth Platform, Audience, Publish app), then log in again. "
                f"{source.advice} While an app is in Testing, its logins last for seven days only."
            ),
            warn_before=expiry.WARN_BEFORE_LOGIN,
        ),
        now,
    )


def _key(now: datetime) -> Iterator[Incident]:
    key = connections.service_account_key()
    if isinstance(key, str):
        try:
            with open(key, encoding="utf-8") as file:
                key = dict(json.load(file))
        except (OSError, ValueError) as error:
            raise expiry.CannotAskError(
                f"the key of the connection 'bigquery' cannot be read: {type(error).__name__}"
            ) from None
    email, key_id = (str((key or {}).get(name) or "") for name in ("client_email", "private_key_id"))
    if not email.endswith(".gserviceaccount.com") or not key_id:
        return
    found = expiry.key_certificate(email, key_id)
    if found is None:
        raise expiry.CannotAskError(
            f"Google does not know the key of {email} that the connection 'bigquery' has"
        )
    yield from expiry.find(
        Lasting(
            problem_key=f"expiry/key/{key_id}",
            name=f"the key of {email}",
            ends_at=found.not_valid_after_utc,
            todo=(
                "Make a new key for the service account, put it into AIRFLOW_CONN_BIGQUERY, and delete this one: see "
                "docs/guides/secrets.md."
            ),
        ),
        now,
    )
    yield from expiry.find_old_key(email, key_id, found.not_valid_before_utc, now)


def _succeeded_again(before: Iterable[Episode], address: str | None) -> set[str]:
    """The keys of incidents of failed tasks that have succeeded since, according to the metadata database at `address`.

    The API that Airflow gives to tasks does not tell when a task of another DAG ended.
    """
    failed = [each for each in before if each.is_open and each.kind == "task"]
    if not failed:
        return set()
    if not address:
        log.warning(
            "%s is not set, so it is not known which failed tasks have succeeded since.", METADATA_URL
        )
        return set()
    engine = sa.create_engine(address)
    try:
        with engine.connect() as connection:
            return {each.problem_key for each in failed if _is_well(connection, each)}
    except sa.exc.SQLAlchemyError as error:
        # The text of the error may quote the address.
        log.error("It is not known which failed tasks have succeeded since: %s", type(error).__name__)
        return set()
    finally:
        engine.dispose()


def _is_well(connection: Any, episode: Episode) -> bool:
    _, dag_id, task_id = episode.problem_key.split("/", 2)
    last = sa.select(sa.func.count()).where(
        TASK_INSTANCES.c.dag_id == dag_id,
        TASK_INSTANCES.c.task_id == task_id,
        TASK_INSTANCES.c.state.in_(WELL_STATES),
        TASK_INSTANCES.c.end_date > episode.last_seen_at,
    )
    return bool(connection.execute(last).scalar())
