"""Runs Alembic in a task with the project's own client of the warehouse, so that no Airflow connection is needed for it."""

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException
from airflow_provider_alembic.hooks.alembic import AlembicHook
from airflow_provider_alembic.operators.alembic import AlembicOperator

from reporting.settings import ROOT, read_settings

SCRIPTS = str(ROOT / "migrations")


class WarehouseHook(AlembicHook):  # type: ignore[misc]  # it has no types
    """Runs Alembic's commands on the warehouse. The provider's own hook needs a connection with a database address.

    `discard` lets a downgrade drop tables and columns that are not empty.
    """

    def __init__(self, discard: bool = False) -> None:
        # Imported here, because Google's client is slow to import and parsing DAGs does not need it.
        from reporting.orchestration.connections import warehouse
        from reporting.warehouse import schema

        self.cfg = schema.migrations(warehouse(read_settings()), discard)

    def move(self, revision: str) -> None:
        """Upgrade or downgrade the warehouse to `revision`.

        Raises `AirflowFailException` if this code does not have that revision, or if a downgrade would drop rows or values.
        """
        from reporting.warehouse import schema

        before = schema.current(self.cfg)
        try:
            if schema.is_older(self.cfg, revision, before):
                self.downgrade(revision)
            else:
                self.upgrade(revision)
        except schema.RevisionError as error:
            raise AirflowFailException(str(error)) from error
        except schema.DiscardError as error:
            # Upgrade again what was downgraded so far, which held no rows. The revision that refused may be undone in part,
            # so it is repeated as well.
            for each in schema.current(self.cfg):
                self.stamp(schema.before(self.cfg, each))
            for each in before:
                self.upgrade(each)
            raise AirflowFailException(
                f"{error} The warehouse is at {', '.join(before)} as before."
            ) from error


class SchemaOperator(AlembicOperator):  # type: ignore[misc]
    """Runs one of Alembic's commands, such as `upgrade`, or `move`, with the credentials of all other tasks.

    With the DAG's parameter `discard`, a downgrade may drop tables and columns that are not empty.
    """

    def __init__(self, *, command: str, **arguments: Any) -> None:
        super().__init__(conn_id="bigquery", command=command, script_location=SCRIPTS, **arguments)

    def execute(self, context: Context) -> Any:
        """Run the command up or down to the revision."""
        # Compared with True, because a text such as "false" would count as true.
        discard = context.get("params", {}).get("discard") is True
        return getattr(WarehouseHook(discard), self.command)(self.revision, **self.command_kwargs)
