"""The schema comes from Airflow with the credentials of the machine, without a connection."""

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow_provider_alembic.operators.alembic import AlembicOperator
from google.cloud import bigquery

from reporting.orchestration.dags.warehouse import schema_dag
from reporting.orchestration.schema import SchemaOperator
from reporting.settings import Settings
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from reporting.warehouse.tables import describe


@pytest.fixture
def client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> bigquery.Client:
    """A client of a warehouse of the test's own, at the newest revision."""
    for name, value in settings.emulator_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REPORTING_DATASET_PREFIX", settings.dataset_prefix)
    monkeypatch.delenv("AIRFLOW_CONN_BIGQUERY", raising=False)
    made = connect(settings)
    schema.upgrade(made)
    return made


def trigger(**params: Any) -> None:
    """Run the DAG's task as a run with these parameters does."""
    dag = schema_dag()
    context: Any = {"params": {name: dag.params[name] for name in dag.params} | params}
    task = dag.get_task("upgrade")
    task.render_template_fields(context)
    task.execute(context)


def revisions(client: bigquery.Client) -> tuple[str, ...]:
    return schema.current(schema.migrations(client))


def tables(client: bigquery.Client, settings: Settings) -> dict[str, set[str]]:
    """The columns of each table."""
    return {
        f"{name}.{table.table_id}": {field.name for field in client.get_table(table).schema}
        for name in ("raw", "ops")
        for table in client.list_tables(settings.dataset(name))
        if table.table_id != "alembic_version"
    }


def test_it_needs_no_connection(
    current_warehouse: tuple[bigquery.Client, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, settings = current_warehouse
    for name, value in settings.emulator_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REPORTING_DATASET_PREFIX", settings.dataset_prefix)
    monkeypatch.delenv("AIRFLOW_CONN_BIGQUERY", raising=False)
    table = f"{settings.dataset('ops')}.alembic_version"
    client.query_and_wait(f"UPDATE `{table}` SET version_num = '0019' WHERE TRUE")
    operator = SchemaOperator(task_id="upgrade", command="stamp", revision="head")
    assert isinstance(operator, AlembicOperator)
    operator.execute({})
    assert [row["version_num"] for row in client.query_and_wait(f"SELECT version_num FROM `{table}`")] == [
        schema.head(client)
    ]
    SchemaOperator(task_id="upgrade", command="upgrade").execute({})


def test_down_and_up_again_from_airflow(client: bigquery.Client, settings: Settings) -> None:
    newest = tables(client, settings)
    trigger(revision="0018")
    assert revisions(client) == ("0018",)
    older = tables(client, settings)
    later = ("property_history", "tickets", "products", "line_items", "lists", "list_memberships")
    assert set(newest) - set(older) == {
        "raw.sql__time_entries",
        "raw.google_calendar__calendars",
        "raw.google_calendar__events",
        *(f"raw.hubspot__{name}" for name in later),
    }
    assert newest["ops.sync_runs"] - older["ops.sync_runs"] == {"caps_met"}
    trigger(revision="0019")
    assert revisions(client) == ("0019",)
    trigger()
    assert revisions(client) == (schema.head(client),)
    assert tables(client, settings) == newest


def test_a_way_down_that_would_lose_rows_leaves_everything_as_it_was(
    client: bigquery.Client, settings: Settings
) -> None:
    """The revisions above hold nothing, and neither do the tables that the one which refuses drops first."""
    runs = f"{settings.dataset('ops')}.airflow_runs"
    required = {
        column.name: "TIMESTAMP '2026-11-01'" if column.type.python_type is not str else "'kept'"
        for column in describe(settings.dataset_prefix).tables[runs].columns
        if not column.nullable
    }
    client.query_and_wait(
        f"INSERT INTO `{runs}` ({', '.join(required)}) VALUES ({', '.join(required.values())})"
    )
    newest = tables(client, settings)
    with pytest.raises(AirflowFailException, match=r"airflow_runs holds 1 rows.*as before"):
        trigger(revision="0015", discard="false")
    assert revisions(client) == (schema.head(client),)
    assert tables(client, settings) == newest
    assert client.get_table(runs).num_rows == 1
    trigger(revision="0015", discard=True)
    assert revisions(client) == ("0015",)
    assert "ops.airflow_runs" not in tables(client, settings)


def test_a_revision_that_is_not_there_is_refused_at_once(
    current_warehouse: tuple[bigquery.Client, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, settings = current_warehouse
    monkeypatch.delenv("AIRFLOW_CONN_BIGQUERY", raising=False)
    for unknown in ("9999", "00", "heads", "-1"):
        with pytest.raises(
            AirflowFailException, match=rf"no revision '{unknown}'; this code has 0001, 0002, "
        ):
            trigger(revision=unknown)
    version = f"{settings.dataset('ops')}.alembic_version"
    newest = schema.head(client)
    assert revisions(client) == (newest,)
    client.query_and_wait(f"UPDATE `{version}` SET version_num = '9999' WHERE TRUE")
    try:
        for known in ("0018", "head"):
            with pytest.raises(AirflowFailException, match="has the revision 9999, which this code does not"):
                trigger(revision=known)
        assert revisions(client) == ("9999",)
    finally:
        client.query_and_wait(f"UPDATE `{version}` SET version_num = '{newest}' WHERE TRUE")


@pytest.mark.parametrize(
    ("revision", "than", "expected"),
    [
        ("base", ("0020",), True),
        ("base", (), False),
        ("0001", ("0020",), True),
        ("0019", ("0020",), True),
        ("0020", ("0020",), False),
        ("0020", ("0019",), False),
        ("0001", (), False),
        ("head", ("0001",), False),
    ],
)
def test_the_way_to_a_revision_leads_up_or_down(
    revision: str, than: tuple[str, ...], expected: bool, current_warehouse: tuple[bigquery.Client, Settings]
) -> None:
    assert schema.is_older(schema.migrations(current_warehouse[0]), revision, than) is expected
