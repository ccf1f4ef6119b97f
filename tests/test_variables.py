"""Every environment variable that the documents name is read, and every one that is read is named."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reporting.deploy import production
from reporting.local.bigquery import LocalBigQuery
from reporting.settings import ROOT, VARIABLES, reference, unknown
from reporting.settings.model import PARTS
from reporting.settings.production import Within
from reporting.sources.registry import ENTITIES, SOURCES
from tests.support.production_server import environment

NAME = re.compile(r"\b(?:REPORTING|AIRFLOW|BIGQUERY|GOOGLE|FORWARDED)_[A-Z0-9_]*[A-Z0-9]\b")
DOCUMENTS = [ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/**/*.md")]
# Airflow and Google's clients read these themselves.
OF_OTHERS = re.compile(r"AIRFLOW__[A-Z_]+__[A-Z_]+|AIRFLOW_CONN_[A-Z]+|GOOGLE_APPLICATION_CREDENTIALS")
# Words of this form that are no variables.
OTHER_WORDS = {"BIGQUERY_LOCATION", "BIGQUERY_PROJECT", "FORWARDED_EMAIL", "GOOGLE_SHEETS", "GOOGLE_USER"}
# Production refuses to start where one of these is set, and says so.
REFUSED = {"AIRFLOW__CORE__AUTH_MANAGER", "AIRFLOW__FAB__AUTH_ROLE_PUBLIC"}


def in_documents() -> set[str]:
    return {name for path in DOCUMENTS for name in NAME.findall(path.read_text())}


def in_code() -> set[str]:
    return {name for name in VARIABLES if "*" not in name} | set(written())


def written() -> Iterator[str]:
    """The names that stand in the code as they are."""
    files: list[Path] = [ROOT / "webserver_config.py"]
    for folder in ("dags", "dbt", "migrations", "plugins", "sandbox"):
        files += ROOT.glob(f"{folder}/**/*.py")
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
                yield node.value
    shell = [path for path in ROOT.glob("script/*") if path.is_file()]
    for path in (*shell, *ROOT.glob("dbt/**/*.yml"), *ROOT.glob("dbt/**/*.sql")):
        yield from NAME.findall(path.read_text())


def of_webhooks() -> set[str]:
    """The keys of the sources that send events."""
    return {f"REPORTING_{name.upper()}_WEBHOOK_SECRET" for name, source in SOURCES.items() if source.events}


def test_what_the_documents_name_is_read() -> None:
    families = {
        f"REPORTING_{kind}_{entity.table.upper()}"
        for entity in ENTITIES
        for kind in ("NAME", "DATE_PROPERTY", "COLUMNS")
    } | {f"REPORTING_{name.upper()}_HOST" for name in SOURCES}
    families |= of_webhooks()
    unread = in_documents() - in_code() - families
    assert {name for name in unread if not OF_OTHERS.fullmatch(name)} == set()


def test_what_is_read_is_in_the_documents(tmp_path: Path) -> None:
    given = environment(
        "postgresql://owner:secret@127.0.0.1/airflow",
        tmp_path,
        LocalBigQuery("http://127.0.0.1:1", "no token"),
        8000,
    )
    derived = set(production.environment(given, production.check(given), "127.0.0.1")) - set(given)
    assert in_code() - set(Within.variables()) - OTHER_WORDS - REFUSED - derived - in_documents() == set()


def test_every_variable_of_the_project_is_a_setting() -> None:
    named = in_documents() | set(written())
    for path in ROOT.glob(".github/workflows/*.yml"):
        named |= set(NAME.findall(path.read_text()))
    # Beginnings of names are put together or compared.
    ours = {name for name in named if name.startswith("REPORTING_")}
    assert [str(each) for each in unknown(dict.fromkeys(ours, "value"))] == []


def test_documents_and_example_are_as_the_settings_have_them() -> None:
    for path, text in reference.files():
        assert path.read_text() == text, f"{path} differs: run script/reference"


def test_each_part_that_people_set_has_one_table() -> None:
    tables = [name for path in DOCUMENTS for _, name, *_ in reference.TABLE.findall(path.read_text())]
    assert sorted(tables) == sorted(part.__name__ for part in PARTS if part is not Within)


def test_the_example_sets_nothing_and_names_every_variable() -> None:
    lines = reference.example().splitlines()
    assert all(not line or line.startswith("# ") for line in lines)
    named = {line.removeprefix("# ").partition("=")[0] for line in lines if re.match(r"# [A-Z_*]+=", line)}
    assert named == set(VARIABLES) - set(Within.variables())


def test_what_is_airflows_is_an_option_of_airflow() -> None:
    from airflow.configuration import conf

    for name in in_documents() | in_code():
        if name.startswith("AIRFLOW__"):
            _, section, option = name.lower().split("__")
            assert option in conf.configuration_description[section]["options"], name


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem
)
def test_a_workflow_sets_what_is_read(path: Path) -> None:
    of_others = {name for name in in_documents() if OF_OTHERS.fullmatch(name)}
    assert set(NAME.findall(path.read_text())) - in_code() - of_others - of_webhooks() == set()


def test_every_secret_of_the_documents_can_be_changed() -> None:
    way = (ROOT / "docs" / "guides" / "secrets.md").read_text()
    secrets = {
        name
        for name in in_documents()
        if re.search(r"^AIRFLOW_CONN_|_(SECRET|KEY|PASSWORD|BROKER_URL)$", name)
    }
    assert secrets - set(NAME.findall(way)) == set()
