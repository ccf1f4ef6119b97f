"""The charting library that is shipped is the pinned one, and no other gets in."""

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from reporting.cli.vendor import FOLDER, PIN, integrity_of, unpack
from reporting.deploy.errors import CommandError


def pinned() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / PIN).read_text())
    return found


def test_every_file_is_as_pinned() -> None:
    pin = pinned()
    assert {path.name for path in FOLDER.iterdir()} == {*pin["files"], PIN, "README.md"}
    for name, file in pin["files"].items():
        assert integrity_of((FOLDER / name).read_bytes()) == file["integrity"], name


def test_what_is_told_of_it_is_so() -> None:
    pin = pinned()
    readme = (FOLDER / "README.md").read_text()
    assert pin["version"] in readme
    assert pin["integrity"] in readme
    assert re.findall(r'\bt\.version="([^"]+)"', (FOLDER / "echarts.min.js").read_text()) == [pin["version"]]
    assert "Apache License" in (FOLDER / "LICENSE").read_text()


def package(path: Path, **files: bytes) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_only_the_pinned_package_is_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "vendor"
    folder.mkdir()
    good, other = package(tmp_path / "good.tgz", lib=b"charts"), package(tmp_path / "other.tgz", lib=b"other")
    pin = {"package": "charts", "version": "1.2.3", "integrity": integrity_of(good.read_bytes())}
    pin |= {"files": {"lib.js": {"path": "lib", "integrity": ""}}}  # type: ignore[dict-item]
    with pytest.raises(CommandError, match="is pinned"):
        unpack(pin, other, folder)
    assert list(folder.iterdir()) == []
    unpack(pin, good, folder)
    assert (folder / "lib.js").read_bytes() == b"charts"
    assert json.loads((folder / PIN).read_text())["files"]["lib.js"]["integrity"] == integrity_of(b"charts")
    pin["files"] = {"lib.js": {"path": "moved", "integrity": ""}}  # type: ignore[assignment]
    with pytest.raises(CommandError, match="has no file moved"):
        unpack(pin, good, folder)
