"""Puts the pages of the site together: script/docs calls it with the folder to write to, and dbt's manifest.

The folder gets `pages`, laid out as the repository is, so that a link which works on GitHub works here, and the configuration.
What is written from the code goes between two lines of a page. It is not committed: it would be another file to merge for each
change of a source, and nobody could see by reading it whether it is still true.
"""

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reporting import own_entities
from reporting.settings import ROOT

CONFIGURATION = ROOT / "docs" / "site" / "zensical.toml"
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
WRITTEN = re.compile(r"<!-- written: ([a-z ]+) -->\n(.*?)<!-- end of what is written -->\n?", re.DOTALL)
IMAGE = re.compile(r"!\[[^]]*\]\(([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"")
# What a page would fetch from another machine.
FOREIGN = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc(?:set)?=\"(?:https?:)?//|<link\b[^>]*\bhref=\"(?:https?:)?//[^>]*"
)


def documents(root: Path = ROOT) -> list[Path]:
    """Every page of the site, relative to the repository."""
    found = [Path(name) for name in DOCUMENTS]
    return found + sorted(path.relative_to(root) for path in root.glob("docs/**/*.md"))


def listed(nav: list[Any]) -> Iterator[str]:
    """The pages that the menu names."""
    for each in nav:
        if isinstance(each, str):
            yield each
        else:
            for value in each.values():
                yield from listed(value if isinstance(value, list) else [value])


def problems(root: Path = ROOT) -> Iterator[str]:
    """What the builder of the site does not see: pages without a place in the menu, and pictures that are not there."""
    menu = list(listed(tomllib.loads(CONFIGURATION.read_text())["project"]["nav"]))
    pages = [str(path) for path in documents(root)]
    for name in sorted({*pages} - {*menu}):
        yield f"{name} has no place in the menu. Give it one in docs/site/zensical.toml."
    for name in sorted({*menu} - {*pages}):
        yield f"{name} is in the menu of docs/site/zensical.toml, and is not there."
    for name in pages:
        for found in IMAGE.findall((root / name).read_text()):
            picture = (root / name).parent / (found[0] or found[1])
            if not picture.is_file():
                yield f"{name} shows {found[0] or found[1]}, which is not there."


def own(root: Path = ROOT) -> list[str]:
    """What the owner of this copy has of their own: entities, sources, models. It is nobody else's business."""
    found = [f"plugins/reporting/own_entities.py: {each.table}" for each in own_entities.NOTION]
    folders = ("plugins/reporting/sources/own/*/*.py", "dbt/models/*/own/**/*.sql")
    return found + [str(path.relative_to(root)) for pattern in folders for path in sorted(root.glob(pattern))]


def filled(text: str, writers: dict[str, Callable[[], str]]) -> str:
    """`text` with everything that is written. Raises `KeyError` for a name that nothing writes."""
    return WRITTEN.sub(lambda found: writers[found[1]]() + "\n", text)


def main(folder: Path, manifest: Path, *, is_published: bool = False) -> int:
    """Write the pages; 1 if a document has a problem, or what is to be published has something of an owner's own."""
    found = list(problems())
    if is_published:
        found += [f"{each} is the owner's own, and would be published with the reference." for each in own()]
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    # Not before: they import Airflow, and every command.
    from docs.site import pages

    nodes = json.loads(manifest.read_text())
    writers: dict[str, Callable[[], str]] = {
        "commands": pages.commands,
        "dags": pages.dags,
        "raw tables": pages.raw_tables,
        "marts": lambda: pages.marts(nodes),
        "alerts": pages.alerts,
    }
    shutil.rmtree(folder / "pages", ignore_errors=True)
    shutil.rmtree(folder / "site", ignore_errors=True)
    for path in documents():
        target = folder / "pages" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(filled((ROOT / path).read_text(), writers))
    shutil.copytree(ROOT / "docs" / "images", folder / "pages" / "docs" / "images")
    (folder / "pages" / "docs" / "site").mkdir()
    shutil.copy(ROOT / "docs" / "site" / "extra.css", folder / "pages" / "docs" / "site")
    shutil.copy(CONFIGURATION, folder)
    return 0


def check(folder: Path) -> int:
    """1 if a page of the built site would fetch anything from another machine, or nothing was built."""
    pages = sorted(folder.glob("site/**/*.html"))
    found = [
        f"{path}: {FOREIGN.findall(path.read_text())}" for path in pages if FOREIGN.search(path.read_text())
    ]
    found = [each for each in found if 'rel="canonical"' not in each]
    print("\n".join(found or [f"{folder}/site has {len(pages)} pages."]), file=sys.stderr)
    return 1 if found or not pages else 0


if __name__ == "__main__":
    step, target, *rest = sys.argv[1:]
    if step == "check":
        raise SystemExit(check(Path(target)))
    raise SystemExit(main(Path(target), Path(rest[0]), is_published="--publish" in rest))
