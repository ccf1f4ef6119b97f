"""Serves the local BigQuery on loopback: `python -m sandbox.bigquery --port 9050 --data var/bigquery`.

It listens on loopback only, and requires the token in the file `token` of its folder (`sandbox.guard`). It has no Storage API.
REPORTING_SANDBOX_SKIP_PATCHES names patches to leave out, separated by commas, for the tests of the patches.
"""

import argparse
import functools
import importlib.metadata
import os
import socket
import sys
from pathlib import Path
from typing import Any

from reporting.local.tokens import token_of
from sandbox.guard import Guard

WRITTEN_FOR = {"local-bigquery": "0.4.0", "duckdb": "1.5.5"}
HOST = "127.0.0.1"
SKIP_VARIABLE = "REPORTING_SANDBOX_SKIP_PATCHES"


def main() -> int:
    """Serve until a signal ends the process. Returns 2 and prints the reason on standard error if it cannot start."""
    parser = argparse.ArgumentParser("sandbox.bigquery", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder for all its data")
    parser.add_argument(
        "--threads",
        type=int,
        help="threads per statement (default: one per core); with few rows, one thread is faster",
    )
    options = parser.parse_args()
    data, home = options.data.resolve() / "data", options.data.resolve() / "home"

    reason = _wrong_version() or _port_in_use(options.port)
    if reason:
        return _refuse(reason)

    # Only this user may read its files.
    os.umask(0o077)
    try:
        token = token_of(options.data.resolve())
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return _refuse(
            f"{options.data} cannot be used ({error}). Choose another folder, or correct its permissions."
        )
    # DuckDB stores its extensions in HOME. With a HOME of its own, the user's extensions are not touched.
    os.environ["HOME"] = str(home)

    # Imported after HOME was set, because these modules import DuckDB and local-bigquery.
    from sandbox.bigquery.compaction import DataError, compact
    from sandbox.bigquery.patches import ALL

    skipped = set(filter(None, os.environ.get(SKIP_VARIABLE, "").split(",")))
    if unknown := skipped - set(ALL):
        return _refuse(f"{SKIP_VARIABLE} names unknown patches: {', '.join(sorted(unknown))}.")
    # Set before the patches are applied, since one of them locks the configuration.
    if options.threads is not None:
        _limit(options.threads)
    for name, apply in ALL.items():
        if name not in skipped:
            apply()

    try:
        compact(data)
    except DataError as error:
        return _refuse(f"{data} cannot be opened: {error}")

    import uvicorn
    from local_bigquery import app
    from local_bigquery.settings import settings

    settings.data_dir = data
    guarded = Guard(app, options.port, token)
    # Without an access log, which would fill the disk if it runs for months.
    uvicorn.run(guarded, host=HOST, port=options.port, log_level="warning", access_log=False)
    return 0


def _wrong_version() -> str | None:
    for package, wanted in WRITTEN_FOR.items():
        found = importlib.metadata.version(package)
        if found != wanted:
            return f"the patches are for {package} {wanted}, but {found} is installed. Run script/bootstrap sandbox."
    return None


def _port_in_use(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            return f"port {port} cannot be used ({error}). Stop the program that uses it, or choose another port."
    return None


def _limit(threads: int) -> None:
    from local_bigquery.engine import database

    original = database._connect

    # Cached like the original function, since every cursor calls it.
    @functools.cache
    def connect() -> Any:
        connection = original()
        connection.execute(f"SET threads = {threads}")
        return connection

    database._connect = connect


def _refuse(reason: str) -> int:
    print(f"The local BigQuery did not start: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
