"""How dbt is started, in an environment of its own, and what its results say. Nothing here runs it.

dbt's commands and artifacts: https://docs.getdbt.com/reference/commands/build and .../artifacts/run-results-json
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reporting.settings import EMULATOR_HOST, LOOPBACK, ROOT, Settings

PROJECT = ROOT / "dbt"
EXECUTABLE = ROOT / ".venv" / "dbt" / "bin" / "dbt"
# dbt's process sees none of Airflow's secrets.
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
# Settings of others than dbt, and secrets some of them.
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
    """Where dbt leaves what it compiled and its results."""
    return settings.state / "dbt" / "target"


def build_command(settings: Settings, select: Iterable[str], full_refresh: bool = False) -> list[str]:
    """The command that builds and tests `select`. Unit tests are of the code and belong to its own tests."""
    refresh = ["--full-refresh"] if full_refresh else []
    return [
        *_dbt(settings, "build"),
        *("--exclude-resource-type", "unit_test"),
        *refresh,
        # A test that also looks at a later layer's models runs with that layer.
        *("--indirect-selection", "buildable"),
        *("--select", *select),
    ]


def freshness_command(settings: Settings, sources: Iterable[str]) -> list[str]:
    """The command that compares the age of `sources` (`notion.daily_habits`) with what is declared for them."""
    return [*_dbt(settings, "source", "freshness"), "--select", *(f"source:{name}" for name in sources)]


def _dbt(settings: Settings, *command: str) -> list[str]:
    return [
        os.environ.get("REPORTING_DBT", str(EXECUTABLE)),
        *command,
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(target_folder(settings)), "--log-path", str(settings.state / "dbt" / "logs")),
    ]


def environment(
    settings: Settings, keyfile: str | None = None, inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The variables that dbt's process gets; `keyfile` is a service account's key, else the machine's own."""
    passed = {
        name: value
        for name, value in inherited.items()
        if (name in PASSED_ON or name.startswith((*PASSED_ON_PREFIXES, "REPORTING_")))
        and not name.startswith(WITHHELD_PREFIXES)
    }
    passed |= {
        "REPORTING_DBT_TARGET": "local" if settings.emulator_host else "bigquery",
        "REPORTING_BIGQUERY_PROJECT": settings.project,
        "REPORTING_BIGQUERY_LOCATION": settings.location,
        "REPORTING_DATASET_PREFIX": settings.dataset_prefix,
        "REPORTING_MAXIMUM_BYTES_BILLED": str(settings.maximum_bytes_billed),
        "REPORTING_TIMEZONE": settings.timezone,
    }
    if settings.emulator_host:
        passed[EMULATOR_HOST] = settings.emulator_host
        # dbt hides the values of variables with that name.
        passed["DBT_ENV_SECRET_EMULATOR_TOKEN"] = settings.emulator_token or "none"
        # A proxy of the environment is not for this machine, and would get the token.
        for name in ("NO_PROXY", "no_proxy"):
            passed[name] = ",".join(filter(None, (passed.get(name), *LOOPBACK)))
    if keyfile:
        passed |= {"REPORTING_DBT_METHOD": "service-account", "GOOGLE_APPLICATION_CREDENTIALS": keyfile}
    return passed


@contextmanager
def keyfile(key: Mapping[str, Any] | str | None) -> Iterator[str | None]:
    """A service account's key as a file that only this user can read.

    `key` is its content, or the path of a file that is there, or None: on Google's machines the machine has its own.
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
    """SHA-256 over everything that dbt builds from."""
    digest = hashlib.sha256()
    for path in sorted(PROJECT.rglob("*")):
        if path.suffix in (".sql", ".yml", ".csv") and not {"target", "logs"} & set(path.parts):
            digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def results(settings: Settings) -> Iterator[dict[str, str]]:
    """One entry a node that the last build ran, as dbt wrote it; none when it ran none."""
    return _results(target_folder(settings) / "run_results.json")


def manifest(settings: Settings) -> dict[str, Any]:
    """What dbt knows of the project since its last command: https://docs.getdbt.com/reference/artifacts/manifest-json"""
    found: dict[str, Any] = json.loads((target_folder(settings) / "manifest.json").read_text())
    return found


def failures(settings: Settings) -> list[str]:
    """One line a node that failed in the last build: its name, and what dbt says of it."""
    return [
        f"{_name(result['unique_id'])}: {_reason(result.get('message'))}"
        for result in results(settings)
        if result["status"] in FAILED
    ]


def stale(settings: Settings) -> list[str]:
    """One line a source that is older than it may be, by the last check."""
    return [
        f"{_name(result['unique_id'])}: last complete run {result.get('max_loaded_at') or 'never'}"
        for result in _results(target_folder(settings) / "sources.json")
        if result["status"] in FAILED
    ]


def result_rows(settings: Settings) -> list[dict[str, Any]]:
    """One row of `ops.dbt_results` a node of the last build, without the build itself; none where dbt did not get that far.

    What dbt says in words stays out, since an error of the warehouse may quote a value.
    """
    try:
        found = json.loads((target_folder(settings) / "run_results.json").read_text())
    except FileNotFoundError:
        return []
    return [_result(found["metadata"], each) for each in found["results"]]


def forget_results(settings: Settings) -> None:
    """Remove the results of the last command, so that they are not taken for the next one's."""
    for name in ("run_results.json", "sources.json"):
        (target_folder(settings) / name).unlink(missing_ok=True)


def _result(metadata: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    kind, _, *name = result["unique_id"].split(".")
    said = result.get("adapter_response") or {}
    timing = {each["name"]: each for each in result.get("timing") or []}
    # A node that was skipped has none; what stands in the metadata is when the command wrote this.
    begun = timing.get("compile") or timing.get("execute") or {}
    return {
        "invocation_id": metadata["invocation_id"],
        "node_id": result["unique_id"],
        "kind": kind,
        "name": name[0] if kind == "test" else ".".join(name),
        "status": result["status"],
        "started_at": begun.get("started_at") or metadata["generated_at"],
        "duration_seconds": result.get("execution_time"),
        "rows_affected": said.get("rows_affected"),
        "bytes_billed": said.get("bytes_billed"),
        "failures": result.get("failures"),
    }


def _results(path: Path) -> Iterator[dict[str, str]]:
    try:
        yield from json.loads(path.read_text())["results"]
    except FileNotFoundError:
        return


def _name(unique_id: str) -> str:
    """`test.reporting.not_null_habits_habit.1a2b` as `test not_null_habits_habit`."""
    kind, _, *rest = unique_id.split(".")
    return f"{kind} {rest[0] if kind == 'test' else '.'.join(rest)}"


def _reason(message: str | None) -> str:
    """The first two lines, the first of which names the model and its file, and the second what is wrong with it."""
    lines = [line.strip() for line in (message or "no message").strip().splitlines()]
    return ": ".join(lines[:2])
