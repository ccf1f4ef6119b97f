"""The tables of the dataset `ops`: what was loaded, built, told and erased, and how the pipelines ran."""

from typing import Any

import sqlalchemy as sa

from reporting.sources.columns import column


def sync_runs(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe the sync log in `metadata`: one row per committed run."""
    return sa.Table(
        "sync_runs",
        metadata,
        *_columns_of_the_read(),
        *_columns_of_the_load(),
        *_columns_of_the_source(),
        schema=f"{prefix}ops",
        comment="The ledger: one row a committed run. The cursor of an entity is its greatest complete cursor_at.",
        bigquery_clustering_fields=["source", "entity"],
    )


def _columns_of_the_read() -> list[sa.Column[Any]]:
    return [
        column("run_id", sa.String(), "Name of the read that was loaded: the key.", required=True),
        column("source", sa.String(), "Source that was read.", required=True),
        column("entity", sa.String(), "Entity that was read.", required=True),
        column(
            "refresh",
            sa.String(),
            "full (a sweep), changed (from the cursor) or replay (an earlier landing).",
            required=True,
        ),
        column("started_at", sa.TIMESTAMP(), "When the read began."),
        column("extracted_at", sa.TIMESTAMP(), "When the read ended."),
        column("committed_at", sa.TIMESTAMP(), "When the load was committed.", required=True),
        column("window_since", sa.TIMESTAMP(), "Start of the window that was read; null for a sweep."),
        column("window_until", sa.TIMESTAMP(), "End of the window that was read."),
        column("cursor_at", sa.TIMESTAMP(), "Where the next changed read may begin."),
    ]


def _columns_of_the_load() -> list[sa.Column[Any]]:
    return [
        column("rows_read", sa.Integer(), "Records and tombstones read."),
        column("rows_inserted", sa.Integer(), "Rows that were new."),
        column("rows_updated", sa.Integer(), "Rows whose content changed."),
        column("rows_tombstoned", sa.Integer(), "Rows that the source no longer has."),
        column("request_count", sa.Integer(), "Requests sent, retries included."),
        column(
            "caps_met",
            sa.Integer(),
            "How often a query met its source's cap on what one returns, and another went on.",
        ),
        column(
            "duration_seconds",
            sa.Float(),
            "Seconds from the start of the read to the commit, waiting included.",
        ),
        column("is_complete", sa.Boolean(), "Whether the source was read to its end.", required=True),
        column("landing_uri", sa.String(), "Where the answers are kept."),
        column(
            "rows_rejected",
            sa.Integer(),
            "Records without a key, which cannot be loaded.",
        ),
    ]


def _columns_of_the_source() -> list[sa.Column[Any]]:
    return [
        column(
            "content_digest",
            sa.String(),
            "Digest of everything that a sweep read; equal means that the source did not change in between.",
        ),
        column(
            "sync_token",
            sa.String(),
            "Where the source itself says that the next changed read begins; null where it does not.",
        ),
        column(
            "schema_digest",
            sa.String(),
            "Digest of the schema that the source had, when its changes were recorded.",
        ),
        column(
            "rows_in_source",
            sa.Integer(),
            "Records that a sweep found living in the source; null where it read what the one before it had read.",
        ),
        column(
            "rows_in_warehouse",
            sa.Integer(),
            "Rows that lived in the raw table once that sweep was loaded.",
        ),
    ]


def dbt_builds(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe the record of dbt builds in `metadata`: one row per successful build."""
    return sa.Table(
        "dbt_builds",
        metadata,
        column("build_id", sa.String(), "Name of the build: the key.", required=True),
        column("refresh", sa.String(), "full (every model) or changed (what changed sources feed)."),
        column("started_at", sa.TIMESTAMP(), "When the build was planned."),
        column("committed_at", sa.TIMESTAMP(), "When its last model was built and tested.", required=True),
        column(
            "run_ids",
            sa.ARRAY(sa.String()),
            "The runs in ops.sync_runs whose changes this build was the first to take in.",
        ),
        column(
            "project_digest",
            sa.String(),
            "Digest of the dbt project that was built; after another one everything is built anew.",
        ),
        schema=f"{prefix}ops",
        comment="One row a successful dbt build. A run in no row here has changed raw and not yet reached the marts.",
    )


def schema_changes(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe in `metadata` what is known of the sources' own schemas: one row per change of a property."""
    return sa.Table(
        "schema_changes",
        metadata,
        column(
            "change_id", sa.String(), "Digest of the change and of the one before it: the key.", required=True
        ),
        column("source", sa.String(), "Source whose schema it is.", required=True),
        column("entity", sa.String(), "Entity whose schema it is.", required=True),
        column(
            "property_id",
            sa.String(),
            "Id of the property in its source, which a new name leaves.",
            required=True,
        ),
        column(
            "change",
            sa.String(),
            "first (there at the first read), new, renamed, retyped, renamed and retyped, or gone.",
        ),
        column("name_before", sa.String(), "Name of the property before; null for a new one."),
        column("name_after", sa.String(), "Name of the property after; null for one that is gone."),
        column("type_before", sa.String(), "Type of the property in the source before."),
        column("type_after", sa.String(), "Type of the property in the source after."),
        column("first_seen_at", sa.TIMESTAMP(), "Start of the first read that saw it.", required=True),
        column("run_id", sa.String(), "That read, in ops.sync_runs."),
        schema=f"{prefix}ops",
        comment="One row a change of a property in a source. The latest row of a property is how it is now.",
        bigquery_clustering_fields=["source", "entity"],
    )


def messages_sent(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe the record of e-mails in `metadata`: one row per e-mail that was sent, or is being."""
    return sa.Table(
        "messages_sent",
        metadata,
        column(
            "message_key",
            sa.String(),
            "Which letter it is, as in summary/2026-11-16: the key.",
            required=True,
        ),
        column("run_id", sa.String(), "Run that sends or sent it."),
        column(
            "claimed_at",
            sa.TIMESTAMP(),
            "When that run began to send it; null when it failed and gave it back.",
        ),
        column("sent_at", sa.TIMESTAMP(), "When the mail server had taken it; null until then."),
        column("receiver_count", sa.Integer(), "Receivers that the mail server took it for."),
        column("size_bytes", sa.Integer(), "Size of the message as it travelled."),
        schema=f"{prefix}ops",
        comment="One row a letter that was sent, or is being; with it each is sent once.",
    )


def purged_keys(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe in `metadata` the list of who was erased: one row per hashed key."""
    return sa.Table(
        "purged_keys",
        metadata,
        column(
            "key_hash",
            sa.String(),
            "SHA-256 of the salt and the key of a record or an e-mail address.",
            required=True,
        ),
        column("salt", sa.String(), "What was hashed in front of the key.", required=True),
        column(
            "purge_id",
            sa.String(),
            "The purge; everything that was erased together has the same.",
            required=True,
        ),
        column("purged_at", sa.TIMESTAMP(), "When the purge began.", required=True),
        schema=f"{prefix}ops",
        comment="One row a key that was erased for good. Reads, loads and restores leave out what is here.",
        bigquery_clustering_fields=["purge_id"],
    )


def problems(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe in `metadata` the record of incidents: one row per incident."""
    return sa.Table(
        "problems",
        metadata,
        column(
            "problem_key",
            sa.String(),
            "Which problem it is, as in stale/notion.daily_habits; at most one row of a key is not well.",
            required=True,
        ),
        column("kind", sa.String(), "task, dbt, stale, rows, categories, expiry or check.", required=True),
        column("subject", sa.String(), "The problem in one line."),
        column("what", sa.String(), "What happened; of an error its type alone."),
        column("todo", sa.String(), "What to do."),
        column("link", sa.String(), "Where to look, below the address of the web interface."),
        column("dag_id", sa.String(), "DAG whose run saw it last; null where none did."),
        column("first_seen_at", sa.TIMESTAMP(), "When it was first seen.", required=True),
        column("last_seen_at", sa.TIMESTAMP(), "When it was last seen.", required=True),
        column("told_at", sa.TIMESTAMP(), "When a channel had taken the message about it."),
        column("well_at", sa.TIMESTAMP(), "When it was first seen to be well again."),
        column("well_told_at", sa.TIMESTAMP(), "When a channel had taken the message about that."),
        schema=f"{prefix}ops",
        comment="One row a problem, from when it was seen until it is well again; with it each is told once.",
    )


def airflow_runs(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe in `metadata` the history of DAG runs: one row per run, and one for each that was due and did not come."""
    return sa.Table(
        "airflow_runs",
        metadata,
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
        schema=f"{prefix}ops",
        comment="One row a run of a DAG, kept when Airflow's own is removed.",
        bigquery_clustering_fields=["dag_id"],
    )


def airflow_tries(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe in `metadata` the history of task instances: one row per try that has ended."""
    return sa.Table(
        "airflow_tries",
        metadata,
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
        schema=f"{prefix}ops",
        comment="One row a try of a task that has ended, kept when Airflow's own is removed.",
        bigquery_clustering_fields=["dag_id"],
    )


def dbt_results(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe in `metadata` what dbt said of each node: one row per node of one command."""
    return sa.Table(
        "dbt_results",
        metadata,
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
        schema=f"{prefix}ops",
        comment="One row a node that dbt built or tested, of builds that failed as well.",
        bigquery_clustering_fields=["node_id"],
    )


def table_profiles(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe the profiles of raw tables in `metadata`: one row per column of a profile."""
    return sa.Table(
        "table_profiles",
        metadata,
        column(
            "table_name", sa.String(), "Raw table: the key, with column_name and profiled_at.", required=True
        ),
        column("column_name", sa.String(), "Column of the table.", required=True),
        column("profiled_at", sa.TIMESTAMP(), "When the profile was begun.", required=True),
        column("kind", sa.String(), "text, number, date, time, boolean or list."),
        column("row_count", sa.Integer(), "Rows that lived in the table."),
        column("deleted_count", sa.Integer(), "Rows beside them that the source had deleted."),
        column(
            "null_count", sa.Integer(), "Living rows with nothing in the column; of a list, an empty one."
        ),
        column("distinct_count", sa.Integer(), "Different values, about; null for a list."),
        column("minimum", sa.String(), "Least value as text; of texts and lists the least length."),
        column("maximum", sa.String(), "Greatest value as text; of texts and lists the greatest length."),
        schema=f"{prefix}ops",
        comment="One row a column of a profile of a raw table. No value of a text is in it.",
        bigquery_clustering_fields=["table_name"],
    )


OPS_TABLES = (
    sync_runs,
    dbt_builds,
    schema_changes,
    messages_sent,
    purged_keys,
    problems,
    airflow_runs,
    airflow_tries,
    dbt_results,
    table_profiles,
)
