"""Any history of a folder ends with its table being the truth of it: added, changed, removed, half-written and mended files."""

import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reporting.sources.files import Property
from tests.support.drops import Drop, Table, table

# A line is a number, or none: a line that cannot be read.
Lines = list[int | None]
COLUMNS = {"number": Property("number", "The key."), "level": Property("number", "Percent.")}
NAMES = A, B, _ = "battery/a.csv", "battery/b.csv.gz", "battery/c.csv"
LINES = st.lists(st.one_of(st.integers(0, 9), st.none()), max_size=5)
# What happens to a file, and the read that follows, if any.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "half", "refused", "touch", "remove"]),
        st.sampled_from(NAMES),
        LINES,
        st.sampled_from(["changed", "changed", "full", ""]),
    ),
    max_size=10,
)
Steps = list[tuple[str, str, Lines, str]]


def text(lines: Lines, salt: int) -> bytes:
    body = "".join("broken\n" if each is None else f"{each},{each + salt}.5\n" for each in lines)
    return f"number,level\n{body}".encode()


class History:
    """A folder and what its tables must be: of each whole file its lines, of any other what was last seen of it."""

    def __init__(self, folder: Path, is_keyed: bool, keeps_removed: bool) -> None:
        self.drop = Drop(folder)
        self.declared = table(columns=COLUMNS, key="number" if is_keyed else (), keeps_removed=keeps_removed)
        self.table = Table(self.declared, self.drop)
        self.there: dict[str, tuple[str, Lines, int]] = {}
        self.salt = 0

    def sync(self, kind: str) -> None:
        if kind:
            self.table.sync(is_full=kind == "full")

    def do(self, what: str, name: str, lines: Lines, kind: str = "") -> None:
        self._change(what, name, lines)
        self.sync(kind)

    def _change(self, what: str, name: str, lines: Lines) -> None:
        if what == "remove":
            if self.there.pop(name, None):
                self.drop.remove(name)
            return
        if what == "touch" and name in self.there:
            what, lines, _ = self.there[name]
        elif what == "touch":
            return
        else:
            self.salt += 1
        salt = self.there[name][2] if name in self.there and self.there[name][1] is lines else self.salt
        content = b"no such header\n" if what == "refused" else text(lines, salt)
        if name.endswith(".gz"):
            content = gzip.compress(content, mtime=0)
        if what == "half":
            content = content[:-4]
        self.drop.put(name, content, is_recent=what == "half")
        self.there[name] = (what, lines, salt)

    def expected(self) -> dict[str, tuple[str | None, bool]]:
        """The level of each row by key, and whether it is a reject; all files are whole."""
        found: dict[str, tuple[str | None, bool]] = {}
        for name, (what, lines, salt) in sorted(self.there.items()):
            assert what == "put"
            met = set()
            for number, each in enumerate(lines, 1):
                level = None if each is None else f"{each + salt}.5"
                is_reject = each is None or (bool(self.declared.keys) and each in met)
                met.add(each)
                key = f"{each}" if self.declared.keys and not is_reject else f"{name}:{number}"
                found[key] = (None if is_reject else level, is_reject)
        return found

    def mend(self) -> None:
        for name, (what, lines, _) in list(self.there.items()):
            if what != "put":
                self.do("put", name, lines)

    def found(self) -> dict[str, tuple[str | None, bool]]:
        return {key: (row["level"], row["reject_reason"] is not None) for key, row in self.table.rows.items()}


@pytest.mark.parametrize("is_keyed", [False, True], ids=["by place", "by key"])
@settings(max_examples=150, deadline=None)
# A file that was refused is mended with as many lines, one is removed, and one is removed while another waits.
@example(
    steps=[("put", A, [1], "changed"), ("refused", A, [1], "changed"), ("put", A, [2], "")], last="changed"
)
@example(
    steps=[("put", A, [1], "changed"), ("put", B, [2], "changed"), ("remove", A, [], "")], last="changed"
)
@example(
    steps=[("put", B, [0], ""), ("half", A, [], "changed"), ("remove", B, [], "changed")], last="changed"
)
@example(
    steps=[("put", B, [0], "changed"), ("half", A, [], ""), ("remove", B, [], "changed")], last="changed"
)
@given(steps=STEPS, last=st.sampled_from(["changed", "full"]))
def test_the_table_becomes_the_truth_of_the_folder(is_keyed: bool, steps: Steps, last: str) -> None:
    with TemporaryDirectory() as folder:
        history = History(Path(folder), is_keyed, keeps_removed=False)
        for each in steps:
            history.do(*each)
        history.mend()
        history.sync(last)
        assert history.found() == history.expected()
        # And nothing is left to be done, or to be read.
        history.table.read_count = 0
        history.sync("changed")
        assert history.table.read_count == 0


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_rows_of_removed_files_stay_where_that_is_declared(steps: Steps) -> None:
    with TemporaryDirectory() as folder:
        history = History(Path(folder), is_keyed=False, keeps_removed=True)
        for each in steps:
            history.do(*each)
        history.sync("changed")
        before = history.found()
        history.mend()
        history.sync("full")
        kept = {
            key: each
            for key, each in before.items()
            if key.rpartition(":")[0] not in history.there and not key.endswith(":0")
        }
        assert history.found() == kept | history.expected()


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, lines=LINES.filter(bool))
def test_a_half_written_or_refused_file_keeps_what_was_read_of_it(steps: Steps, lines: Lines) -> None:
    with TemporaryDirectory() as folder:
        history = History(Path(folder), is_keyed=False, keeps_removed=False)
        history.do("put", "battery/kept.csv", lines)
        history.sync("changed")
        kept = history.table.living(lambda row: row["source_file"] == "battery/kept.csv")
        history.do("half", "battery/kept.csv", [1, 2, 3])
        for each in steps:
            history.do(*each)
            assert history.table.living(lambda row: row["source_file"] == "battery/kept.csv") == kept
        history.do("refused", "battery/kept.csv", [])
        for kind in ("changed", "full"):
            history.sync(kind)
            there = history.table.living(lambda row: row["source_file"] == "battery/kept.csv")
            assert {key: row for key, row in there.items() if key != "battery/kept.csv:0"} == kept
            assert there["battery/kept.csv:0"]["reject_reason"] == "has no line with the names of the columns"


@pytest.mark.parametrize("cut", [0, 3])
def test_a_full_refresh_goes_on_where_it_was_cut_off(
    cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting.sources.files.reader.FILES_PER_POSITION", 1)
    drop = Drop(tmp_path)
    for number in range(5):
        drop.put(f"battery/{number}.csv", text([1, None, number], 0))
    drop.put("battery/3.csv", text([1], 0)[:-1], is_recent=True)
    declared = table(columns=COLUMNS)
    whole = Table(declared, drop)
    whole.sync()

    begun, positions = Table(declared, drop), []
    pages = drop.reader(declared).read(None)
    for page in pages:
        begun._take([page])
        positions += [page.position] if page.position else []
        if len(positions) > cut:
            break
    # What changes meanwhile is met by the next read, be it before or after the position.
    drop.put("battery/0.csv", text([7], 0))
    drop.put("battery/4.csv", text([8], 0))
    reader = drop.reader(declared)
    begun._take(reader.resume(positions[-1]))
    assert reader.is_full_refresh
    assert not reader.would_meet("battery/3.csv:1")
    begun.token, begun.has_run = reader.sync_token, True
    begun.sync()
    whole.sync()
    assert begun.rows == whole.rows


def test_a_token_of_another_declaration_or_none_at_all_reads_everything(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    drop.put("battery/a.csv", text([1], 0))
    log = Table(table(columns=COLUMNS), drop)
    log.sync()
    assert not log.sync().is_full_refresh
    log.declared = table(columns=COLUMNS, locale="de_DE")
    assert log.sync().is_full_refresh
    for token in (
        None,
        "",
        "{}",
        "[]",
        '{"declared":"x","last":"","files":"!"}',
        log.token and log.token[:-9],
    ):
        log.token = token
        assert log.sync().is_full_refresh


def test_a_file_that_waits_while_the_token_is_lost_is_held_against_all_of_its_rows(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    drop.put(A, text([1, 2, 3], 0))
    log = Table(table(columns=COLUMNS), drop)
    log.sync()
    drop.put(A, text([1], 0)[:-1], is_recent=True)
    log.token = None
    log.sync()
    assert len(log.rows) == 3
    drop.put(A, text([1], 0))
    assert log.sync().is_full_refresh
    assert set(log.rows) == {f"{A}:1"}


def test_a_change_within_the_same_moment_is_found(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    log = Table(table(columns=COLUMNS), drop)
    # So far ahead that it is just now, however slow this machine is.
    moment = (datetime.now(UTC) + timedelta(hours=1)).timestamp()
    for number in (1, 2):
        os.utime(drop.put(A, text([number], 0)), (moment, moment))
        log.sync()
        assert log.rows[f"{A}:1"]["level"] == f"{number}.5"


def test_only_new_and_changed_files_are_opened(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    for number in range(5):
        drop.put(f"battery/{number}.csv", text([1, 2], 0))
    log = Table(table(columns=COLUMNS), drop)
    assert log.sync().request_count == 6
    assert log.sync().request_count == 1
    drop.put("battery/5.csv", text([3], 0))
    log.read_count = 0
    assert (log.sync().request_count, log.read_count) == (2, 1)
    # Written again as it was: it is looked at, and nothing is read of it.
    drop.put("battery/5.csv", text([3], 0))
    assert (log.sync().request_count, log.read_count) == (2, 1)


def growing(drop: Drop) -> Callable[..., None]:
    def grown(*_: object) -> None:
        with (drop.folder / "battery/a.csv").open("a") as file:
            file.write("9,9\n")

    return grown


def test_a_file_that_grows_while_it_is_looked_through_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    drop = Drop(tmp_path)
    drop.put("battery/a.csv", text([1], 0))
    drop.put("battery/b.csv", text([2], 0))
    log = Table(table(columns=COLUMNS), drop)
    from reporting.sources.files.values import Ways

    with monkeypatch.context() as patch:
        patch.setattr(Ways, "look", growing(drop))
        log.sync()
    assert "battery/a.csv is still being written, so it waits until it is whole" in caplog.text
    assert set(log.rows) == {"battery/b.csv:1"}
    log.sync()
    assert {key: row["level"] for key, row in log.rows.items() if "a.csv" in key} == {
        "battery/a.csv:1": "1.5",
        "battery/a.csv:2": "9",
        "battery/a.csv:3": "9",
    }


def test_a_file_that_is_cut_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = Drop(tmp_path)
    drop.put("battery/a.csv", text(list(range(9)), 0))
    log = Table(table(columns=COLUMNS, page_size=2), drop)
    reader = drop.reader(log.declared)
    pages = reader.read(None)
    log._take([next(pages)])
    drop.put("battery/a.csv", text([5], 1))
    log._take(pages)
    log.token, log.has_run = reader.sync_token, True
    log.sync()
    assert {key: row["level"] for key, row in log.rows.items()} == {"battery/a.csv:1": "6.5"}
