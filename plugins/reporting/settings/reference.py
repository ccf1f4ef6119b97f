"""Writes the documentation of the settings: the tables in the documents, and `.env.example`."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from reporting.settings.model import PARTS
from reporting.settings.part import ROOT, Part
from reporting.settings.production import Within

EXAMPLE = ROOT / ".env.example"
# A document has the table of a part between these two lines.
TABLE = re.compile(r"(<!-- settings: (\w+) -->\n)(.*?)(<!-- end of settings -->)", re.DOTALL)
INTRODUCTION = """\
Every setting of the project with its default, written by script/reference. No program reads this file. To change a \
setting, copy its line without the number sign to ~/.config/personal-reporting/environment, or set the variable in the \
environment. Connections \
to sources (AIRFLOW_CONN_...) are in docs/reference/settings.md."""
WIDTH = 110


def files() -> Iterator[tuple[Path, str]]:
    """Each file that is written from the settings, and the content it should have."""
    yield EXAMPLE, example()
    for path in sorted((ROOT / "docs").rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if TABLE.search(text):
            yield path, with_tables(text)


def with_tables(text: str) -> str:
    """`text` with every table between markers rewritten. Raises `KeyError` for the name of an unknown part."""
    parts = {part.__name__: part for part in PARTS}
    return TABLE.sub(lambda found: f"{found[1]}\n{table(parts[found[2]])}\n{found[4]}", text)


def table(part: type[Part]) -> str:
    """The variables of `part` as a table in Markdown."""
    lines = ["| Variable | What it is | It takes | Default |", "|---|---|---|---|"]
    for each in part.variables().values():
        lines.append(f"| `{each.name}` | {each.description} | {each.takes} | {each.default_words} |")
    return "\n".join(lines) + "\n"


def example() -> str:
    """All variables that people set, as comments in the form of the owner's file."""
    lines = [*_comment(INTRODUCTION)]
    for part in PARTS:
        if part is Within:
            continue
        lines += ["", f"# --- {part.TITLE} ---"]
        for each in part.variables().values():
            sentence = f"{each.description[0].upper()}{each.description[1:]}. It takes {each.takes}."
            if each.default is None or each.default == "":
                sentence += f" Default: {each.default_words}."
            lines += ["", *_comment(sentence.replace("`", "")), f"# {each.name}={each.default or ''}"]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
