"""An export takes its place whole or not at all, and takes the place of nothing but an export."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from reporting.exports import placing
from reporting.exports.formats import FORMATS, MAKER, MANIFEST
from reporting.exports.marts import ExportError
from reporting.exports.placing import check, placed
from reporting.exports.reading import Content
from reporting.settings import ROOT

# Writes half of an export, says so, and waits to be killed.
HALF = """
import sys
from pathlib import Path
from reporting.exports.formats import FORMATS
from reporting.exports.placing import placed
form = FORMATS[sys.argv[2]]
with placed(Path(sys.argv[1]), form) as path:
    if form.suffix is None:
        path.mkdir()
        (path / "habits.csv").write_text("half")
    else:
        path.write_text("half")
    print("half", flush=True)
    sys.stdin.read()
"""


def make(target: Path, form: str, text: str) -> None:
    """An export of one mart with one row."""
    made = FORMATS[form]
    batch = pa.record_batch({"text": [text]})
    with placed(target, made) as path:
        made.write(path, "habits", Content(batch.schema, 1, iter([batch])), lambda _: None)
        files = [f"habits.{form}"] if made.suffix is None else []
        made.finish(path, {"made_by": MAKER, "files": files})


def content(target: Path) -> dict[str, bytes]:
    """Every byte below `target`."""
    paths = [target] if target.is_file() else sorted(target.rglob("*"))
    return {str(path.relative_to(target.parent)): path.read_bytes() for path in paths}


@pytest.fixture(params=sorted(FORMATS))
def form(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_later_export_replaces_an_earlier_one_and_leaves_nothing_else(tmp_path: Path, form: str) -> None:
    target = tmp_path / "new" / "out"
    make(target, form, "one")
    before = content(target)
    make(target, form, "two")
    assert content(target) != before
    assert content(target).keys() == before.keys()
    assert [path.name for path in target.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_the_earlier_one(tmp_path: Path, form: str, kind: type[BaseException]) -> None:
    target = tmp_path / "out"
    make(target, form, "one")
    before = content(target)

    def fail() -> None:
        with placed(target, FORMATS[form]) as path:
            path.touch()
            raise kind

    with pytest.raises(kind):
        fail()
    assert content(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_killed_leaves_the_earlier_one_and_the_next_tidies_up(tmp_path: Path, form: str) -> None:
    target = tmp_path / "out [1]"
    make(target, form, "one")
    before = content(target)
    process = subprocess.Popen(
        [sys.executable, "-c", HALF, target, form],
        env={"PYTHONPATH": str(ROOT / "plugins")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    with process.stdin, process.stdout:
        assert process.stdout.readline() == b"half\n"
        make(target, form, "one")
        # Its part is its own while it lives.
        assert len(list(tmp_path.glob(".out*.part"))) == 1
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert content(target).keys() == before.keys()
    assert len(list(tmp_path.glob(".out*.part"))) == 1
    make(target, form, "two")
    assert [path.name for path in tmp_path.iterdir()] == ["out [1]"]


def test_two_steps_where_there_is_no_single_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "out", "csv", "one")
    monkeypatch.setattr(placing, "_exchange", lambda *_: False)
    make(tmp_path / "out", "csv", "two")
    assert b"two" in (tmp_path / "out" / "habits.csv").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


class _Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_export_is_not_lost_between_the_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    target = tmp_path / "out"
    make(target, "csv", "one")
    before = content(target)
    monkeypatch.setattr(placing, "_exchange", lambda *_: False)
    rename = Path.rename

    def fail_at_the_second(path: Path, to: Path) -> Path:
        if is_killed and path.name == f"out{placing.EARLIER}":
            raise _Killed
        if to == target and path.name == "out":
            raise _Killed if is_killed else OSError(errno.EACCES, "Permission denied")
        return rename(path, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", fail_at_the_second)
        # Who is killed tidies nothing up.
        patched.setattr(placing.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(_Killed if is_killed else ExportError):
            make(target, "csv", "two")

    def fail() -> None:
        with placed(target, FORMATS["csv"]):
            assert content(target) == before
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert content(target) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_link_leads_to_is_replaced(tmp_path: Path) -> None:
    make(tmp_path / "real", "csv", "one")
    (tmp_path / "link").symlink_to("real")
    make(tmp_path / "link", "csv", "two")
    assert (tmp_path / "link").is_symlink()
    assert b"two" in (tmp_path / "real" / "habits.csv").read_bytes()


def test_what_is_of_others_is_left_alone(tmp_path: Path, form: str) -> None:
    is_folder = FORMATS[form].suffix is None
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "letter.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportError, match="is not an export" if is_folder else "is a folder, but"):
        check(tmp_path / "folder", FORMATS[form])
    with pytest.raises(
        ExportError, match="is a file, but" if is_folder else "is not a .* export of this project"
    ):
        check(tmp_path / "file", FORMATS[form])
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_that_was_put_into_an_export_is_not_lost(tmp_path: Path) -> None:
    make(tmp_path / "out", "csv", "one")
    (tmp_path / "out" / "my notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"also holds 'my notes\.txt', which no export wrote"):
        make(tmp_path / "out", "csv", "two")
    (tmp_path / "out" / "my notes.txt").unlink()
    make(tmp_path / "out", "parquet", "two")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [MANIFEST, "habits.parquet"]


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"made_by": "somebody", "files": []}',
        '{"made_by": "personal-reporting"}',
        '{"made_by": "personal-reporting", "files": ["../letter.txt"]}',
    ],
)
def test_what_only_looks_like_an_export_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ExportError, match="is not an export of this project"):
        check(tmp_path, FORMATS["csv"])


def test_an_empty_folder_is_free_and_a_place_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty", "csv", "one")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportError, match="cannot be written"):
        make(tmp_path / "file" / "out", "csv", "one")
