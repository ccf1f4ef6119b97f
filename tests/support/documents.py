"""What the documents show as commands and as SQL."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from reporting.settings import ROOT

DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
DOCUMENTS += sorted((ROOT / "docs").rglob("*.md"))
# Programs that begin a line of a block of commands.
PROGRAMS = re.compile(
    r"^(?:[A-Z_]+=\S+ )*(?:script/|\.venv/|az |gcloud |gh |git |python3 |export |bq |eval |chmod |setfacl |zcat |umask |while |cat |ID=|"
    r"notion|hubspot|\d+ \* )",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """An indented block of a document."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def is_shell(self) -> bool:
        """Whether it is what somebody types; a line of a crontab is none."""
        return bool(PROGRAMS.match(self.text)) and not re.match(r"\d+ \* ", self.text)

    @property
    def is_sql(self) -> bool:
        """Whether it is a question to the warehouse."""
        return self.text.startswith("SELECT ")


def _blocks(path: Path) -> list[Block]:
    # After an empty line, so that what goes on with an item of a list is none, unless it is deeper.
    found = re.finditer(r"(?<=\n\n)((?: {4,}\S.*\n|\n(?= {4,}\S))+)", path.read_text())
    text = path.read_text()
    return [Block(path, text.count("\n", 0, each.start()) + 1, textwrap.dedent(each[1])) for each in found]


BLOCKS = [block for path in DOCUMENTS for block in _blocks(path)]
