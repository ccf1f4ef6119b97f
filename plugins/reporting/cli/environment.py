"""Prints the environment of Airflow's processes as shell commands, for `eval`.

It also prepares the metadata database. The warehouse is a Google project, or a local BigQuery that runs already
(BIGQUERY_EMULATOR_HOST).

Example: eval "$(script/environment)"
"""

import os
import shlex
import sys
from contextlib import ExitStack

from reporting.cli.command import LOCAL, Data, Port
from reporting.deploy import configuration, installation, processes
from reporting.deploy.errors import CommandError
from reporting.deploy.installation import AIRFLOW_PORT


def main(
    port: Port = AIRFLOW_PORT,
    data: Data = LOCAL,
) -> int:
    """Print `export NAME=VALUE` lines. They contain secrets, so printing to a terminal is refused."""
    if sys.stdout.isatty():
        raise CommandError(
            'the environment contains secrets, which a terminal would show. Run: eval "$(script/environment)"'
        )
    variables = configuration.read_owner_file(configuration.owner_file())
    with ExitStack() as stack:
        state = stack.enter_context(configuration.state_folder(data.resolve()))
        installation.require_warehouse(variables)
        environment = configuration.airflow_environment(state, port, variables)
        prepared = processes.prepare(environment, state / "prepare.log")
    if prepared.password:
        print(f"Airflow's first user is admin, password {prepared.password}", file=sys.stderr)
    for name, value in sorted(environment.items()):
        if os.environ.get(name) != value:
            print(f"export {name}={shlex.quote(value)}")
    return 0
