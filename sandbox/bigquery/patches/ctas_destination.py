"""A CREATE TABLE AS SELECT job names the table that it made.

BigQuery fills `configuration.query.destinationTable`; dbt asks for that table after building a model, and
fails with local-bigquery 0.4.0, which leaves it out. The query's own answer, which has no rows, must not be
read from that table. Drop it when upstream names the table.
"""

from typing import Any

from local_bigquery.api import jobs as api
from local_bigquery.jobs import runner

KIND = "CREATE_TABLE_AS_SELECT"


def apply() -> None:
    """Replace the runner's query step and the answer to a query."""
    run_query, answer = runner._query, api.results

    def query(job: Any, session: Any, running: Any) -> Any:
        statistics = run_query(job, session, running)
        done = statistics.query
        if done and done.statementType == KIND and done.ddlTargetTable and done.ddlTargetTable.datasetId:
            job.configuration.query.destinationTable = done.ddlTargetTable
        return statistics

    def results(job: Any, *args: Any) -> Any:
        done = job.statistics.query
        if job.status.state == "DONE" and done and done.statementType == KIND:
            plain = job.configuration.query.without("destinationTable")
            job = job.replace(configuration=job.configuration.replace(query=plain))
        return answer(job, *args)

    runner._query = query
    api.results = results
