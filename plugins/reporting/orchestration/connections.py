"""Makes clients of the warehouse and of the sources from Airflow's connections.

| Connection | Type                    | What it holds                                                                   |
|------------|-------------------------|---------------------------------------------------------------------------------|
| `notion`   | `http`                  | the integration's token as password; a host only for a fake API                 |
| `hubspot`  | `http`                  | a service key as password; a host only for a fake API                           |
| `google`   | `google_cloud_platform` | the authorized user as `credential_config_file`, its `scope`; a host as above   |
| `google_calendar` | `google_cloud_platform` | the same of the login to Google Calendar                                 |
| `sql`      | `generic`               | the address of a database as password, as SQLAlchemy takes it                   |
| `files`    | `generic`               | the address of a folder or a bucket as password, as fsspec takes it             |
| `bigquery` | `gcpbigquery`           | the Google service account; not used with a local BigQuery                      |
| `smtp`     | `smtp`                  | the mail server of e-mails; without it, the mail server of alerts is used       |
"""

import json

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from google.cloud import bigquery

from reporting.entity import Entity
from reporting.google_key import GoogleKey, key_in
from reporting.settings import Settings
from reporting.sources.base import Reader
from reporting.sources.registry import SOURCES, open_reader
from reporting.warehouse.client import connect

BIGQUERY = "bigquery"


class NotConfiguredError(Exception):
    """A source has no connection, or a connection without a token. Its tasks are skipped."""


def warehouse(settings: Settings) -> bigquery.Client:
    """A client of the warehouse, with the credentials of the connection `bigquery`."""
    # Without a connection, Google's client finds the credentials of the machine.
    if settings.emulator_host or find(BIGQUERY) is None:
        return connect(settings)
    # The base of Airflow's hook of BigQuery, which itself needs pandas.
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook

    return connect(settings, GoogleBaseHook(gcp_conn_id=BIGQUERY).get_credentials())


def service_account_key() -> GoogleKey | None:
    """The key in the connection `bigquery`: its content, or the path of its file, or None if there is none."""
    connection = find(BIGQUERY)
    return key_in(connection.extra_dejson) if connection else None


def reader(settings: Settings, entity: Entity) -> Reader:
    """The reader of `entity`, with the credentials of its connection.

    Raises `NotConfiguredError`, and `NotReadError` if the entity is switched off.
    """
    if not SOURCES[entity.source].has_secret:
        return open_reader(settings, entity, "")
    connection = find(entity.connection)
    secret = _secret(connection) if connection else None
    if connection is None or not secret:
        source = SOURCES[entity.source]
        raise NotConfiguredError(
            f"{source.title} is not configured: there is no Airflow connection '{entity.connection}' with {source.needs}. "
            f"{source.advice}"
        )
    return open_reader(settings, entity, secret, _base_url(connection))


def _secret(connection: Connection) -> str | None:
    """The secret of a connection: its password, or for Google, which has none, the authorized user as JSON."""
    if connection.password or not connection.extra_dejson:
        return connection.password
    # Heavy: Google's client.
    from reporting.sources.google_api import authorized_user

    user = authorized_user(connection.extra_dejson)
    return json.dumps(user) if user else None


def find(name: str) -> Connection | None:
    """The connection with that name; None if there is none."""
    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None


def _base_url(connection: Connection) -> str | None:
    if not connection.host:
        return None
    if "://" in connection.host:
        return connection.host.rstrip("/")
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{connection.host}{port}"
