"""Copies of the working tree, as somebody who clones it gets it."""

import shutil
import subprocess
from pathlib import Path

from reporting.settings import ROOT


def copy_to(folder: Path) -> Path:
    """Copy to `folder` all that git has or would take, changes included; with the environments that are built."""
    named = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    files = subprocess.run(["git", *named], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, files.split("\0")):
        # git also names what was removed and not yet committed.
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder
