"""What is installed where: the locks agree with one another, and hold nothing that is not used."""

import importlib
import pkgutil
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from reporting import sources
from reporting.settings import ROOT
from reporting.sources.google_api import Api

REQUIREMENTS = ROOT / "requirements"
EXTRAS = sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
# What each of these holds is left out of the locks.
EXCLUDES = {
    "airflow-excludes": ("../requirements", "bigquery-operators", "celery", "dev", "duckdb"),
    "bigquery-operators-excludes": ("../requirements", "celery", "dev", "duckdb"),
    "dbt-excludes": ("dbt",),
}


def lock(name: str) -> dict[str, str]:
    """The version of each package of a lock."""
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def lines(name: str) -> list[str]:
    """The lines of a file of names, without the comments."""
    return [each for each in (REQUIREMENTS / name).read_text().splitlines() if not each.startswith("#")]


def modules() -> set[str]:
    """Every module of the sources."""
    return {each.name for each in pkgutil.walk_packages(sources.__path__, f"{sources.__name__}.")}


def test_an_extra_is_not_in_productions_lock_and_fits_it_and_the_others() -> None:
    production = lock("../requirements")
    assert production
    together: dict[str, str] = {}
    for extra in EXTRAS:
        adds = lock(extra)
        assert adds
        assert not adds.keys() & production.keys()
        # Two locks that want different versions could not be installed together.
        assert {name: together.get(name, version) for name, version in adds.items()} == adds
        together |= adds


def test_the_environment_of_the_tests_has_what_production_may_have() -> None:
    for name in ("../requirements", "celery", "duckdb"):
        assert lock(name).items() <= lock("dev").items()


@pytest.mark.parametrize("excludes", EXCLUDES)
def test_nothing_excluded_is_installed(excludes: str) -> None:
    names = set(lines(f"{excludes}.in"))
    assert names
    for name in EXCLUDES[excludes]:
        assert not names & lock(name).keys(), name


def test_google_apis_are_those_that_sources_read_and_their_descriptions_are_installed() -> None:
    read = {
        f"{value.name}.{value.version}"
        for name in modules()
        for value in vars(importlib.import_module(name)).values()
        if isinstance(value, Api)
    }
    assert sorted(read) == lines("google-apis.txt")
    found = find_spec("googleapiclient")
    assert found
    assert found.origin
    documents = Path(found.origin).parent / "discovery_cache" / "documents"
    assert read <= {path.stem for path in documents.glob("*.json")}
