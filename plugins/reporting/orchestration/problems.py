"""What the task does that looks for problems, and tells them and their ends."""

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

from reporting import alerts, sign_in
from reporting.commands.configuration import METADATA
from reporting.orchestration import connections
from reporting.orchestration.callbacks import base_url
from reporting.problems import categories, expiry, reading, stale, volumes
from reporting.problems.expiry import Lasting
from reporting.problems.looking import Check, built_again, look, settle
from reporting.problems.telling import Teller, tell
from reporting.settings import Settings, read_settings
from reporting.warehouse import builds
from reporting.warehouse.problems import Episode, Problem, Record

log = logging.getLogger(__name__)

# What is dear or slow, and changes with the days, is looked at in this hour of the owner's.
DAILY_HOUR = 7
# Airflow's own, as far as it is asked here.
TASK_INSTANCES = sa.table(
    "task_instance",
    sa.column("dag_id", sa.String),
    sa.column("task_id", sa.String),
    sa.column("state", sa.String),
    sa.column("end_date", sa.DateTime(timezone=True)),
)
WELL_STATES = ("success", "skipped")
TLS_MODES = ("require", "verify-ca", "verify-full")


def tell_problems() -> int:
    """Look for everything that is wrong, and return how many messages were sent.

    Skips without a channel. A channel that is down is logged, and tried again by the next run.
    """
    channels = alerts.read_channels()
    if not channels.ways:
        raise AirflowSkipException(
            f"Nobody would hear of problems: neither {alerts.EMAIL} nor {alerts.WEBHOOK} names a channel."
        )
    settings, now = read_settings(), datetime.now(UTC)
    client = connections.warehouse(settings)
    record = Record(client, settings)
    try:
        before = record.unsettled()
    except NotFound:
        raise AirflowFailException(
            f"the table {settings.dataset('ops')}.problems does not exist. Run ops_warehouse__schema__upgrade."
        ) from None
    thorough = is_thorough(str(get_current_context()["dag_run"].run_type), settings, now)
    seen = look(checks(client, settings, now, thorough=thorough))
    well = _succeeded_again(before, os.environ.get(METADATA))
    if any(each.is_open and each.kind == "dbt" for each in before):
        well |= built_again(before, *builds.last_starts(client, settings))
    settle(record, before, seen, well, now)
    return tell(record, Teller(channels, base_url(), settings.timezone), now)


def is_thorough(run_type: str, settings: Settings, now: datetime) -> bool:
    """Whether a run also looks at what is dear or slow: by hand, and once a day."""
    return run_type == "manual" or now.astimezone(ZoneInfo(settings.timezone)).hour == DAILY_HOUR


def checks(client: bigquery.Client, settings: Settings, now: datetime, *, thorough: bool) -> Iterator[Check]:
    """Every check; the dear ones when `thorough`."""
    # One query serves both; where it fails, both do.
    asked: list[reading.Ledger] = []

    def ledger() -> reading.Ledger:
        if not asked:
            asked.append(reading.ledger(client, settings, now))
        return asked[0]

    yield Check("stale/", lambda: stale.find(ledger().reads, settings.names, now))
    yield Check("rows/", lambda: volumes.find(ledger().loads, now))
    if thorough:
        yield Check("categories/", lambda: _categories(client, settings))
        yield from _expiring(os.environ, now)


def _categories(client: bigquery.Client, settings: Settings) -> Iterable[Problem]:
    try:
        return categories.find(reading.values(client, settings, categories.CATEGORIES))
    except NotFound:
        # Before the first build there is nothing to look at.
        return ()


def _expiring(environment: Mapping[str, str], now: datetime) -> Iterator[Check]:
    """A check of each thing that ends, also where it is not configured any more: then nothing is wrong with it."""
    yield Check("expiry/web", partial(_web, base_url(environment), now))
    yield Check("expiry/database", partial(_database, environment.get(METADATA), now))
    yield Check("expiry/entra", partial(_entra, environment.get(sign_in.EXPIRES_ON, "").strip(), now))
    yield Check("expiry/google", partial(_google, now))
    yield Check("expiry/key", partial(_key, now))


def _web(address: str, now: datetime) -> Iterator[Problem]:
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
                "Renew it where the address is served: on Azure, look at the app's TLS/SSL settings; with a front end of "
                "your own, at what renews its certificates."
            ),
        ),
        now,
    )


def _database(address: str | None, now: datetime) -> Iterator[Problem]:
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
            todo="Renew it on the server. Airflow does not start with sslmode=verify-full on one that has ended.",
        ),
        now,
    )


def _entra(noted: str, now: datetime) -> Iterator[Problem]:
    if not noted:
        return
    yield from expiry.find(
        Lasting(
            problem_key="expiry/entra",
            name="the client secret of Microsoft Entra",
            ends_at=expiry.end_of_day(noted),
            todo=(
                "Make another secret of the registration, replace REPORTING_ENTRA_CLIENT_SECRET and "
                f"{sign_in.EXPIRES_ON}, and restart; without it nobody can sign in."
            ),
        ),
        now,
    )


def _google(now: datetime) -> Iterator[Problem]:
    from reporting.sources.google_api import authorized_user

    connection = connections.find("google")
    user = authorized_user(connection.extra_dejson) if connection else None
    ends_at = expiry.login_ends_at(user) if user else None
    if ends_at is None:
        return
    yield from expiry.find(
        Lasting(
            problem_key="expiry/google",
            name="the login to Google",
            ends_at=ends_at,
            todo=(
                "Publish the app (Google Auth Platform, Audience, Publish app), then run script/google-login again: a login "
                "of an app in Testing lasts for seven days."
            ),
            warn_before=expiry.WARN_BEFORE_LOGIN,
        ),
        now,
    )


def _key(now: datetime) -> Iterator[Problem]:
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
        raise expiry.CannotAskError(f"Google knows no such key of {email}")
    yield from expiry.find(
        Lasting(
            problem_key=f"expiry/key/{key_id}",
            name=f"the key of {email}",
            ends_at=found.not_valid_after_utc,
            todo=(
                "Make another key of the service account, replace it in AIRFLOW_CONN_BIGQUERY, and delete this one: see "
                "'Changing every secret' in docs/deployment.md."
            ),
        ),
        now,
    )
    yield from expiry.find_old_key(email, key_id, found.not_valid_before_utc, now)


def _succeeded_again(before: Iterable[Episode], address: str | None) -> set[str]:
    """The keys of failed tasks that ended well since, by the metadata database at `address`.

    Airflow's API for tasks does not tell of another DAG's when it ended.
    """
    failed = [each for each in before if each.is_open and each.kind == "task"]
    if not failed:
        return set()
    if not address:
        log.warning("%s is not set, so whether failed tasks are well again is not known.", METADATA)
        return set()
    engine = sa.create_engine(address)
    try:
        with engine.connect() as connection:
            return {each.problem_key for each in failed if _is_well(connection, each)}
    except sa.exc.SQLAlchemyError as error:
        # Its text may quote the address.
        log.error("Whether failed tasks are well again is not known: %s", type(error).__name__)
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
