"""Runs the command that the first argument names: `python -m reporting.cli verify`. All files in `script/` call this."""

import os
import sys

from reporting.cli.command import call, module_of, path_of
from reporting.deploy.errors import run
from reporting.settings import ROOT


def main() -> None:
    """Run the named command. Any other argument goes to the group of all commands, which has the help and the completion."""
    name, *arguments = sys.argv[1:] or ("reporting", "--help")
    os.chdir(ROOT)
    if name == "airflow":
        from reporting.cli import airflow

        # All arguments are passed on to Airflow.
        sys.argv = ["script/airflow", *arguments]
        run("script/airflow", airflow.main)
    elif path_of(module_of(name)).exists() and name != "reporting":
        run(f"script/{name}", lambda: call(name, arguments))
    else:
        from reporting.cli.family import family

        run("script/reporting", lambda: family(arguments))


if __name__ == "__main__":
    main()
