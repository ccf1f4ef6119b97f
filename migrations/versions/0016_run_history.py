"""Runs of DAGs, tries of tasks and dbt's results are kept longer than Airflow and dbt keep them."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def upgrade() -> None:
    dataset = read_settings().dataset("ops")
    op.create_table(
        "airflow_runs",
        column("dag_id", sa.String(), "DAG: with run_id the key.", required=True),
        column("run_id", sa.String(), "Run of the DAG, as Airflow names it.", required=True),
        column("run_type", sa.String(), "scheduled, manual, asset_triggered or backfill."),
        column(
            "state",
            sa.String(),
            "queued, running, success or failed, as Airflow has it; missing for a run that was due and is not there.",
        ),
        column("due_at", sa.TIMESTAMP(), "From when on it was to run."),
        column("queued_at", sa.TIMESTAMP(), "When Airflow last queued it."),
        column("started_at", sa.TIMESTAMP(), "When it began; null until then."),
        column("ended_at", sa.TIMESTAMP(), "When it ended; null until then."),
        column("updated_at", sa.TIMESTAMP(), "When Airflow last changed it; the cursor is the greatest."),
        schema=dataset,
        comment="One row a run of a DAG, kept when Airflow's own is removed.",
        bigquery_clustering_fields=["dag_id"],
        if_not_exists=True,
    )
    op.create_table(
        "airflow_tries",
        column(
            "dag_id",
            sa.String(),
            "DAG: the key, with run_id, task_id, map_index and try_number.",
            required=True,
        ),
        column("run_id", sa.String(), "Run of the DAG.", required=True),
        column("task_id", sa.String(), "Task of the DAG.", required=True),
        column("map_index", sa.Integer(), "Place of a mapped task, -1 for any other.", required=True),
        column(
            "try_number",
            sa.Integer(),
            "Which try it was, from 1; 0 for a task that never began.",
            required=True,
        ),
        column("state", sa.String(), "success, failed, skipped, upstream_failed or removed."),
        column("operator", sa.String(), "Class of the task."),
        column("pool", sa.String(), "Pool whose slot it took."),
        column("queued_at", sa.TIMESTAMP(), "When it was handed to the executor."),
        column("started_at", sa.TIMESTAMP(), "When it began."),
        column("ended_at", sa.TIMESTAMP(), "When it ended."),
        column("duration_seconds", sa.Float(), "Seconds from its begin to its end."),
        column("updated_at", sa.TIMESTAMP(), "When Airflow last changed it."),
        schema=dataset,
        comment="One row a try of a task that has ended, kept when Airflow's own is removed.",
        bigquery_clustering_fields=["dag_id"],
        if_not_exists=True,
    )
    op.create_table(
        "dbt_results",
        column(
            "invocation_id",
            sa.String(),
            "One start of dbt, as it names it: with node_id the key.",
            required=True,
        ),
        column(
            "node_id", sa.String(), "Node as dbt names it, such as model.reporting.habits.", required=True
        ),
        column("build_id", sa.String(), "The build; in ops.dbt_builds once all of it has succeeded."),
        column("refresh", sa.String(), "full (every model) or changed (what changed sources feed)."),
        column("layer", sa.String(), "staging or marts."),
        column("kind", sa.String(), "model, test, seed or snapshot."),
        column("name", sa.String(), "Name of the node."),
        column(
            "status", sa.String(), "success or pass, warn, fail, error, or skipped after another's error."
        ),
        column(
            "started_at", sa.TIMESTAMP(), "When dbt began the node; that of the command where it did not."
        ),
        column("duration_seconds", sa.Float(), "Seconds that dbt spent on the node."),
        column("rows_affected", sa.Integer(), "Rows that its statement wrote, where the warehouse tells."),
        column(
            "bytes_billed",
            sa.Integer(),
            "Bytes that its statement was billed for, where the warehouse tells.",
        ),
        column("failures", sa.Integer(), "Rows that a test returned; null for what is no test."),
        schema=dataset,
        comment="One row a node that dbt built or tested, of builds that failed as well.",
        bigquery_clustering_fields=["node_id"],
        if_not_exists=True,
    )


def downgrade() -> None:
    for table in ("dbt_results", "airflow_tries", "airflow_runs"):
        drop_table(op, f"{read_settings().dataset('ops')}.{table}")
