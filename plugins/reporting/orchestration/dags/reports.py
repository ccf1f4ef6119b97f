"""The DAGs that deliver the marts to people: the report, the e-mails, the exports."""

from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowSkipException

from reporting.naming import DagId
from reporting.orchestration.dags.common import COPY_LIMIT, daily, defaults, instant
from reporting.reports import DAG as REPORT
from reporting.settings import EXPORT_FORMATS, read_settings


def report_dag() -> DAG:
    """The DAG that makes the report."""
    with DAG(
        dag_id=str(DagId.parse(REPORT)),
        description="Makes the report of the marts and the sync log, once a day.",
        doc_md=(
            "### The report\n\nWrites a self-contained site to `REPORTING_SITE_URI`, a folder or a bucket: habits, "
            "relationships, companies and deals, engagement, and how fresh the data is. It is the page *Reporting* in the menu. "
            "It is made every morning, after the night's full refreshes and the build of everything. Run it by hand if you want a "
            "newer one. If a run is interrupted, the pages still work."
        ),
        schedule=daily("23 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(retries=2),
        tags=["report"],
    ) as dag:

        @task
        def site() -> str:
            return _site()

        site()
    return dag


def summary_dag() -> DAG:
    """The DAG that sends the week's summary."""
    with DAG(
        dag_id=str(DagId("report", "personal", "summary", "weekly")),
        description="Sends the summary of last week to the owner, on Mondays.",
        doc_md=(
            "### The week by e-mail\n\nSends habits, whom to call, birthdays, deals and engagements of the last complete week to "
            "`REPORTING_SUMMARY_EMAIL`; skipped if that is not set. Each week is sent only once, even if this runs several times "
            "(`ops.messages_sent`); with `again` it is sent once more."
        ),
        schedule=daily("13 6 * * 1"),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(),
        tags=["report", "mail"],
        params={
            "again": Param(
                False, type="boolean", description="Send the week again although it was sent before."
            )
        },
    ) as dag:

        @task
        def send() -> int:
            from reporting.orchestration import mail

            return mail.send_summary()

        send()
    return dag


def csv_dag() -> DAG:
    """The DAG that sends the marts as CSV."""
    with DAG(
        dag_id=str(DagId("report", "marts", "full_csv", "daily")),
        description="Sends every mart as CSV.",
        doc_md=(
            "### The marts by e-mail\n\nSends every mart as a CSV attachment to the addresses in `REPORTING_CSV_EMAIL`, except "
            "the project's records about itself (`ops_runs`, `ops_dbt_results`, `ops_table_profiles`); skipped if no address is "
            "set. It sends once a day by schedule, and in each run that is started by hand. If the files are too large for "
            "`REPORTING_MAIL_MEGABYTES`, they are packed into one ZIP; if that is too large as well, the run fails and says what "
            "to use instead."
        ),
        schedule=daily("23 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(),
        tags=["report", "mail"],
    ) as dag:

        @task
        def send() -> int:
            from reporting.orchestration import mail

            return mail.send_csv()

        send()
    return dag


def export_dag() -> DAG:
    """The DAG that exports the marts to a folder or bucket."""
    with DAG(
        dag_id=str(DagId("report", "marts", "export", "daily")),
        description="Exports the marts to a folder or bucket.",
        doc_md=(
            "### The marts as files\n\nDoes the same as `script/export`, to the folder or bucket in `REPORTING_EXPORT_URI`; "
            "skipped if that is not set. The names are the same each day: `marts/` with one file per mart, or `marts.duckdb` or "
            "`marts.sqlite`. With `since` or `until`, the earlier export is replaced by the rows of that window."
        ),
        schedule=daily("33 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(),
        tags=["report"],
        params={
            "to": Param(
                None,
                type=["null", "string"],
                enum=[None, *EXPORT_FORMATS],
                description="Format of the files. Empty: as in REPORTING_EXPORT_FORMAT.",
            ),
            "marts": Param(
                [],
                type="array",
                items={"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"},
                maxItems=1000,
                description="Marts to export. Empty: all of them.",
            ),
            "since": instant("Only rows from this time on: an ISO date or time."),
            "until": instant("Only rows before this time: an ISO date or time."),
        },
    ) as dag:

        @task(execution_timeout=COPY_LIMIT)
        def export() -> dict[str, int]:
            from reporting.orchestration import exports

            return exports.export_marts()

        export()
    return dag


def _site() -> str:
    # Heavy: Google's client and the templates.
    from reporting.orchestration import connections
    from reporting.reports.build import build
    from reporting.reports.marts import ReportError

    settings = read_settings()
    try:
        return build(connections.warehouse(settings), settings).first
    except ReportError as error:
        raise AirflowSkipException(str(error)) from None
