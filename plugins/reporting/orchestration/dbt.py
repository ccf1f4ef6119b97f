"""The tasks that start dbt."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowRescheduleException, AirflowSkipException

from reporting.landing import Refresh
from reporting.settings import Settings, read_settings

# One dbt at a time: two would write the same tables.
POOL = "dbt"
PLAN = "plan"


class NodesFailedError(AirflowException):
    """dbt ended with an error. `nodes` are the names of what failed, each with what dbt says of it."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(f"dbt failed: {'; '.join(lines)}")
        parts = [line.partition(": ") for line in lines]
        self.nodes = [(name, said) for name, _, said in parts]


class SourcesStaleError(NodesFailedError):
    """dbt found sources that are older than they may be."""


class DbtTask(BashOperator):
    """Runs one dbt command with the warehouse's credentials, and fails with the names of what failed."""

    # Nothing here comes from a template: the command is made of settings and of the ledger.
    template_fields = ()

    def __init__(self, **arguments: Any) -> None:
        super().__init__(bash_command="", append_env=False, pool=POOL, **arguments)

    def _run(
        self,
        context: Context,
        settings: Settings,
        command: list[str],
        failed: Callable[[Settings], list[str]],
        error: type[NodesFailedError] = NodesFailedError,
    ) -> None:
        from reporting import dbt

        dbt.forget_results(settings)
        with _keyfile(settings) as keyfile:
            self.env = dbt.environment(settings, keyfile)
            self.bash_command = shlex.join(command)
            try:
                super().execute(context)
            except AirflowException:
                names = failed(settings)
                for name in names:
                    self.log.error("Failed: %s", name)
                if names:
                    raise error(names) from None
                raise AirflowException(
                    "dbt failed: dbt ended before it built anything; its last lines above say why"
                ) from None


class DbtBuild(DbtTask):
    """Builds and tests one layer: `staging`, which plans the build, then `marts`, which records it."""

    def __init__(self, *, layer: Literal["staging", "marts"], refresh: Refresh, **arguments: Any) -> None:
        super().__init__(task_id=layer, **arguments)
        self.layer = layer
        self.refresh = refresh

    def execute(self, context: Context) -> None:
        """Run dbt; skips when no source has changed since the last successful build."""
        from reporting import dbt
        from reporting.orchestration.connections import warehouse
        from reporting.warehouse import builds

        settings = read_settings()
        if self.layer == "staging" and self.refresh == "changed":
            self._settle(context, settings)
        client = warehouse(settings)
        if self.layer == "staging":
            plan = builds.plan(client, settings, self.refresh)
            if not plan.is_needed:
                raise AirflowSkipException("Nothing changed since the last successful build.")
            context["ti"].xcom_push(key=PLAN, value=plan.to_json())
        else:
            plan = builds.Plan.from_json(context["ti"].xcom_pull(task_ids="staging", key=PLAN))
        full_refresh = bool(context["params"].get("full_refresh"))
        command = dbt.build_command(settings, plan.selection(self.layer), full_refresh)
        try:
            self._run(context, settings, command, dbt.failures)
        finally:
            self._note(client, settings, plan)
        if self.layer == "marts":
            builds.record(client, settings, plan)

    def _note(self, client: Any, settings: Settings, plan: Any) -> None:
        """Keep what dbt said of each node. It is history, so a failure is a line in the log and no error."""
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        from reporting import dbt
        from reporting.warehouse import records

        build = {"build_id": plan.build_id, "refresh": plan.refresh, "layer": self.layer}
        try:
            rows = [row | build for row in dbt.result_rows(settings)]
            if rows:
                records.append(
                    client, settings, records.RESULTS, f"dbt-results-{rows[0]['invocation_id']}", rows
                )
        # Whoever ended dbt may have ended it while it wrote them.
        except (GoogleAPIError, GoogleAuthError, OSError, ValueError) as error:
            self.log.warning("dbt's results were not kept in the warehouse (%s).", type(error).__name__)

    def _settle(self, context: Context, settings: Settings) -> None:
        """Come again when the round has had time to end: each build is billed for every table that it looks at."""
        begun = context["dag_run"].start_date or datetime.now(UTC)
        settled_at = begun + timedelta(seconds=settings.settle_seconds)
        if datetime.now(UTC) < settled_at:
            raise AirflowRescheduleException(settled_at)  # type: ignore[no-untyped-call]


class DbtSourceFreshness(DbtTask):
    """Fails when a source that was read before has not been read for too long."""

    def execute(self, context: Context) -> None:
        """Run the check; skips while nothing was ever read."""
        from reporting import dbt
        from reporting.orchestration.connections import warehouse
        from reporting.warehouse import ledger

        settings = read_settings()
        sources = ledger.sources_read(warehouse(settings), settings)
        if not sources:
            raise AirflowSkipException("No source was read yet.")
        command = dbt.freshness_command(settings, sources)
        self._run(context, settings, command, dbt.stale, SourcesStaleError)


@contextmanager
def _keyfile(settings: Settings) -> Iterator[str | None]:
    """The key of the connection `bigquery` as a file; None for the local BigQuery, which wants none."""
    from reporting import dbt
    from reporting.orchestration.connections import service_account_key

    with dbt.keyfile(None if settings.emulator_host else service_account_key()) as path:
        yield path
