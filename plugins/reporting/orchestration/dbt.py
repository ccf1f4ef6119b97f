"""The operators that run dbt."""

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowRescheduleException, AirflowSkipException

from reporting.ingest.landing import Refresh
from reporting.settings import Settings, read_settings
from reporting.transform import dbt

# A pool with one slot, since two dbt processes would write the same tables.
POOL = "dbt"
PLAN = "plan"
# The time limit of one attempt.
LIMIT = timedelta(hours=2)
# How long dbt gets to end after SIGTERM. Airflow kills a task that does not end soon after it was asked to.
ENDING_SECONDS = 3.0


class NodesFailedError(AirflowException):
    """dbt failed. `nodes` are the names of the nodes that failed, each with dbt's message."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(f"dbt failed: {'; '.join(lines)}")
        parts = [line.partition(": ") for line in lines]
        self.nodes = [(name, said) for name, _, said in parts]


class SourcesStaleError(NodesFailedError):
    """dbt found sources that are too old."""


class DbtTask(BashOperator):
    """Runs one dbt command with the warehouse's credentials. On failure the error names the nodes that failed.

    `command` is shown in Airflow before the task runs; the complete command is in the task's rendered fields afterwards.
    Neither contains credentials.
    """

    template_fields = ("bash_command",)
    # Airflow would otherwise read a command that ends in .sh or .bash as the name of a template file.
    template_ext = ()
    overwrite_rtif_after_execution = True

    def __init__(self, *, command: str, **arguments: Any) -> None:
        super().__init__(
            bash_command=command, append_env=False, pool=POOL, execution_timeout=LIMIT, **arguments
        )

    def on_kill(self) -> None:
        """Stop dbt and all its child processes. Does nothing if it has ended."""
        dbt = self.subprocess_hook.sub_process
        if dbt is None:
            return
        # dbt leads its own process group. A process that ignored SIGTERM would otherwise run beside the next attempt.
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(dbt.pid, number)
            except ProcessLookupError:
                return
            with suppress(subprocess.TimeoutExpired):
                dbt.wait(ENDING_SECONDS)

    def _run(
        self,
        context: Context,
        settings: Settings,
        command: list[str],
        failed: Callable[[Settings], list[str]],
        error: type[NodesFailedError] = NodesFailedError,
    ) -> None:
        dbt.prepare(settings)
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
                    "dbt failed before it built anything; the last lines above say why"
                ) from None
            except BaseException:
                # Such as the time limit. dbt must be stopped before its results are read.
                self.on_kill()
                raise


class DbtBuild(DbtTask):
    """Builds and tests one layer: `staging`, which plans the build, then `marts`, which records it."""

    def __init__(self, *, layer: Literal["staging", "marts"], refresh: Refresh, **arguments: Any) -> None:
        command = shlex.join(dbt.build_command(read_settings(), [f"tag:{layer}"]))
        if refresh == "changed":
            command += "  # when it runs, only models that depend on changed sources"
        super().__init__(command=command, task_id=layer, **arguments)
        self.layer = layer
        self.refresh = refresh

    def execute(self, context: Context) -> None:
        """Run dbt. Skips if no source has changed since the last successful build."""
        from reporting.orchestration.connections import warehouse
        from reporting.transform import builds

        settings = read_settings()
        if self.layer == "staging" and self.refresh == "changed":
            self._debounce(context, settings)
        client = warehouse(settings)
        if self.layer == "staging":
            plan = builds.plan(client, settings, self.refresh)
            if not plan.is_needed:
                raise AirflowSkipException("Nothing changed since the last successful build.")
            context["ti"].xcom_push(key=PLAN, value=plan.to_json())
        else:
            plan = builds.Plan.from_json(context["ti"].xcom_pull(task_ids="staging", key=PLAN))
        full_refresh = bool(context["params"].get("full_refresh"))
        command = dbt.build_command(settings, plan.selection(self.layer), full_refresh, plan.excluded)
        try:
            self._run(context, settings, command, dbt.failures)
        finally:
            self._note(client, settings, plan)
        if self.layer == "marts":
            builds.record(client, settings, plan)

    def _note(self, client: Any, settings: Settings, plan: Any) -> None:
        """Store the result of each node. This is only history, so a failure is logged and does not fail the task."""
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        from reporting.monitoring import records

        build = {"build_id": plan.build_id, "refresh": plan.refresh, "layer": self.layer}
        try:
            rows = [row | build for row in dbt.result_rows(settings)]
            if rows:
                records.append(
                    client, settings, records.RESULTS, f"dbt-results-{rows[0]['invocation_id']}", rows
                )
        # dbt may have been killed while it wrote its results.
        except (GoogleAPIError, GoogleAuthError, OSError, ValueError) as error:
            self.log.warning("dbt's results were not stored in the warehouse (%s).", type(error).__name__)

    def _debounce(self, context: Context, settings: Settings) -> None:
        """Reschedule the task until the sync has probably ended, because every build is billed for the tables that it reads."""
        begun = context["dag_run"].start_date or datetime.now(UTC)
        debounced_until = begun + timedelta(seconds=settings.debounce_seconds)
        if datetime.now(UTC) < debounced_until:
            raise AirflowRescheduleException(debounced_until)  # type: ignore[no-untyped-call]


class DbtSourceFreshness(DbtTask):
    """Fails if a source that was read before has not been read for too long."""

    def __init__(self, **arguments: Any) -> None:
        command = shlex.join(dbt.freshness_command(read_settings(), []))
        super().__init__(command=f"{command}  # when it runs, only sources that were read", **arguments)

    def execute(self, context: Context) -> None:
        """Run the check. Skips if no source was ever read."""
        from reporting.ingest import freshness
        from reporting.orchestration.connections import warehouse

        settings = read_settings()
        sources = freshness.last_reads(warehouse(settings), settings)
        if not sources:
            raise AirflowSkipException("No source has been read yet.")
        command = dbt.freshness_command(settings, sources)
        self._run(context, settings, command, dbt.stale, SourcesStaleError)


@contextmanager
def _keyfile(settings: Settings) -> Iterator[str | None]:
    """The key of the connection `bigquery` as a file; None for the local BigQuery, which needs none."""
    from reporting.orchestration.connections import service_account_key
    from reporting.transform import dbt

    with dbt.keyfile(None if settings.emulator_host else service_account_key()) as path:
        yield path
