"""DuckDB does not look for pandas on the disk again with each statement that has parameters.

DuckDB 1.5.5 imports pandas to see whether a parameter is one of its types. Python remembers a module that was found and not one
that is absent, so each statement looks through all folders of modules: 4 % of what a build of dbt costs the server. Drop it
when DuckDB remembers it, or when pandas is installed.
"""

import importlib.util
import sys

NAME = "pandas"


def apply() -> None:
    """Say at once that pandas is absent, where it is."""
    if NAME not in sys.modules and importlib.util.find_spec(NAME) is None:
        # https://docs.python.org/3/reference/import.html#the-module-cache
        sys.modules[NAME] = None  # type: ignore[assignment]
