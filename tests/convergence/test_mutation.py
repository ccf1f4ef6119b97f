"""The bugs fit the code as it is: `mutation`, which takes long, plants them and runs their histories."""

import shutil
from pathlib import Path

import pytest

from reporting.settings import ROOT
from tests.convergence.mutation import plant
from tests.convergence.planted import PLANTED, Planted


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what bugs are planted in."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "plugins", folder / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_every_bug_can_be_planted(planted: Planted, project: Path) -> None:
    originals = plant(project, planted)
    assert originals
    for path, text in originals.items():
        assert path.read_text() != text
        path.write_text(text)
