"""The bugs fit the code as it is: `mutation`, which takes long, plants them and runs their histories."""

import shutil
from pathlib import Path

import pytest

from reporting.settings import ROOT
from tests.convergence.mutation import seed_bug
from tests.convergence.seeded import SEEDED_BUGS, SeededBug


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what bugs are seeded in."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "plugins", folder / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("seeded", SEEDED_BUGS, ids=lambda seeded: seeded.name)
def test_every_bug_can_be_seeded(seeded: SeededBug, project: Path) -> None:
    originals = seed_bug(project, seeded)
    assert originals
    for path, text in originals.items():
        assert path.read_text() != text
        path.write_text(text)
