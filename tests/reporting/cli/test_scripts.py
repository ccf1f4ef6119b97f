"""Every script answers for its help without starting anything, and says what is wrong in a sentence."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reporting.cli import family
from reporting.cli.command import module_of, path_of, repeated
from reporting.settings import ROOT

SCRIPTS = sorted(path.name for path in (ROOT / "script").iterdir() if path.name != "_common.sh")
# Their earlier and common names, which are not in the list of all.
OTHERS = {"reporting", "round"}
# It gives all options to Airflow's command.
PASSES_ALL = "airflow"
COMMANDS = [name for name in SCRIPTS if path_of(module_of(name)).exists() and name != PASSES_ALL]


@pytest.fixture
def unbuilt(tmp_path: Path) -> Path:
    """The project without environments, where anything that a script would start leaves a mark."""
    root = tmp_path / "unbuilt"
    shutil.copytree(ROOT / "script", root / "script")
    (root / "plugins" / "reporting").mkdir(parents=True)
    shutil.copytree(
        ROOT / "plugins" / "reporting" / "cli",
        root / "plugins" / "reporting" / "cli",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    tools = root / "tools"
    tools.mkdir()
    for name in (
        "python3",
        "python3.13",
        "uv",
        "git",
        "npm",
        "zip",
        "redis-server",
        "curl",
        "mkdir",
        "mktemp",
    ):
        (tools / name).write_text(f"#!/bin/sh\ntouch {root}/started\nexit 9\n")
        (tools / name).chmod(0o755)
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its environments, which no script of it may build anew."""
    root = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT / "script", root / "script")
    (root / "script" / "bootstrap").write_text("#!/bin/sh\n")
    for name in (".venv", "plugins"):
        (root / name).symlink_to(ROOT / name)
    return root


def run(root: Path, name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [root / "script" / name, *arguments],
        env={"PATH": f"{root / 'tools'}:{os.environ['PATH']}", "HOME": str(root), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_no_help_needs_an_environment_or_starts_anything(unbuilt: Path, option: str) -> None:
    for name in SCRIPTS:
        if name == PASSES_ALL:
            continue
        done = run(unbuilt, name, option)
        assert (done.returncode, done.stderr) == (0, ""), name
        assert re.search(rf"script/{name}\b", done.stdout), f"{name} has no example"
        assert len(done.stdout.splitlines()) > 1 or name == "round", name
    assert not (unbuilt / "started").exists()
    assert not (unbuilt / ".venv").exists()


@pytest.mark.parametrize("name", ["doctor", "start", "sync"])
def test_the_help_of_a_command_has_its_options(built: Path, name: str) -> None:
    done = run(built, name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: script/{name} [OPTIONS]" in done.stdout
    assert re.search(rf"^ +script/{name}\b", done.stdout, re.MULTILINE)
    assert "-h, --help" in done.stdout


def test_every_command_begins_with_one_sentence_and_has_an_example() -> None:
    for name in COMMANDS:
        text = path_of(module_of(name)).read_text().split('"""')[1]
        summary = family.summary(name)
        assert summary == text.splitlines()[0]
        assert summary.endswith((".", "?")), name
        assert text.splitlines()[1:2] in ([""], []), f"{name}'s summary has more than a line"
        assert re.search(rf"^(Example: |    ).*\bscript/{name}\b", text, re.MULTILINE), name


def test_the_list_names_every_script(built: Path, unbuilt: Path) -> None:
    assert sorted(name for names in family.PANELS.values() for name in names) == sorted({*SCRIPTS} - OTHERS)
    for root in (built, unbuilt):
        done = run(root, "reporting", "--help", COLUMNS="100")
        assert (done.returncode, done.stderr) == (0, "")
        listed = set(re.findall(r"^[│ ]+([a-z]+(?:-[a-z]+)*) {2,}\S", done.stdout, re.MULTILINE))
        assert listed >= {*SCRIPTS} - OTHERS


def test_the_list_imports_no_command() -> None:
    program = (
        "import sys; from reporting.cli.family import family; code = family(['--help']);"
        "assert not {'airflow', 'google.cloud.bigquery', 'reporting.cli.verify'} & sys.modules.keys(); sys.exit(code)"
    )
    python = ROOT / ".venv" / "airflow" / "bin" / "python"
    done = subprocess.run(
        [python, "-c", program], env={"PYTHONPATH": str(ROOT / "plugins")}, check=False, timeout=600
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("doctor", "--nothing"), "script/doctor: No such option: --nothing. script/doctor --help shows"),
        (("export", "marts"), "script/export: Missing option '--to'"),
        (("export", "--to", "xls", "marts"), "'xls' is not valid. Use one of csv, parquet, duckdb, sqlite"),
        (("sync", "now"), "script/sync: Got unexpected extra argument(s) (now)"),
        (("connect", "nobody"), "'nobody' is not valid. "),
        (("connect", "notoin"), "Did you mean notion?"),
        (("replay", "contacts"), "Did you mean google__contacts or hubspot__contacts?"),
        (("verify", "notion.dayli_habits"), "Did you mean notion__daily_habits"),
        (("replay", "nothing"), "Use one of google_calendar__calendars"),
        (("replay", "hubspot", "some-run"), "RUN belongs to one entity: name it instead of its source"),
        (("export", "--to", "csv", "marts", "--marts", "habit"), "Did you mean habit_metrics or habits?"),
        (("verify", "notion"), "not configured, so they are not read: notion. Run script/connect notion."),
        (("restore", "--json"), "--json can only be used together with --list"),
        (("memory", "--pid", "0x"), "script/memory: Invalid value for '--pid'"),
        (("lint", "--fast"), "script/lint: '--fast' is not an option"),
        (("docs", "--fast"), "script/docs: '--fast' is not an option"),
        (("screenshots", "now"), "script/screenshots: 'now' is more than it takes"),
        (("query", "DROP TABLE raw.x"), "script/query: it takes one SELECT"),
        (("lock", "--all"), "script/lock: '--all' is not an option"),
        (("package", "--out"), "script/package: '--out' is not an option"),
        (("setup", "now"), "script/setup: 'now' is more than it takes"),
        (("celery-check", "now"), "script/celery-check: 'now' is more than it takes"),
        (("production-check", "--fast"), "script/production-check: '--fast' is not an option"),
        (("nothing",), "script/reporting: there is no command 'nothing'"),
        (("--nothing",), "script/reporting: No such option: --nothing"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_wrong_use_ends_with_2_and_a_sentence(built: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(built, "reporting", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_environment_that_is_none_builds_nothing(unbuilt: Path) -> None:
    done = run(unbuilt, "bootstrap", "rust")
    assert done.returncode == 2
    assert "script/bootstrap: 'rust' is not an environment" in done.stderr
    assert not (unbuilt / "started").exists()


def test_a_file_that_cannot_be_used_is_no_traceback(built: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(built, "report", "--data", str(tmp_path / "file" / "state"), REPORTING_CONFIG="/nowhere")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert str(tmp_path / "file") in done.stderr


def test_the_earlier_name_of_a_sync_goes_on(unbuilt: Path) -> None:
    (unbuilt / "script" / "sync").write_text('#!/bin/sh\necho "$@"\n')
    assert run(unbuilt, "round", "--full", "--minutes", "9").stdout == "--full --minutes 9\n"


def test_what_a_command_needs_is_built_without_a_word_on_standard_output(unbuilt: Path) -> None:
    (unbuilt / "script" / "bootstrap").write_text('#!/bin/sh\necho "Building $*"\n')
    done = run(unbuilt, "doctor", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "Building airflow"
    assert "script/doctor: there is no environment" in done.stderr


def test_the_doctor_writes_one_document(built: Path, tmp_path: Path) -> None:
    done = run(built, "doctor", "--json", REPORTING_CONFIG=str(tmp_path / "nowhere"))
    found = json.loads(done.stdout)
    assert {tuple(each) for each in found} == {("subject", "is_well", "text", "level")}
    assert done.returncode == (0 if all(each["is_well"] for each in found) else 1)
    assert "Configuration: " in done.stderr


def test_the_shell_completes_commands_and_options(built: Path) -> None:
    def completed(*words: str) -> set[str]:
        asked = {"_REPORTING_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("script/reporting", *words))}
        done = run(built, "reporting", COMP_CWORD=str(len(words)), **asked)
        assert done.stderr == ""
        return set(done.stdout.split())

    assert completed("ver") == {"verify", "verify-bigquery"}
    assert "--bigquery-port" in completed("verify", "--")
    assert completed("verify", "hubspot__conta") == {"hubspot__contacts"}


def test_an_option_takes_all_the_words_that_follow_it() -> None:
    many = {"--marts"}
    for given, read in (
        ("--marts a b --to csv out", "--marts a --marts b --to csv out"),
        ("--marts a --marts b", "--marts a --marts b"),
        ("out --to csv --marts", "out --to csv --marts"),
        ("--marts a -- b c", "--marts a -- b c"),
    ):
        assert repeated(given.split(), many) == read.split()
