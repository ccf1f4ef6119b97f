"""What the reference says of commands, DAGs, raw tables, marts and alerts, from the code itself, as Markdown."""

import ast
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.site import lineage
from reporting import settings
from reporting.cli import family
from reporting.cli.command import command_of, module_of, path_of
from reporting.settings import ROOT
from reporting.sources.registry import SOURCES
from reporting.warehouse.tables import describe

# What each raw table has; the page says it once.
OF_ALL = "_payload"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown. A bar within a cell would begin another one."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        lines.append("| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in row) + " |")
    return "\n".join(lines)


def commands() -> str:
    """Every command in the order of script/reporting --help, with what it says of itself and its options."""
    parts = []
    for panel, names in family.PANELS.items():
        parts.append(f"## {panel}")
        for name in names:
            parts += [f"### script/{name}", *_command(name)]
    return "\n\n".join(parts)


def _command(name: str) -> Iterator[str]:
    module = path_of(module_of(name))
    if not module.exists() or name == "airflow":
        text = module.read_text().split('"""')[1] if module.exists() else _comment(ROOT / "script" / name)
        yield _as_markdown(text)
        return
    command = command_of(name)
    yield _as_markdown(module.read_text().split('"""')[1])
    with command.make_context(name, [], resilient_parsing=True) as context:
        rows = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    # Every command has --help.
    rows = [(option, text) for option, text in rows if "--help" not in option]
    if rows:
        yield table(("Option", "What it does"), [(f"`{option}`", text) for option, text in rows])


def _comment(path: Path) -> str:
    """The comment at the head of a script, after the line that names its interpreter."""
    lines = []
    for line in path.read_text().splitlines()[1:]:
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").removeprefix(" "))
    return "\n".join(lines)


def _as_markdown(text: str) -> str:
    """Paragraphs as they are, and examples, which are indented, as code."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if paragraph.strip() == "Examples:":
            continue
        example = re.fullmatch(r"Example: (.*)", paragraph.strip())
        if example:
            found.append(f"    {example[1]}")
        elif any(line.startswith("  ") for line in paragraph.splitlines()):
            found.append("\n".join(f"    {line.strip()}" for line in paragraph.splitlines()))
        else:
            found.append(paragraph.strip())
    return "\n\n".join(found)


def dags() -> str:
    """Every DAG by layer and source, with its schedule by default, its parameters, and what it says of itself."""
    # Only now, and by its own settings: the alarm's DAG has a schedule only where somebody is called.
    os.environ |= {"REPORTING_PING_URL": "none"}
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(ROOT / "dags"))
    if bag.import_errors:
        raise SystemExit(f"The DAGs cannot be read: {bag.import_errors}")
    layers: dict[str, list[str]] = {}
    for dag_id in sorted(bag.dags):
        layer = dag_id.partition("_")[0]
        layers.setdefault(layer, []).append(_dag(bag.dags[dag_id]))
    titles = {"raw": "Sources", "mart": "Marts", "report": "Reports and exports", "ops": "Upkeep"}
    return "\n\n".join(
        f"## {title}\n\n" + "\n\n".join(layers.pop(layer))
        for layer, title in titles.items()
        if layer in layers
    ) + "".join(f"\n\n## {layer}\n\n" + "\n\n".join(texts) for layer, texts in layers.items())


def _dag(dag: Any) -> str:
    # Its first heading is another name of the same.
    said = re.sub(r"\A### .*\n+", "", dag.doc_md or dag.description)
    rows = [(f"`{name}`", str(dag.params.get_param(name).description or "")) for name in dag.params]
    parameters = "\n\n" + table(("Parameter", "What it does"), rows) if rows else ""
    tasks = ", ".join(f"`{each.task_id}`" for each in dag.topological_sort())
    return f"### {dag.dag_id}\n\n{said}\n\n{_schedule(dag.timetable)} Tasks: {tasks}.{parameters}"


def _schedule(timetable: Any) -> str:
    from cron_descriptor import Options, get_description

    if expression := getattr(timetable, "expression", None):
        options = Options()
        options.use_24hour_time_format = True
        return f"Schedule: {get_description(expression, options)} (`{expression}`)."
    return (
        "Schedule: when a raw table changed." if "Asset" in type(timetable).__name__ else "Schedule: by hand."
    )


def raw_tables() -> str:
    """Every raw table by source with its columns, without those that all have."""
    tables = describe().tables
    parts = []
    for source in SOURCES.values():
        if not source.entities:
            continue
        parts.append(f"## {source.title[0].upper()}{source.title[1:]}")
        for entity in source.entities:
            own = [each.name for each in tables[f"raw.{entity.table}"].columns]
            own = own[: own.index(OF_ALL)]
            rows = [
                (f"`{each.name}`", _type(str(each.type)), each.comment or "")
                for each in tables[f"raw.{entity.table}"].columns
                if each.name in own
            ]
            parts += [
                f"### {entity.table}",
                entity.description,
                table(("Column", "Type", "What it is"), rows),
            ]
    return "\n\n".join(parts)


def _type(text: str) -> str:
    """The type as BigQuery calls it."""
    return {"VARCHAR": "STRING", "BOOLEAN": "BOOL", "INTEGER": "INT64"}.get(text, text)


def marts(manifest: Mapping[str, Any]) -> str:
    """Every mart by subject with where it comes from, its columns, and what reads it."""
    nodes = lineage.of_manifest(manifest)
    subjects: dict[str, list[str]] = {}
    readers: dict[str, list[str]] = {}
    for each in manifest["exposures"].values():
        for key in each["depends_on"]["nodes"]:
            readers.setdefault(key, []).append(each.get("label") or each["name"])
    for key, node in sorted(manifest["nodes"].items()):
        if node["resource_type"] != "model" or node["fqn"][1] != "marts":
            continue
        rows = [
            (f"`{each['name']}`", (each["data_type"] or "").upper(), each["description"])
            for each in node["columns"].values()
        ]
        read = f"\n\nIt is read by: {', '.join(sorted(readers[key]))}." if key in readers else ""
        picture = lineage.svg(lineage.made_from(nodes, key), f"What {node['name']} is made from")
        subjects.setdefault(node["fqn"][2], []).append(
            f"### {node['name']}\n\n{node['description']}{read}\n\n<div class='lineage'>{picture}</div>\n\n"
            + table(("Column", "Type", "What it is"), rows)
        )
    titles = {"crm": "CRM", "ops": "The pipelines themselves"}
    return "\n\n".join(
        f"## {titles.get(subject, subject.capitalize())}\n\n" + "\n\n".join(texts)
        for subject, texts in sorted(subjects.items(), key=lambda each: (each[0] == "ops", each[0]))
    )


@dataclass(frozen=True, slots=True)
class Alert:
    """What the code says in one place where it makes an alert; what is only known then stands in capitals."""

    kind: str
    subject: str
    todo: str


# How an alert is called whose name only its caller knows.
KINDS = {
    "task": "A task failed",
    "dbt": "A model or test of dbt failed",
    "stale": "A source is not read any more",
    "rows": "A load is unusual",
    "categories": "A value has several spellings",
    "stamps": "Times are in the future",
    "expiry": "Something expires",
    "check": "A check cannot be made",
}


def alerts(folder: Path = ROOT / "plugins" / "reporting") -> str:
    """Every alert by kind, with what to do."""
    kinds: dict[str, list[Alert]] = {kind: [] for kind in KINDS}
    for each in found_alerts(folder):
        kinds[each.kind].append(each)
    parts = []
    for kind, title in KINDS.items():
        rows = [(each.subject, each.todo) for each in kinds[kind]]
        parts.append(f"## {title}\n\n" + table(("Alert", "What to do"), rows))
    return "\n\n".join(parts)


def found_alerts(folder: Path) -> Iterator[Alert]:
    """Where the code makes an `Incident` or says what is `Lasting`, with texts of its own."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or _name(node.func) not in ("Incident", "Lasting"):
                continue
            given = {each.arg: each.value for each in node.keywords}
            # What only passes on the words of another has none of its own.
            if "todo" in given and not isinstance(given["todo"], ast.Attribute):
                kind = _text(given["kind"]) if "kind" in given else "expiry"
                subject = given.get("subject") or given["name"]
                ending = " is about to expire" if "subject" not in given else ""
                yield Alert(kind, _text(subject) + ending, _text(given["todo"]))


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _text(node: ast.expr) -> str:
    """The text of a literal, with the name of each value within it in capitals."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each) for each in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value)
    if isinstance(node, ast.Call):
        # As in `span(age)`, and in `name.upper()`.
        return _text(node.args[0] if node.args else node.func)
    if isinstance(node, ast.Attribute) and node.attr in ("upper", "lower"):
        return _text(node.value)
    name = _name(node)
    # A constant is what it is.
    return str(getattr(settings, name)) if name.isupper() else name.upper() or "…"
