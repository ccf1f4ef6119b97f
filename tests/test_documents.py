"""The documents: their commands can be typed, their menu is complete, and what is written into them is all there is."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, strategies

from docs.site import build, lineage, pages
from reporting.cli import family
from reporting.cli.command import command_of, module_of, path_of, repeated
from reporting.monitoring.record import Kind
from reporting.settings import ROOT
from reporting.sources.registry import ENTITIES
from reporting.warehouse.tables import describe
from tests.support.documents import BLOCKS, DOCUMENTS, Block

# What stands for something that the reader has, such as the source of an example.
PLACES = ("…", "...", *(path.name for path in (ROOT / "docs" / "examples").iterdir()))


def test_every_document_has_a_place_and_every_picture_is_there() -> None:
    assert list(build.problems()) == []


def test_a_document_without_a_place_and_a_picture_that_is_missing_are_named(tmp_path: Path) -> None:
    for name in build.DOCUMENTS:
        (tmp_path / name).write_text("")
    (tmp_path / "docs" / "guides").mkdir(parents=True)
    (tmp_path / "docs" / "guides" / "new.md").write_text("![A picture](../images/none.png)")
    found = "\n".join(build.problems(tmp_path))
    assert "docs/guides/new.md has no place in the menu." in found
    assert "docs/guides/new.md shows ../images/none.png, which is not there." in found
    assert "docs/guides/upgrade.md is in the menu of docs/site/zensical.toml, and is not there." in found


def test_links_lead_to_files_on_github_too() -> None:
    """The site's builder also looks at what they lead to within a file."""
    lost = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in DOCUMENTS
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)[^)]*\)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert lost == []


def test_what_is_written_has_a_writer_and_each_page_of_the_reference_one_place() -> None:
    names = [name for path in DOCUMENTS for name, _ in build.WRITTEN.findall(path.read_text())]
    assert sorted(names) == ["alerts", "commands", "dags", "marts", "raw tables"]
    text = "a\n<!-- written: dags -->\n*later*\n<!-- end of what is written -->\nb\n"
    assert build.filled(text, {"dags": lambda: "- one"}) == "a\n- one\nb\n"
    with pytest.raises(KeyError):
        build.filled(text, {})


def test_nothing_of_an_owner_is_published(tmp_path: Path) -> None:
    assert build.own() == []
    for name in ("plugins/reporting/sources/own/tides/__init__.py", "dbt/models/staging/own/deep/stg_x.sql"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    assert len(build.own(tmp_path)) == 2


def test_a_page_that_would_fetch_from_elsewhere_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site").mkdir()
    assert build.check(tmp_path) == 1
    page = tmp_path / "site" / "index.html"
    page.write_text('<a href="https://example.org">x</a><script src="assets/x.js"></script>')
    assert build.check(tmp_path) == 0
    page.write_text('<link rel="stylesheet" href="https://fonts.example.org/x.css">')
    assert build.check(tmp_path) == 1
    assert "fonts.example.org" in capsys.readouterr().err


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.is_shell], ids=str)
def test_a_block_of_commands_is_shell(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True, timeout=60)


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the project that a block shows, with the name of its document."""
    for block in BLOCKS:
        if block.is_shell:
            for line in block.text.replace("\\\n", " ").splitlines():
                for found in re.findall(
                    r"(?:^|\s|&& )(script/[a-z][^|;&<>#]*)", re.sub(r"\s#\s.*", "", line)
                ):
                    yield str(block), found.strip().rstrip("')")


@pytest.mark.parametrize(("document", "line"), sorted(set(commands())))
def test_a_command_of_a_document_can_be_typed(document: str, line: str) -> None:
    name, *arguments = shlex.split(line)
    name = name.removeprefix("script/")
    if name == "reporting" and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
    assert (ROOT / "script" / name).is_file(), document
    if set(arguments) & {"--help", "-h"} or any(each in PLACES for each in arguments):
        return
    if path_of(module_of(name)).exists() and name != "airflow":
        command = command_of(name)
        many = {option for each in command.params if getattr(each, "multiple", False) for option in each.opts}
        # It is read as it would be when it is run, and not run.
        with command.make_context(name, repeated(arguments, many)):
            return
    said = (ROOT / "script" / name).read_text()
    for option in arguments:
        # These two give all they get to Airflow and to pytest.
        if option.startswith("--") and name not in ("airflow", "test", "reporting"):
            assert option in said, f"{document}: script/{name} has no {option}"


def test_the_commands_are_all_there_with_their_options() -> None:
    text = pages.commands()
    for name in (name for names in family.PANELS.values() for name in names):
        assert f"### script/{name}\n" in text
    assert "| `--at DATE` |" in text
    assert "`--to csv\\|parquet\\|duckdb\\|sqlite`" in text


def test_the_raw_tables_are_all_there_with_their_columns() -> None:
    text = pages.raw_tables()
    for entity in ENTITIES:
        part = text.partition(f"### {entity.table}\n")[2].partition("\n###")[0]
        names = [column.name for column in describe().tables[f"raw.{entity.table}"].columns]
        assert re.findall(r"^\| `(\w+)` ", part, re.MULTILINE) == names[: names.index("_payload")]


def test_every_alert_is_there_with_what_to_do() -> None:
    found = list(pages.found_alerts(ROOT / "plugins" / "reporting"))
    assert {each.kind for each in found} == set(pages.KINDS) == set(get_args(Kind))
    said = 0
    for path in (ROOT / "plugins" / "reporting").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            said += isinstance(node, ast.keyword) and node.arg == "todo"
    # One passes on the words of another.
    assert len(found) == said - 1
    (stale,) = (each for each in found if each.kind == "stale")
    assert stale.subject == "NAME has not been read for AGE"
    assert "set REPORTING_NAME_TABLE to none" in stale.todo
    assert "…" not in "".join(each.todo for each in found)


def test_a_dag_says_what_it_says_of_itself() -> None:
    text = pages.dags()
    part = text.partition("### raw_hubspot__deals__full\n")[2].partition("\n###")[0]
    assert "Deals in HubSpot." in part
    assert "Schedule: At 03:17 (`17 3 * * *`)." in part
    assert "| `tombstone_share` |" in part
    assert "Schedule: when a raw table changed." in text.partition("### mart_personal__models__changed\n")[2]
    assert len(re.findall(r"^### raw_", text, re.MULTILINE)) == 1 + sum(
        1 + each.has_changed for each in ENTITIES
    )


@strategies.composite
def graphs(draw: strategies.DrawFn) -> dict[str, lineage.Node]:
    """Nodes each of which is made from some of those before."""
    nodes: dict[str, lineage.Node] = {}
    for number in range(draw(strategies.integers(1, 12))):
        parents = draw(strategies.sets(strategies.sampled_from(sorted(nodes)))) if nodes else set()
        layer = draw(strategies.sampled_from(["raw", "staging", "marts"]))
        nodes[f"n{number}"] = lineage.Node(f"n{number}", layer, tuple(sorted(parents)))
    return nodes


@given(graphs())
def test_what_something_is_made_from_stands_at_its_left(nodes: dict[str, lineage.Node]) -> None:
    key = max(nodes, key=lambda key: len(nodes[key].parents))
    drawn = lineage.made_from(nodes, key)
    places = {each: number for number, column in enumerate(lineage.columns(drawn)) for each in column}
    assert places.keys() == drawn.keys()
    for each, node in drawn.items():
        assert all(places[parent] < places[each] for parent in node.parents)
        # Another mart has a picture of its own.
        assert each == key or node.layer != "marts" or not node.parents
    picture = lineage.svg(drawn, "a <title>")
    assert "\n" not in picture
    assert 'aria-label="a &lt;title&gt;"' in picture
    assert picture.count("<path") == sum(len(node.parents) for node in drawn.values())


def test_a_mart_has_its_columns_its_picture_and_who_reads_it() -> None:
    column = {"name": "month_on", "data_type": "date", "description": "Its first day | the 1st."}
    manifest = {
        "sources": {
            "source.r.sheets.ledger": {"identifier": "google_sheets__ledger", "source_name": "google_sheets"}
        },
        "nodes": {
            "model.r.stg": {
                "name": "stg",
                "resource_type": "model",
                "fqn": ["reporting", "staging", "google_sheets", "stg"],
                "depends_on": {"nodes": ["source.r.sheets.ledger"]},
            },
            "model.r.cash_flow": {
                "name": "cash_flow",
                "resource_type": "model",
                "fqn": ["reporting", "marts", "finance", "cash_flow"],
                "depends_on": {"nodes": ["model.r.stg", "model.r.stg"]},
                "columns": {"month_on": column},
                "description": "One row per month.",
            },
            "test.r.valid": {"name": "valid", "resource_type": "test", "fqn": ["reporting", "valid"]},
        },
        "exposures": {
            "e": {"name": "report", "label": "The report", "depends_on": {"nodes": ["model.r.cash_flow"]}}
        },
    }
    text = pages.marts(manifest)
    assert "## Finance\n\n### cash_flow\n\nOne row per month.\n\nIt is read by: The report." in text
    assert "| `month_on` | DATE | Its first day \\| the 1st. |" in text
    assert '<a href="../raw-tables/#google_sheets__ledger">' in text
    assert text.count("<path") == 2
