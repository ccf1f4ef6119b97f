"""Fetches the charting library of the report from npm, as it is pinned, or pins another version of it."""

import argparse
import base64
import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from reporting.commands.errors import CommandError, run
from reporting.settings import ROOT

FOLDER = ROOT / "vendor" / "echarts"
PIN = "pin.json"
PATIENCE_SECONDS = 300


def main() -> int:
    """Fetch, compare and unpack."""
    parser = argparse.ArgumentParser("script/vendor", description=__doc__)
    parser.add_argument("version", nargs="?", metavar="VERSION", help="another version than the pinned one")
    options = parser.parse_args()
    before = json.loads((FOLDER / PIN).read_text())
    pin = repinned(before, options.version) if options.version else before
    with tempfile.TemporaryDirectory() as name:
        package = _fetched(pin, Path(name))
        unpack(pin, package, FOLDER)
    _rewrite(before, pin)
    print(f"{pin['package']} {pin['version']} is in {FOLDER.relative_to(ROOT)}.")
    return 0


def repinned(pin: dict[str, Any], version: str) -> dict[str, Any]:
    """The pin of another version, with the integrity that npm names for it. Raises `CommandError`."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise CommandError(f"'{version}' is no version; it takes one such as {pin['version']}.")
    integrity = _npm("view", f"{pin['package']}@{version}", "dist.integrity").strip()
    if not integrity.startswith("sha512-"):
        raise CommandError(f"npm names no sha512 integrity for {pin['package']} {version}.")
    return pin | {"version": version, "integrity": integrity}


def unpack(pin: dict[str, Any], package: Path, folder: Path) -> None:
    """Put the pinned files of `package` in `folder`, with `pin.json`. Raises `CommandError` for another package."""
    found = integrity_of(package.read_bytes())
    if found != pin["integrity"]:
        raise CommandError(
            f"the package of {pin['package']} {pin['version']} has the integrity {found}, and {pin['integrity']} is pinned. "
            "Nothing was changed; find out why before you pin it anew."
        )
    with tarfile.open(package) as archive:
        for name, file in pin["files"].items():
            try:
                member = archive.extractfile(f"package/{file['path']}")
            except KeyError:
                member = None
            if member is None:
                raise CommandError(
                    f"{pin['package']} {pin['version']} has no file {file['path']}. Say in {PIN} where it is now."
                )
            content = member.read()
            file["integrity"] = integrity_of(content)
            (folder / name).write_bytes(content)
    (folder / PIN).write_text(json.dumps(pin, indent=2) + "\n")


def integrity_of(content: bytes) -> str:
    """The integrity of `content` as npm and browsers write it. https://www.w3.org/TR/SRI/"""
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def _fetched(pin: dict[str, Any], folder: Path) -> Path:
    name = _npm(
        "pack", f"{pin['package']}@{pin['version']}", "--silent", "--pack-destination", str(folder)
    ).split()[-1]
    return folder / name


def _npm(*arguments: str) -> str:
    done = subprocess.run(
        ["npm", *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    if done.returncode != 0:
        raise CommandError(f"npm {arguments[0]} failed:\n{done.stderr.strip()[-1000:]}")
    return done.stdout


def _rewrite(before: dict[str, Any], pin: dict[str, Any]) -> None:
    readme = FOLDER / "README.md"
    text = readme.read_text()
    for field in ("version", "integrity"):
        text = text.replace(before[field], pin[field])
    readme.write_text(text)


if __name__ == "__main__":
    run("script/vendor", main)
