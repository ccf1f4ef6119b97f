"""The commands and the environment with which dbt is started, and readers of its result files. Nothing here runs dbt.

dbt's commands and artifacts: https://docs.getdbt.com/reference/commands/build and .../artifacts/run-results-json
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reporting.settings import EMULATOR_HOST, LOOPBACK, ROOT, WEEKDAYS, Settings

PROJECT = ROOT / "dbt"
# Only these variables are passed to dbt's process, so that it sees none of Airflow's secrets.
PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
PASSED_ON_PREFIXES = (
    "DBT_",
    "GOOGLE_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
# Settings that dbt does not need, some of which are secrets.
WITHHELD_PREFIXES = (
    "REPORTING_ADMIN_",
    "REPORTING_ALERT_",
    "REPORTING_BACKUP_",
    "REPORTING_CSV_",
    "REPORTING_DATABASE_",
    "REPORTING_ENTRA_",
    "REPORTING_EXPORT_",
    "REPORTING_MAIL_",
    "REPORTING_METADATA_",
    "REPORTING_PING_",
    "REPORTING_SMTP_",
    "REPORTING_SUMMARY_",
)
FAILED = frozenset({"error", "fail", "runtime error"})


def target_folder(settings: Settings) -> Path:
    """The folder in which dbt writes its compiled SQL and its results."""
    return settings.state / "dbt" / "target"


def build_command(
    settings: Settings, select: Iterable[str], full_refresh: bool = False, exclude: Sequence[str] = ()
) -> list[str]:
    """The command that builds and tests the nodes in `select`. Unit tests are left out: the project's test suite runs them."""
    refresh = ["--full-refresh"] if full_refresh else []
    return [
        *_dbt(settings, "build"),
        *("--exclude-resource-type", "unit_test"),
        *refresh,
        # A test that also reads models of a later layer runs with that layer.
        *("--indirect-selection", "buildable"),
        *(("--exclude", *exclude) if exclude else ()),
        *("--select", *select),
    ]


def freshness_command(settings: Settings, sources: Iterable[str]) -> list[str]:
    """The command that compares the age of `sources` (`notion.daily_habits`) with the limit declared in dbt's YAML."""
    selected = [f"source:{name}" for name in sources]
    return [*_dbt(settings, "source", "freshness"), *(("--select", *selected) if selected else ())]


def _dbt(settings: Settings, *command: str) -> list[str]:
    return [
        str(settings.dbt),
        *command,
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(target_folder(settings)), "--log-path", str(settings.state / "dbt" / "logs")),
    ]


def environment(
    settings: Settings, keyfile: str | None = None, inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of dbt's process. `keyfile` is the path of a service account's key (None: the machine's own
    credentials)."""
    passed = {
        name: value
        for name, value in inherited.items()
        if (name in PASSED_ON or name.startswith((*PASSED_ON_PREFIXES, "REPORTING_")))
        and not name.startswith(WITHHELD_PREFIXES)
    }
    passed |= {
        # `prepare` has removed what was parsed of other files.
        "DBT_PARTIAL_PARSE": "true",
        "REPORTING_DBT_TARGET": "local" if settings.emulator_host else "bigquery",
        "REPORTING_BIGQUERY_PROJECT": settings.project,
        "REPORTING_BIGQUERY_LOCATION": settings.location,
        "REPORTING_DATASET_PREFIX": settings.dataset_prefix,
        "REPORTING_MAXIMUM_BYTES_BILLED": str(settings.maximum_bytes_billed),
        "REPORTING_TIMEZONE": settings.timezone,
        # The validated value: the variable itself may be empty or have spaces around it.
        "REPORTING_FIRST_WEEKDAY": WEEKDAYS[settings.first_weekday],
    }
    if settings.emulator_host:
        passed[EMULATOR_HOST] = settings.emulator_host
        # dbt hides the values of variables with this prefix in its output.
        passed["DBT_ENV_SECRET_EMULATOR_TOKEN"] = settings.emulator_token or "none"
        # A proxy that is set in the environment cannot reach this machine's loopback, and would see the token.
        for name in ("NO_PROXY", "no_proxy"):
            passed[name] = ",".join(filter(None, (passed.get(name), *LOOPBACK)))
    if keyfile:
        # The file is another one each time. With another name for this variable dbt would take that for a changed profile.
        passed |= {"REPORTING_DBT_METHOD": "service-account", "DBT_ENV_SECRET_KEYFILE": keyfile}
    return passed


@contextmanager
def keyfile(key: Mapping[str, Any] | str | None) -> Iterator[str | None]:
    """Write a service account's key to a file that only this user can read, and remove it afterwards.

    `key` is the content of the key, or the path of an existing file, or None where the machine has credentials of its own.
    """
    if key is None or isinstance(key, str):
        yield key
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "key.json")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump(dict(key), file)
        yield path


def project_digest() -> str:
    """The SHA-256 of all files from which dbt builds."""
    digest = hashlib.sha256()
    for path in sorted(PROJECT.rglob("*")):
        if path.suffix in (".sql", ".yml", ".csv") and not {"target", "logs"} & set(path.parts):
            digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def results(settings: Settings) -> Iterator[dict[str, str]]:
    """One entry per node that the last build ran, as dbt wrote it; nothing if dbt wrote no results."""
    return _results(target_folder(settings) / "run_results.json")


def manifest(settings: Settings) -> dict[str, Any]:
    """The manifest that dbt's last command wrote: https://docs.getdbt.com/reference/artifacts/manifest-json"""
    found: dict[str, Any] = json.loads((target_folder(settings) / "manifest.json").read_text())
    return found


def failures(settings: Settings) -> list[str]:
    """One line per node that failed in the last build: its name, and dbt's message."""
    return [
        f"{_name(result['unique_id'])}: {_reason(result.get('message'))}"
        for result in results(settings)
        if result["status"] in FAILED
    ]


def stale(settings: Settings) -> list[str]:
    """One line per source that was too old in the last freshness check."""
    return [
        f"{_name(result['unique_id'])}: last complete run {result.get('max_loaded_at') or 'never'}"
        for result in _results(target_folder(settings) / "sources.json")
        if result["status"] in FAILED
    ]


def result_rows(settings: Settings) -> list[dict[str, Any]]:
    """One row of `ops.dbt_results` per node of the last build, without the columns about the build; none if dbt ended early.

    Messages of dbt are left out, since an error from the warehouse may quote a value.
    """
    try:
        found = json.loads((target_folder(settings) / "run_results.json").read_text())
    except FileNotFoundError:
        return []
    return [_result(found["metadata"], each) for each in found["results"]]


def prepare(settings: Settings) -> None:
    """Remove the results of the last command, so that they are not mistaken for those of the next one.

    What dbt has parsed is kept as long as no file of the project changes, which saves half of dbt's start. After a change
    dbt 1.11 would take what it parsed and the changed files together, and loses a YAML snapshot if a macro below a model
    that reads it was changed.
    """
    folder = target_folder(settings)
    for name in ("run_results.json", "sources.json"):
        (folder / name).unlink(missing_ok=True)
    stamp, digest = folder / "project_digest", project_digest()
    if not stamp.exists() or stamp.read_text() != digest:
        (folder / "partial_parse.msgpack").unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        stamp.write_text(digest)


def _result(metadata: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    kind, _, *name = result["unique_id"].split(".")
    response = result.get("adapter_response") or {}
    timing = {each["name"]: each for each in result.get("timing") or []}
    # A skipped node has no times of its own, so it gets the time at which dbt wrote its results.
    begun = timing.get("compile") or timing.get("execute") or {}
    return {
        "invocation_id": metadata["invocation_id"],
        "node_id": result["unique_id"],
        "kind": kind,
        "name": name[0] if kind == "test" else ".".join(name),
        "status": result["status"],
        "started_at": begun.get("started_at") or metadata["generated_at"],
        "duration_seconds": result.get("execution_time"),
        "rows_affected": response.get("rows_affected"),
        "bytes_billed": response.get("bytes_billed"),
        "failures": result.get("failures"),
    }


def _results(path: Path) -> Iterator[dict[str, str]]:
    try:
        yield from json.loads(path.read_text())["results"]
    except FileNotFoundError:
        return


def _name(unique_id: str) -> str:
    """Shorten `test.reporting.not_null_habits_habit.1a2b` to `test not_null_habits_habit`."""
    kind, _, *rest = unique_id.split(".")
    return f"{kind} {rest[0] if kind == 'test' else '.'.join(rest)}"


def _reason(message: str | None) -> str:
    """The first two lines of dbt's message: the first names the model and its file, the second says what is wrong."""
    lines = [line.strip() for line in (message or "no message").strip().splitlines()]
    return ": ".join(lines[:2])
