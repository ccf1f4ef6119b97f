"""One installation, running: the warehouse at its revision, Airflow's processes, and clients of both."""

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from rich.console import Console

from reporting.commands import configuration, processes
from reporting.commands.airflow_api import AirflowApi
from reporting.commands.errors import CommandError
from reporting.commands.processes import LOOPBACK, Prepared
from reporting.commands.rounds import release_builds
from reporting.entities import ENTITIES, Entity, entity_named
from reporting.naming import DagId
from reporting.settings import LOCAL_BIGQUERY, ROOT, SettingError, Settings, read_settings
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from sandbox.bigquery.server import running as bigquery_running

AIRFLOW_PORT = 8080
BIGQUERY_PORT = 9050
UPGRADING = "Bringing the warehouse's schema to its newest revision ..."


@dataclass(frozen=True, slots=True)
class Installation:
    """What a command works with while the block of `running` lasts."""

    address: str
    api: AirflowApi
    client: bigquery.Client
    settings: Settings
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Warehouse:
    """What a command that needs no Airflow works with while the block of `warehouse_running` lasts."""

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
) -> Iterator[Warehouse]:
    """The warehouse that `variables` and the environment describe, without Airflow.

    If it `is_written` it is brought to its newest revision before. Without a Google project it is the local BigQuery in
    `state`, which ends with the block. Raises `CommandError`.
    """
    given = dict(variables) | dict(os.environ)
    with ExitStack() as stack:
        if not (given.get("BIGQUERY_EMULATOR_HOST") or given.get("REPORTING_BIGQUERY_PROJECT")):
            # Its files are one process's; a warehouse that runs elsewhere is shared.
            stack.enter_context(configuration.state_folder(state))
        found = _warehouse(stack, state, given, console, bigquery_port)
        environment = _without_airflow(state, dict(variables) | found)
        settings = _settings(environment)
        if is_written:
            console.print(UPGRADING)
            yield Warehouse(upgraded_warehouse(settings, environment), settings)
        else:
            yield Warehouse(connect(settings, configuration.google_credentials(environment)), settings)


def settings_of(state: Path, variables: Mapping[str, str]) -> Settings:
    """The settings of the installation in `state`. Raises `CommandError`."""
    return _settings(_without_airflow(state, variables))


def _without_airflow(state: Path, variables: Mapping[str, str]) -> dict[str, str]:
    return {"REPORTING_STATE": str(state)} | dict(variables) | dict(os.environ)


def entity(name: str) -> Entity:
    """The entity that an argument of a command names."""
    try:
        return entity_named(name)
    except LookupError as error:
        raise argparse.ArgumentTypeError(str(error.args[0])) from None


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
    """Start everything that `variables` and the environment describe, and end all of it with the block.

    Without a Google project the warehouse is a local BigQuery in `state`. Raises `CommandError`.
    """
    processes.check_port(port, "Airflow's web interface", "--port")
    given = dict(variables) | dict(os.environ)
    with ExitStack() as stack:
        variables = dict(variables) | _warehouse(stack, state, given, console, bigquery_port)
        environment = configuration.airflow_environment(state, port, variables)
        settings = _settings(environment)
        console.print(UPGRADING)
        client = upgraded_warehouse(settings, environment)
        console.print("Preparing Airflow's metadata database ...")
        prepared = processes.prepare(environment, state / "prepare.log", new_password)
        console.print("Starting Airflow: api-server, scheduler, dag-processor ...")
        stack.enter_context(processes.airflow_running(environment, state / "airflow.log"))
        address = f"http://{LOOPBACK}:{port}"
        api = AirflowApi(address, prepared.token)
        stack.callback(api.close)
        api.await_dags(_first_dags())
        release_builds(api, settings)
        yield Installation(address, api, client, settings, prepared)


def upgraded_warehouse(settings: Settings, environment: Mapping[str, str]) -> bigquery.Client:
    """A client of the warehouse, which is at the code's revision. Raises `CommandError`."""
    try:
        client = connect(settings, configuration.google_credentials(environment))
        schema.upgrade(client, settings=settings)
    except (GoogleAPICallError, GoogleAuthError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise CommandError(
            f"the warehouse cannot be used: {said} Run script/doctor, which says what to do."
        ) from None
    return client


def _warehouse(
    stack: ExitStack, state: Path, given: Mapping[str, str], console: Console, port: int
) -> dict[str, str]:
    """The variables of the warehouse; starts a local one where none is configured."""
    if given.get("BIGQUERY_EMULATOR_HOST") or given.get("REPORTING_BIGQUERY_PROJECT"):
        return without_local_bigquery(given)
    processes.check_port(port, "the local BigQuery", "--bigquery-port")
    console.print("Starting the local BigQuery ...")
    try:
        local = stack.enter_context(bigquery_running(state / LOCAL_BIGQUERY, port))
    except RuntimeError as error:
        raise CommandError(str(error)) from None
    connection = configuration.local_bigquery_connection("local")
    return {**local.variables, "AIRFLOW_CONN_BIGQUERY": connection}


def without_local_bigquery(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a warehouse that is there already. Raises `CommandError` when none is configured."""
    given = dict(variables) | dict(os.environ)
    if given.get("BIGQUERY_EMULATOR_HOST"):
        project = given.get("REPORTING_BIGQUERY_PROJECT", "local")
        return {"AIRFLOW_CONN_BIGQUERY": configuration.local_bigquery_connection(project)}
    if given.get("REPORTING_BIGQUERY_PROJECT"):
        return {}
    raise CommandError(
        "no warehouse is configured. Run script/connect bigquery, or use script/server, which starts a local one."
    )


def _settings(environment: Mapping[str, str]) -> Settings:
    try:
        return read_settings(environment)
    except SettingError as error:
        raise CommandError(str(error)) from None


def _first_dags() -> list[str]:
    return [str(DagId("raw", entity.source, entity.name, "full")) for entity in ENTITIES]


def default_state(name: str) -> Path:
    """The state folder of the demo or of one's own data."""
    return ROOT / "var" / name
