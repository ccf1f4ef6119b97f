"""Starts an installation for a command: the warehouse with an up-to-date schema, Airflow's processes, and clients of both."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from rich.console import Console

from reporting.deploy import configuration, processes
from reporting.deploy.airflow_api import AirflowApi
from reporting.deploy.errors import CommandError
from reporting.deploy.processes import LOOPBACK, Prepared
from reporting.deploy.syncs import release_builds
from reporting.local.bigquery import found as running_bigquery
from reporting.local.bigquery import running as bigquery_running
from reporting.local.serving import free_port
from reporting.naming import DagId
from reporting.settings import LOCAL_BIGQUERY, ROOT, Settings, read_settings
from reporting.sources.registry import ENTITIES
from reporting.warehouse import schema
from reporting.warehouse.client import connect

AIRFLOW_PORT = 8080
BIGQUERY_PORT = 9050
UPGRADING = "Upgrading the warehouse's schema to its newest revision ..."


@dataclass(frozen=True, slots=True)
class Installation:
    """A running installation, valid within the block of `running`."""

    address: str
    api: AirflowApi
    client: bigquery.Client
    settings: Settings
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything that Airflow's processes need: their environment, and the prepared warehouse and metadata database."""

    environment: dict[str, str]
    client: bigquery.Client
    settings: Settings
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A warehouse for commands that do not need Airflow, valid within the block of `warehouse_running`."""

    client: bigquery.Client
    settings: Settings


@contextmanager
def warehouse_running(
    state: Path,
    variables: Mapping[str, str],
    console: Console,
    *,
    bigquery_port: int = BIGQUERY_PORT,
    is_written: bool = True,
    is_shared: bool = True,
) -> Iterator[Warehouse]:
    """Provide the warehouse that `variables` and the environment describe, without Airflow.

    With `is_written` its schema is upgraded first. If no Google project is configured, it is the local BigQuery in `state`: the
    one that another command runs now, or one that runs until the block ends. A command that is not `is_shared`, since it must
    not meet the loads of a running server, is refused while another one uses `state`. Raises `CommandError`.
    """
    given = dict(variables) | dict(os.environ)
    with ExitStack() as stack:
        found: dict[str, str] = {}
        if is_shared and not is_configured(given) and (local := running_bigquery(state / LOCAL_BIGQUERY)):
            found = local.variables
        elif not is_configured(given):
            # Only one process may use the local files. A warehouse that runs elsewhere can be shared.
            stack.enter_context(configuration.state_folder(state))
            found = _warehouse(stack, state, given, console, _free(bigquery_port))
        environment = _without_airflow(state, dict(variables) | found)
        settings = read_settings(environment)
        if is_written:
            console.print(UPGRADING)
            yield Warehouse(upgraded_warehouse(settings, environment), settings)
        else:
            yield Warehouse(connect(settings, configuration.google_credentials(environment)), settings)


def _free(port: int) -> int:
    """`port`, or another free one if `port` is the default and is in use, for example by the demo."""
    try:
        processes.check_port(port, "the local BigQuery", "--bigquery-port")
    except CommandError:
        if port != BIGQUERY_PORT:
            raise
        return free_port()
    return port


def settings_of(state: Path, variables: Mapping[str, str]) -> Settings:
    """The settings of the installation in `state`. Raises `SettingError`."""
    return read_settings(_without_airflow(state, variables))


def _without_airflow(state: Path, variables: Mapping[str, str]) -> dict[str, str]:
    return {"REPORTING_STATE": str(state)} | dict(variables) | dict(os.environ)


@contextmanager
def running(
    state: Path,
    variables: Mapping[str, str],
    console: Console,
    *,
    port: int,
    bigquery_port: int = BIGQUERY_PORT,
    new_password: bool = False,
) -> Iterator[Installation]:
    """Start everything that `variables` and the environment describe, and stop all of it when the block ends.

    If no Google project is configured, the warehouse is a local BigQuery in `state`. Raises `CommandError`.
    """
    with ExitStack() as stack:
        ready = prepare(
            stack,
            state,
            variables,
            console,
            port=port,
            bigquery_port=bigquery_port,
            new_password=new_password,
        )
        console.print("Starting Airflow: api-server, scheduler, dag-processor ...")
        stack.enter_context(processes.airflow_running(ready.environment, state / "airflow.log"))
        address = f"http://{LOOPBACK}:{port}"
        api = AirflowApi(address, ready.prepared.token)
        stack.callback(api.close)
        api.await_dags(_first_dags())
        release_builds(api, ready.settings)
        yield Installation(address, api, ready.client, ready.settings, ready.prepared)


def prepare(
    stack: ExitStack,
    state: Path,
    variables: Mapping[str, str],
    console: Console,
    *,
    port: int,
    bigquery_port: int = BIGQUERY_PORT,
    new_password: bool = False,
) -> Ready:
    """Prepare everything except Airflow itself. Processes that are started here end with `stack`. Raises `CommandError`."""
    processes.check_port(port, "Airflow's web interface", "--port")
    given = dict(variables) | dict(os.environ)
    variables = dict(variables) | _warehouse(stack, state, given, console, bigquery_port)
    environment = configuration.airflow_environment(state, port, variables)
    settings = read_settings(environment)
    console.print(UPGRADING)
    client = upgraded_warehouse(settings, environment)
    console.print("Preparing Airflow's metadata database ...")
    return Ready(
        environment, client, settings, processes.prepare(environment, state / "prepare.log", new_password)
    )


def upgraded_warehouse(settings: Settings, environment: Mapping[str, str]) -> bigquery.Client:
    """Upgrade the warehouse to the code's revision, and return a client of it. Raises `CommandError`."""
    try:
        client = connect(settings, configuration.google_credentials(environment))
        schema.upgrade(client, settings=settings)
    except (GoogleAPICallError, GoogleAuthError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise CommandError(
            f"the warehouse cannot be used: {said} Run script/doctor to find out what to do."
        ) from None
    return client


def _warehouse(
    stack: ExitStack, state: Path, given: Mapping[str, str], console: Console, port: int
) -> dict[str, str]:
    """The variables of the warehouse. Starts a local BigQuery if none is configured."""
    if is_configured(given):
        return {}
    processes.check_port(port, "the local BigQuery", "--bigquery-port")
    console.print("Starting the local BigQuery ...")
    try:
        local = stack.enter_context(bigquery_running(state / LOCAL_BIGQUERY, port))
    except RuntimeError as error:
        raise CommandError(str(error)) from None
    return local.variables


def is_configured(variables: Mapping[str, str]) -> bool:
    """Whether `variables` lead to a warehouse, so that no local one has to be started."""
    return bool(variables.get("BIGQUERY_EMULATOR_HOST") or variables.get("REPORTING_BIGQUERY_PROJECT"))


def require_warehouse(variables: Mapping[str, str]) -> None:
    """Raise `CommandError` if neither `variables` nor the environment lead to a warehouse."""
    if is_configured(dict(variables) | dict(os.environ)):
        return
    raise CommandError(
        "no warehouse is configured. Run script/connect bigquery, or use script/server, which starts a local one."
    )


def _first_dags() -> list[str]:
    return [str(DagId("raw", entity.source, entity.name, entity.first_refresh)) for entity in ENTITIES]


def default_state(name: str) -> Path:
    """The state folder of the demo or of the owner's own data."""
    return ROOT / "var" / name
