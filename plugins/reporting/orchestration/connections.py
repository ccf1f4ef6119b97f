"""From Airflow's connections to clients of the warehouse and of the sources.

| Connection | Type                    | What it holds                                                                   |
|------------|-------------------------|---------------------------------------------------------------------------------|
| `notion`   | `http`                  | the integration's token as password; a host only for a stand-in                 |
| `hubspot`  | `http`                  | the private app's token as password; a host only for a stand-in                 |
| `google`   | `google_cloud_platform` | the authorized user as `credential_config_file`, its `scope`; a host as above   |
| `sql`      | `generic`               | the address of a database as password, as SQLAlchemy takes it                   |
| `bigquery` | `gcpbigquery`           | the Google service account; not looked at with a local BigQuery                 |
| `smtp`     | `smtp`                  | the mail server of letters; without it that of the alerts                       |
"""

import json

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from google.cloud import bigquery

from reporting.entities import TITLES, Entity
from reporting.google_key import GoogleKey, key_in
from reporting.readers import open_reader
from reporting.settings import Settings
from reporting.sources.base import Reader
from reporting.warehouse.client import connect

BIGQUERY = "bigquery"
# By connection, what it has to hold and where one gets it.
MISSING = {
    "notion": ("a token as its password", "Run script/connect notion."),
    "hubspot": ("a token as its password", "Run script/connect hubspot."),
    "google": ("an authorized user as its credential_config_file", "Run script/google-login."),
    "sql": ("the database's address as its password", "Set AIRFLOW_CONN_SQL."),
}


class NotConfiguredError(Exception):
    """A source has no connection, or one without a token; its tasks skip."""


def warehouse(settings: Settings) -> bigquery.Client:
    """A client of the warehouse, with the credentials of the connection `bigquery`."""
    # Without a connection Google's own search for credentials finds those of the machine.
    if settings.emulator_host or find(BIGQUERY) is None:
        return connect(settings)
    from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook

    return connect(settings, BigQueryHook(gcp_conn_id=BIGQUERY).get_credentials())


def service_account_key() -> GoogleKey | None:
    """The key in the connection `bigquery`: its content, the path of its file, or None without one."""
    connection = find(BIGQUERY)
    return key_in(connection.extra_dejson) if connection else None


def reader(settings: Settings, entity: Entity) -> Reader:
    """The reader of `entity`, with its connection.

    Raises `NotConfiguredError`, and `NotReadError` when the entity is switched off.
    """
    connection = find(entity.connection)
    secret = _secret(entity.connection, connection) if connection else None
    if connection is None or not secret:
        what, advice = MISSING[entity.connection]
        raise NotConfiguredError(
            f"{TITLES[entity.source]} is not configured: there is no Airflow connection '{entity.connection}' with {what}. "
            f"{advice}"
        )
    return open_reader(settings, entity, secret, _base_url(connection))


def _secret(name: str, connection: Connection) -> str | None:
    if name != "google":
        return connection.password
    # Heavy: Google's client.
    from reporting.sources.google_api import authorized_user

    user = authorized_user(connection.extra_dejson)
    return json.dumps(user) if user else None


def find(name: str) -> Connection | None:
    """The connection of that name; None when there is none."""
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
