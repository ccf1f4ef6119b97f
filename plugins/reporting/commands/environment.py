"""Prints the environment of Airflow's processes as shell commands, for `eval` before `honcho start`.

Prepares the metadata database, too. The warehouse is a Google project, or a local BigQuery that already runs
(BIGQUERY_EMULATOR_HOST).
"""

import argparse
import os
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path

from reporting.commands import configuration, installation, processes
from reporting.commands.errors import CommandError, run
from reporting.commands.installation import AIRFLOW_PORT


def main() -> int:
    """Print `export NAME=VALUE` lines; they hold secrets, so not to a terminal."""
    parser = argparse.ArgumentParser("script/environment", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=AIRFLOW_PORT, help="Airflow's web interface (%(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    options = parser.parse_args()
    if sys.stdout.isatty():
        raise CommandError('the environment holds secrets. Use it as: eval "$(script/environment)"')
    variables = configuration.read_owner_file(configuration.owner_file())
    with ExitStack() as stack:
        state = stack.enter_context(configuration.state_folder(options.data.resolve()))
        found = installation.without_local_bigquery(variables)
        environment = configuration.airflow_environment(state, options.port, variables | found)
        prepared = processes.prepare(environment, state / "prepare.log")
    if prepared.password:
        print(f"Airflow's first user is admin, password {prepared.password}", file=sys.stderr)
    for name, value in sorted(environment.items()):
        if os.environ.get(name) != value:
            print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    run("script/environment", main)
