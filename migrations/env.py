"""Runs the revisions over one connection to BigQuery, real or local.

The caller hands the connection's client over in `config.attributes["client"]`. The provider's own Alembic operator hands
over an address without credentials, so then the client is made from the Airflow connection. Without either, it is
made from the environment's settings.
"""

import sqlalchemy as sa
from alembic import context
from alembic.script import ScriptDirectory
from google.cloud import bigquery

from reporting.settings import read_settings
from reporting.warehouse.client import connect
from reporting.warehouse.schema import keep_one_version
from reporting.warehouse.tables import describe

config = context.config
settings = read_settings()
OPS = settings.dataset("ops")


def connected() -> bigquery.Client:
    """The client to run the revisions with."""
    given = config.attributes.get("client")
    if given is not None:
        return given
    if config.get_main_option("sqlalchemy.url"):
        # Airflow is not for the command line: importing it takes seconds.
        from reporting.orchestration.connections import warehouse

        return warehouse(settings)
    return connect(settings)


def run() -> None:
    """Apply the revisions; BigQuery's DDL is not transactional, so each revision is one concern."""
    client = connected()
    # The version table is in a dataset that must be there before the first revision can be recorded.
    client.create_dataset(OPS, exists_ok=True)
    # Both parts of the address are needed: the dialect builds a client of its own unless told otherwise.
    engine = sa.create_engine(
        f"bigquery://{settings.project}/{OPS}?user_supplied_client=True",
        # Over REST like all other reads, since the Storage API needs one more role and a package that is not installed.
        connect_args={"client": client, "prefer_bqstorage_client": False},
    )
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=describe(settings.dataset_prefix),
            version_table="alembic_version",
            version_table_schema=OPS,
            # BigQuery has no keys that it enforces, and the dialect cannot create one.
            version_table_pk=False,
        )
        keep_one_version(client, OPS, ScriptDirectory.from_config(config))
        context.run_migrations()
        keep_one_version(client, OPS, ScriptDirectory.from_config(config))


if context.is_offline_mode():
    raise SystemExit("The revisions read the warehouse and have no offline mode.")
run()
