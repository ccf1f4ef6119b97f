"""What a configuration needs beyond the packages that every installation has. `script/bootstrap` looks at the same variables."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from reporting.settings import Problem

# A variable, the value with which it needs an extra, and the extra, which has the name of the module that it brings.
NEEDS = (
    ("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor", "celery"),
    ("REPORTING_EXPORT_FORMAT", "duckdb", "duckdb"),
)


def missing(given: Mapping[str, str]) -> Iterator[Problem]:
    """One problem per variable that needs an extra which is not installed."""
    for variable, value, extra in NEEDS:
        if value.lower() in given.get(variable, "").lower() and find_spec(extra) is None:
            yield Problem(
                variable,
                f"is {value}, which needs packages that are not installed; run script/bootstrap --with {extra}",
            )
