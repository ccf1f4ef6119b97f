"""Writes the documentation of the settings: the tables between markers in docs/, and .env.example.

With --check it writes nothing, and names the files that differ.

Examples:

    script/reference
    script/reference --check
"""

from typing import Annotated

import typer

from reporting.deploy.errors import FailedError
from reporting.settings import ROOT, reference


def main(
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit with 1 if a file differs")
    ] = False,
) -> int:
    """Write each file that differs from the settings, and print its name."""
    differing = [
        (path, text)
        for path, text in reference.files()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    names = [str(path.relative_to(ROOT)) for path, _ in differing]
    if check:
        if names:
            raise FailedError(f"{', '.join(names)} differ from the settings. Run script/reference.")
        return 0
    for path, text in differing:
        path.write_text(text, encoding="utf-8")
    print("\n".join(names) or "All files agree with the settings.")
    return 0
