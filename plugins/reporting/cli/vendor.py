"""Downloads the charting library of the report from npm, in the version that vendor/echarts/pin.json pins.

With a VERSION it first pins that version, with the integrity that npm names for it. It needs npm.

Example: script/vendor 6.0.0
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from reporting.deploy.errors import CommandError
from reporting.settings import ROOT

FOLDER = ROOT / "vendor" / "echarts"
PIN = "pin.json"
PATIENCE_SECONDS = 300


def main(
    version: Annotated[
        str | None,
        typer.Argument(metavar="VERSION", help="the version to pin"),
    ] = None,
) -> int:
    """Download, verify and unpack the package."""
    before = json.loads((FOLDER / PIN).read_text())
    pin = repinned(before, version) if version else before
    with tempfile.TemporaryDirectory() as name:
        package = _fetched(pin, Path(name))
        unpack(pin, package, FOLDER)
    _rewrite(before, pin)
    print(f"{pin['package']} {pin['version']} is in {FOLDER.relative_to(ROOT)}.")
    return 0


def repinned(pin: dict[str, Any], version: str) -> dict[str, Any]:
    """The pin of another version, with the integrity that npm names for it. Raises `CommandError`."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise CommandError(f"'{version}' is not a version. Use one such as {pin['version']}.")
    integrity = _npm("view", f"{pin['package']}@{version}", "dist.integrity").strip()
    if not integrity.startswith("sha512-"):
        raise CommandError(f"npm names no sha512 integrity for {pin['package']} {version}.")
    return pin | {"version": version, "integrity": integrity}


def unpack(pin: dict[str, Any], package: Path, folder: Path) -> None:
    """Write the pinned files of `package` and `pin.json` to `folder`. Raises `CommandError` if the integrity differs."""
    found = integrity_of(package.read_bytes())
    if found != pin["integrity"]:
        raise CommandError(
            f"the package of {pin['package']} {pin['version']} has the integrity {found}, but {pin['integrity']} is pinned. "
            "Nothing was changed; find out why before you pin it again."
        )
    with tarfile.open(package) as archive:
        for name, file in pin["files"].items():
            try:
                member = archive.extractfile(f"package/{file['path']}")
            except KeyError:
                member = None
            if member is None:
                raise CommandError(
                    f"{pin['package']} {pin['version']} has no file {file['path']}. Write its new path into {PIN}."
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
    if shutil.which("npm") is None:
        raise CommandError("npm was not found. Install Node.js and run it again.")
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
