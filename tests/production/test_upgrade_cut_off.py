"""An upgrade that is cut off at any of its commands goes on with the next call, or goes back.

What the script calls is made up here, and so is a repository of three versions: the third never becomes healthy. Production is
a file that names the version that runs, its metadata database a file with a schema and rows, its environment a file that names
the version that it was built for.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reporting.settings import ROOT

FIRST, SECOND, BROKEN = "first", "second", "third"
NUMBERS = {FIRST: 1, SECOND: 2, BROKEN: 3}
# Counts the commands of the script alone, and tells it to end before one of them.
COUNTING = r"""
case $0 in *script/upgrade)
    set -T
    count=0 line_end=$'\n'
    trap '[ $BASHPID != $$ ] || {
        [ $((count += 1)) != "$CUT_AT" ] || kill -"$CUT_BY" $$
        echo "${BASH_COMMAND%%$line_end*}" >>"$WORLD/commands"
    }' DEBUG
esac
"""
# Commands that change nothing outside of the script: killed before or after one is the same.
TRACELESS = (
    r"\[ |\w+=|(local|echo|trap|return|become|launch|halt|listens|is_healthy|await_health|go_on|go_back|give_up|finish"
    r"|succeed|on_signals)\b"
)
STUBS = {
    "script/bootstrap": """
        printf half >.venv
        if [ -e "$WORLD/cut-bootstrap" ]; then mv "$WORLD/cut-bootstrap" "$WORLD/cut"; kill -"$(cat "$WORLD/cut")" $PPID; exit 1; fi
        cat version >.venv
    """,
    "script/backup": """
        cmp -s version .venv || exit 1
        [ ! -e "$WORLD/full-disk" ] || exit 1
        if [ "$1" = --restore ]; then
            [ "$(tail -n 1 "$2")" = end ] || exit 1
            sed '$d' "$2" >"$WORLD/metadata.part"
            mv "$WORLD/metadata.part" "$WORLD/metadata"
        else
            cat "$WORLD/metadata" >"$1.part"
            if [ -e "$WORLD/cut-backup" ]; then mv "$WORLD/cut-backup" "$WORLD/cut"; kill -"$(cat "$WORLD/cut")" $PPID; exit 1; fi
            echo end >>"$1.part"
            mv "$1.part" "$1"
        fi
    """,
    "script/start": """
        cmp -s version .venv || exit 1
        [ "${1:-}" != --check ] || exit 0
        schema=$(head -n 1 "$WORLD/metadata")
        # As Airflow: an older one does not know what a newer one made.
        [ "$schema" -le "$(cat version)" ] || exit 1
        { cat version; tail -n +2 "$WORLD/metadata"; } >"$WORLD/metadata.part"
        mv "$WORLD/metadata.part" "$WORLD/metadata"
        [ "${1:-}" != --prepare ] || exit 0
        # Whatever runs works, and what it wrote is to be found for good.
        row="written by $(cat version) at $(wc -l <"$WORLD/written")"
        echo "$row" >>"$WORLD/written"
        echo "$row" >>"$WORLD/metadata"
        [ ! -e "$WORLD/running" ] || exit 1
        cat version >"$WORLD/running"
    """,
    # A checkout that is cut off has written some files, and has noted none of them.
    "bin/git": """
        if [ "$1" = checkout ] && [ -e "$WORLD/cut-checkout" ]; then
            for last; do :; done
            GIT --work-tree=. show "$last:version" >version
            GIT --work-tree=. show "$last:only" >"only-$(cat version)"
            mv "$WORLD/cut-checkout" "$WORLD/cut"
            # Git takes it away when it is told to end.
            [ "$(cat "$WORLD/cut")" != KILL ] || touch .git/index.lock
            kill -"$(cat "$WORLD/cut")" $PPID
            exit 1
        fi
        exec GIT "$@"
    """,
    "bin/curl": """
        [ -e "$WORLD/running" ] || exit 7
        case "$*" in *--fail*) [ "$(cat "$WORLD/running")" != 3 ] || exit 22 ;; esac
    """,
}


class World:
    """A machine on which the first version runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clone = folder / "clone"
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "WORLD": str(folder),
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def make(self) -> None:
        for name, text in STUBS.items():
            path = (self.folder if name.startswith("bin/") else self.clone) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#!/bin/sh\nset -e\n{text}".replace("GIT", shutil.which("git") or "git"))
            path.chmod(0o755)
        (self.folder / "counting").write_text(COUNTING)
        for name in ("upgrade", "_common.sh"):
            shutil.copy(ROOT / "script" / name, self.clone / "script")
        (self.clone / ".gitignore").write_text("/.venv\n/var/\n")
        self.git("init", "--quiet", "--template=", "--initial-branch", "main")
        for name, number in NUMBERS.items():
            (self.clone / "version").write_text(f"{number}\n")
            (self.clone / "only").write_text(f"{number}\n")
            for old in self.clone.glob("only-*"):
                old.unlink()
            (self.clone / f"only-{number}").write_text(f"{number}\n")
            self.git("add", "--all")
            self.git(
                *(
                    "-c",
                    "user.name=owner",
                    "-c",
                    "user.email=owner@example.org",
                    "-c",
                    "commit.gpgsign=false",
                ),
                *("commit", "--quiet", "--message", name),
            )
            self.git("tag", name)
        self.git("checkout", "--quiet", "--detach", FIRST)
        (self.clone / ".venv").write_text("1\n")
        (self.folder / "metadata").write_text("1\n")
        (self.folder / "written").touch()
        self.start()

    def git(self, *arguments: str) -> str:
        return self._run("git", *arguments, check=True).stdout.strip()

    def start(self) -> None:
        """As who finds it stopped does, or the machine when it starts."""
        self._run("script/start", check=True)

    def _run(
        self, *command: str, check: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.clone,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=600,
        )

    def call(self, version: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """One that ends by itself."""
        given = options or ("--stop", 'rm "$WORLD/running"', "--start", "script/start")
        return self._run("script/upgrade", *given, "--patience", "0", version, **environment)

    def cut(self, version: str, by: signal.Signals, at: int) -> subprocess.CompletedProcess[str]:
        """One that gets a signal before its command of that number."""
        counting = str(self.folder / "counting")
        return self.call(version, BASH_ENV=counting, CUT_AT=str(at), CUT_BY=by.name.removeprefix("SIG"))

    def commands(self, version: str) -> list[str]:
        """Those of a call that nothing cuts off."""
        (self.folder / "commands").unlink(missing_ok=True)
        self.cut(version, signal.SIGKILL, 0)
        return (self.folder / "commands").read_text().splitlines()

    def cut_within(self, version: str, step: str, by: signal.Signals) -> subprocess.CompletedProcess[str]:
        """One that gets a signal, together with what it calls, half-way through that."""
        (self.folder / f"cut-{step}").write_text(by.name.removeprefix("SIG"))
        return self.call(version)

    @property
    def running(self) -> str | None:
        path = self.folder / "running"
        return path.read_text() if path.exists() else None

    @property
    def record(self) -> Path:
        return self.clone / "var" / "upgrade"

    @property
    def backups(self) -> list[Path]:
        return list((self.clone / "var" / "backups").glob("*.dump"))

    def check_is(self, version: str, told: str) -> None:
        """All of it is that version, which runs, and nothing that any version wrote is lost."""
        number = NUMBERS[version]
        assert self.running == f"{number}\n", told
        assert self.git("rev-parse", "HEAD") == self.git("rev-parse", version), told
        assert self.git("status", "--porcelain") == "", told
        assert [path.name for path in self.clone.glob("only-*")] == [f"only-{number}"], told
        assert (self.clone / ".venv").read_text() == f"{number}\n", told
        schema, *rows = (self.folder / "metadata").read_text().splitlines()
        assert schema == str(number), told
        assert not self.record.exists(), told
        kept = {line for path in self.backups for line in path.read_text().splitlines()}
        for path in self.backups:
            assert path.read_text().endswith("end\n"), path
        for row in (self.folder / "written").read_text().splitlines():
            # What a version wrote that was gone back from is in a backup; all else is where it was written.
            assert row in rows or (row in kept and not row.startswith(f"written by {number} ")), (row, told)

    def copy(self, folder: Path) -> "World":
        """Another machine in the same state."""
        shutil.copytree(self.folder, folder)
        copy = World(folder)
        if copy.record.exists():
            copy.record.write_text(copy.record.read_text().replace(str(self.folder), str(folder)))
        return copy


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The first version, running; each test has a copy."""
    world = World(tmp_path_factory.mktemp("untouched") / "world")
    world.make()
    return world


@pytest.fixture
def world(untouched: World, tmp_path: Path) -> World:
    """The first version, running."""
    return untouched.copy(tmp_path / "world")


def everywhere(
    world: World, version: str, since: str, try_one: Callable[[World, int], None], *, passed: str = "(?!)"
) -> None:
    """`try_one` for each command of a call from the first that begins with `since`, in a copy of the world for each.

    But not for those that come after one that `passed` matches.
    """
    folder = world.folder.parent
    commands = world.copy(folder / "uncut").commands(version)
    first = next(place for place, command in enumerate(commands) if command.startswith(since))
    # A function's call is counted where it is made and where it begins.
    places = [
        place
        for place in range(first, len(commands))
        if commands[place] != commands[place - 1] and not re.match(passed, commands[place - 1])
    ]
    assert len(places) > 10

    def at(place: int) -> None:
        copy = world.copy(folder / f"at-{place}")
        try_one(copy, place + 1)
        shutil.rmtree(copy.folder)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(at, places))


def said(*calls: subprocess.CompletedProcess[str]) -> str:
    return "\n".join(f"{call.returncode}\n{call.stdout}{call.stderr}" for call in calls)


def test_killed_at_any_command_it_goes_on_and_it_goes_back(world: World) -> None:
    def kill(world: World, at: int) -> None:
        assert world.cut(SECOND, signal.SIGKILL, at).returncode == -signal.SIGKILL
        is_recorded, has_come = world.record.exists(), world.running == "2\n"
        back = world.copy(world.folder.with_name(f"{world.folder.name}-back"))

        again = world.call(SECOND)
        assert again.returncode == 0 or (has_come and not is_recorded), said(again)
        world.check_is(SECOND, said(again))

        # One that has become healthy is not taken for one that failed, and its metadata database stays.
        again = back.call(FIRST)
        assert again.returncode == (0 if is_recorded and not has_come else 1), said(again)
        back.check_is(SECOND if has_come else FIRST, said(again))
        shutil.rmtree(back.folder)

    everywhere(world, SECOND, "script/start --check", kill, passed=TRACELESS)


def test_killed_at_any_command_of_the_way_back_it_goes_both_ways(world: World) -> None:
    def kill(world: World, at: int) -> None:
        assert world.cut(BROKEN, signal.SIGKILL, at).returncode == -signal.SIGKILL
        is_recorded = world.record.exists()
        back = world.copy(world.folder.with_name(f"{world.folder.name}-back"))

        again = world.call(BROKEN)
        assert again.returncode == 1, said(again)
        if world.record.exists():
            # It was started by the call that was killed, and may have been at work for long.
            assert "step=started\n" in world.record.read_text(), said(again)
            again = world.call(FIRST)
            assert again.returncode == 0, said(again)
        world.check_is(FIRST, said(again))

        again = back.call(FIRST)
        assert again.returncode == (0 if is_recorded else 1), said(again)
        back.check_is(FIRST, said(again))
        shutil.rmtree(back.folder)

    everywhere(world, BROKEN, "give_up", kill, passed=TRACELESS)


def test_told_to_end_at_any_command_it_leaves_one_version_running(world: World) -> None:
    def end(world: World, at: int) -> None:
        told = world.cut(SECOND, signal.SIGTERM, at)
        if world.running == "2\n":
            # As one that comes when everything is done.
            again = world.call(SECOND)
        else:
            assert told.returncode in {1, -signal.SIGTERM}
            if not world.record.exists():
                world.check_is(FIRST, said(told))
            assert world.running == "1\n"
            again = world.call(SECOND)
            assert again.returncode == 0, said(told, again)
        world.check_is(SECOND, said(told, again))

    everywhere(world, SECOND, "script/start --check", end)


def test_told_to_end_on_the_way_back_it_says_how_to_end_it(world: World) -> None:
    place = world.copy(world.folder.with_name("whole")).commands(BROKEN).index("await_health")
    world.cut(BROKEN, signal.SIGKILL, place + 1)

    def end(world: World, at: int) -> None:
        told = world.cut(FIRST, signal.SIGTERM, at)
        if told.returncode == 1:
            assert f"To go back to {world.git('rev-parse', FIRST)[:12]}: script/upgrade" in told.stderr, said(
                told
            )
        again = world.call(FIRST)
        assert again.returncode == 0 or "is what is here" in again.stderr, said(told, again)
        world.check_is(FIRST, said(told, again))

    everywhere(world, FIRST, "echo", end)


@pytest.mark.parametrize("step", ["backup", "checkout", "bootstrap"])
def test_killed_with_half_of_a_step_done(world: World, step: str) -> None:
    assert world.cut_within(SECOND, step, signal.SIGKILL).returncode == -signal.SIGKILL
    assert world.running is None
    assert world.git("status", "--porcelain") or step != "checkout"
    back = world.copy(world.folder.with_name("back"))

    # Who says no more than the version gets the same commands as before.
    again = world._run("script/upgrade", SECOND)
    assert again.returncode == 0, said(again)
    world.check_is(SECOND, said(again))
    assert not list(world.clone.glob("var/backups/*.part"))

    again = back.call(FIRST)
    assert again.returncode == 0, said(again)
    back.check_is(FIRST, said(again))


@pytest.mark.parametrize("step", ["backup", "checkout", "bootstrap"])
def test_told_to_end_with_half_of_a_step_done(world: World, step: str) -> None:
    told = world.cut_within(SECOND, step, signal.SIGTERM)
    assert told.returncode == 1
    assert "It was told to end." in told.stderr
    world.check_is(FIRST, said(told))


@pytest.mark.parametrize("step", ["checkout", "bootstrap", "backup"])
def test_killed_with_half_of_a_step_of_the_way_back_done(world: World, step: str) -> None:
    place = world.copy(world.folder.with_name("whole")).commands(BROKEN).index("await_health")
    world.cut(BROKEN, signal.SIGKILL, place + 1)
    assert world.cut_within(FIRST, step, signal.SIGKILL).returncode == -signal.SIGKILL
    forth = world.copy(world.folder.with_name("forth"))

    again = world.call(FIRST)
    assert again.returncode == 0, said(again)
    world.check_is(FIRST, said(again))

    again = forth.call(BROKEN)
    assert again.returncode == 1, said(again)
    forth.check_is(FIRST, said(again))


def cut_before(world: World, version: str, command: str, by: signal.Signals = signal.SIGKILL) -> str:
    """A call that gets a signal before the first command that begins so; returns what it said."""
    commands = world.copy(world.folder.with_name(f"{world.folder.name}-whole")).commands(version)
    at = next(place for place, each in enumerate(commands) if each.startswith(command))
    return said(world.cut(version, by, at + 1))


def test_what_was_never_started_is_undone_by_the_call_that_finds_it_broken(world: World) -> None:
    cut_before(world, BROKEN, "script/start --prepare")
    done = world.call(BROKEN)
    assert done.returncode == 1
    assert "third did not come up." in done.stderr
    world.check_is(FIRST, said(done))


def test_a_version_that_is_started_by_hand_in_between_keeps_what_it_writes(world: World) -> None:
    cut_before(world, BROKEN, "git checkout")
    world.start()
    again = world.call(BROKEN)
    assert again.returncode == 1
    # The metadata database is not replaced unasked, since it has been at work.
    assert "has not been healthy yet" in again.stderr
    assert "written by 1 at 1" in (world.folder / "metadata").read_text()

    again = world.call(FIRST)
    assert again.returncode == 0, said(again)
    assert world.running == "1\n"
    (kept,) = (path for path in world.backups if str(path) in again.stdout)
    assert "written by 1 at 1" in kept.read_text()


def test_one_that_became_healthy_after_its_upgrade_was_killed_keeps_its_metadata(world: World) -> None:
    cut_before(world, SECOND, "await_health")
    assert "step=started\n" in world.record.read_text()
    done = world.call(BROKEN)
    # That is an upgrade like any other, and the way back is to the version that was healthy.
    assert "second has become healthy" in done.stdout
    world.check_is(SECOND, said(done))


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGHUP], ids=lambda by: by.name)
def test_a_signal_brings_the_version_before_back(world: World, by: signal.Signals) -> None:
    # Bash cannot trap what it was started to ignore, as whatever a shell starts in the background is.
    handler = signal.signal(by, signal.SIG_DFL)
    try:
        told = cut_before(world, SECOND, "script/start --prepare", by)
    finally:
        signal.signal(by, handler)
    world.check_is(FIRST, told)
    if by == signal.SIGHUP:
        log = world.clone / "var" / "upgrade.log"
        assert log.stat().st_mode & 0o777 == 0o600
        told = log.read_text()
    assert "It was told to end." in told
    assert "runs again, with everything that was in its metadata database" in told


def test_what_is_under_way_is_for_its_owner_and_says_what_to_type(world: World) -> None:
    cut_before(world, SECOND, "git checkout")
    assert world.record.stat().st_mode & 0o777 == 0o600
    (backup,) = world.backups
    first = world.git("rev-parse", FIRST)[:12]
    for version, options in ((BROKEN, ()), ("fourth", ()), ("", ("--patience", "0"))):
        done = world.call(version, *options)
        assert done.returncode == 1
        assert f"Production is stopped between {first} and second." in done.stderr
        assert f"The metadata database of {first} is in {backup}." in done.stderr
        assert "\nTo go on to second: script/upgrade second\n" in done.stderr
        assert f"\nTo go back to {first}: script/upgrade {first}\n" in done.stderr
        # A command may hold a password.
        assert "WORLD" not in said(done)
    done = world.call(SECOND)
    world.check_is(SECOND, said(done))


def test_a_full_disk_on_the_way_back_leaves_the_metadata_and_a_later_call_ends_it(world: World) -> None:
    cut_before(world, BROKEN, "await_health")
    (world.folder / "full-disk").touch()
    done = world.call(FIRST)
    assert done.returncode == 1
    assert "the way back failed." in done.stderr
    assert (world.folder / "metadata").read_text().startswith("3\n")
    (world.folder / "full-disk").unlink()
    done = world.call(FIRST)
    world.check_is(FIRST, said(done))


def test_without_a_backup_nothing_is_changed(world: World) -> None:
    (world.folder / "full-disk").touch()
    done = world.call(SECOND)
    assert done.returncode == 1
    assert "There is no backup." in done.stderr
    world.check_is(FIRST, said(done))


def test_what_cannot_be_stopped_is_left_alone(world: World) -> None:
    done = world.call(SECOND, "--stop", "false", "--start", "script/start")
    assert done.returncode == 1
    assert "what stops it failed, and nothing was changed." in done.stderr
    world.check_is(FIRST, said(done))


def test_a_branch_that_moves_does_not_change_where_an_upgrade_goes(world: World) -> None:
    world.git("branch", "release", SECOND)
    cut_before(world, "release", "git checkout")
    world.git("branch", "--force", "release", BROKEN)
    done = world.call("release")
    assert done.returncode == 0, said(done)
    world.check_is(SECOND, said(done))


def test_a_change_of_ones_own_that_comes_in_between_is_kept(world: World) -> None:
    cut_before(world, SECOND, "git checkout")
    (world.clone / "script" / "bootstrap").write_text("of my own\n")
    done = world.call(SECOND)
    world.check_is(SECOND, said(done))
    assert "of my own" in world.git("stash", "show", "--patch")


def test_a_second_call_waits_for_what_the_first_has_begun(world: World) -> None:
    cut_before(world, SECOND, "git checkout")
    folder = os.open(world.clone / "var" / "backups", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        done = world.call(SECOND)
        assert done.returncode == 1
        assert "another call is still at work after 0 seconds" in done.stderr
        assert world.running is None
    finally:
        os.close(folder)
    # What it starts stays, and would keep a lock that it is given.
    start = 'script/start; if (: <&9); then touch "$WORLD/has-the-lock"; fi'
    done = world.call(SECOND, "--stop", 'rm "$WORLD/running"', "--start", start)
    assert done.returncode == 0, said(done)
    assert not (world.folder / "has-the-lock").exists()
    world.check_is(SECOND, said(done))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--stop", "true"), "a version, --stop and --start are needed"),
        (("--stop", "true\ntrue", "--start", "true"), "a command of one line"),
        (("--halt", "true"), "'--halt' is not an option"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(world: World, options: tuple[str, ...], message: str) -> None:
    done = world.call(SECOND, *options)
    assert done.returncode == 1
    assert message in done.stderr
    world.check_is(FIRST, said(done))
