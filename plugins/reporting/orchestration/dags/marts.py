"""The DAGs that build staging and marts."""

from airflow.sdk import DAG, AssetAny, Param

from reporting.naming import DagId
from reporting.orchestration.dags.common import asset, daily, defaults
from reporting.orchestration.dbt import DbtBuild
from reporting.sources.registry import ENTITIES


def mart_dags() -> dict[str, DAG]:
    """The DAGs that build staging and marts, by id."""
    with DAG(
        dag_id=str(DagId("mart", "personal", "models", "changed")),
        description="Builds the models that depend on changed sources, soon after they changed.",
        doc_md=(
            "### Staging and marts, after a change\n\nTriggered when any raw table changes. It builds the models of every "
            "source that, according to the sync log, has changes which no successful build has included yet."
        ),
        schedule=AssetAny(*map(asset, ENTITIES)),
        max_active_runs=1,
        default_args=defaults(),
        tags=["mart"],
    ) as changed:
        DbtBuild(layer="staging", refresh="changed") >> DbtBuild(layer="marts", refresh="changed")

    with DAG(
        dag_id=str(DagId("mart", "personal", "models", "full")),
        description="Builds every model, once a day.",
        doc_md=(
            "### Staging and marts, daily\n\nStreaks end and months begin even without new data, so everything is built "
            "once a day in the owner's time zone. With `full_refresh`, incremental models are rebuilt from the beginning."
        ),
        schedule=daily("41 0 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(),
        tags=["mart"],
        params={"full_refresh": Param(False, type="boolean", description="Rebuild incremental models too.")},
    ) as full:
        DbtBuild(layer="staging", refresh="full") >> DbtBuild(layer="marts", refresh="full")
    return {dag.dag_id: dag for dag in (changed, full)}
