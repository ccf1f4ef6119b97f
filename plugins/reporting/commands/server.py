"""One's own data: everything runs on its schedules until Ctrl-C."""

import argparse
import threading
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from reporting.commands import configuration, installation
from reporting.commands.errors import end_on_signals, run
from reporting.commands.installation import AIRFLOW_PORT, BIGQUERY_PORT


def main() -> int:
    """Start Airflow with what script/connect has stored, or the environment holds."""
    parser = argparse.ArgumentParser("script/server", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=AIRFLOW_PORT, help="Airflow's web interface (%(default)s)"
    )
    parser.add_argument(
        "--bigquery-port", type=int, default=BIGQUERY_PORT, help="local BigQuery (%(default)s)"
    )
    parser.add_argument(
        "--new-password", action="store_true", help="give the admin a new password, and show it"
    )
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    options = parser.parse_args()
    end_on_signals()
    console = Console()
    with ExitStack() as stack:
        state = stack.enter_context(configuration.state_folder(options.data.resolve()))
        variables = configuration.read_owner_file(configuration.owner_file())
        running = stack.enter_context(
            installation.running(
                state,
                variables,
                console,
                port=options.port,
                bigquery_port=options.bigquery_port,
                new_password=options.new_password,
            )
        )
        password = running.prepared.password
        login = (
            f"password {password}"
            if password
            else "the password it was given (script/server --new-password makes another)"
        )
        console.print(
            f"Airflow: {running.address}  user admin, {login}\nServing until Ctrl-C.", soft_wrap=True
        )
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    run("script/server", main)
