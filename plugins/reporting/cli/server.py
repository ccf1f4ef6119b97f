"""Runs everything with your own data, on schedule, until Ctrl-C.

It uses the connections that script/connect has stored, or that are in the environment.

Example: script/server --port 8081
"""

import threading
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Console

from reporting.cli.command import LOCAL, BigQueryPort, Data, Port
from reporting.deploy import configuration, installation
from reporting.deploy.errors import end_on_signals
from reporting.deploy.installation import AIRFLOW_PORT, BIGQUERY_PORT


def main(
    port: Port = AIRFLOW_PORT,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    new_password: Annotated[
        bool, typer.Option("--new-password", help="set a new password for the admin, and show it")
    ] = False,
    data: Data = LOCAL,
) -> int:
    """Start Airflow with the stored connections and those in the environment."""
    end_on_signals()
    console = Console()
    with ExitStack() as stack:
        state = stack.enter_context(configuration.state_folder(data.resolve()))
        variables = configuration.read_owner_file(configuration.owner_file())
        running = stack.enter_context(
            installation.running(
                state,
                variables,
                console,
                port=port,
                bigquery_port=bigquery_port,
                new_password=new_password,
            )
        )
        password = running.prepared.password
        login = (
            f"password {password}"
            if password
            else "the password that was set before (script/server --new-password sets a new one)"
        )
        console.print(
            f"Airflow: {running.address}  user admin, {login}\nServing until Ctrl-C.", soft_wrap=True
        )
        threading.Event().wait()
    return 0
