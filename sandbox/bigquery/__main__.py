"""Serves the local BigQuery on loopback: `python -m sandbox.bigquery --port 9050 --data var/bigquery`.

It checks no credentials, so it never listens beyond loopback. The port after the given one serves the Storage
API. REPORTING_SANDBOX_SKIP_PATCHES names patches to leave out, with commas, for the patches' own tests.
"""

import argparse
import functools
import importlib.metadata
import os
import socket
import sys
from pathlib import Path
from typing import Any

WRITTEN_FOR = {"local-bigquery": "0.4.0", "duckdb": "1.5.5"}
HOST = "127.0.0.1"
SKIP_VARIABLE = "REPORTING_SANDBOX_SKIP_PATCHES"


def main() -> int:
    """Serve until ended by a signal; 2 when it cannot start, with the reason on standard error."""
    parser = argparse.ArgumentParser("sandbox.bigquery", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds everything it keeps")
    parser.add_argument(
        "--threads",
        type=int,
        help="threads of a statement (default: a core each); few rows are quicker with one",
    )
    options = parser.parse_args()
    data, home = options.data.resolve() / "data", options.data.resolve() / "home"

    reason = _wrong_version() or _port_in_use(options.port) or _port_in_use(options.port + 1)
    if reason:
        return _refuse(reason)

    home.mkdir(parents=True, exist_ok=True)
    # DuckDB keeps its extensions in HOME: a private one leaves the owner's alone.
    os.environ["HOME"] = str(home)

    # These import DuckDB and local-bigquery, which must see that HOME.
    from sandbox.bigquery.compaction import DataError, compact
    from sandbox.bigquery.patches import ALL

    skipped = set(filter(None, os.environ.get(SKIP_VARIABLE, "").split(",")))
    if unknown := skipped - set(ALL):
        return _refuse(f"{SKIP_VARIABLE} names no patch: {', '.join(sorted(unknown))}.")
    for name, apply in ALL.items():
        if name not in skipped:
            apply()

    if options.threads is not None:
        _limit(options.threads)

    try:
        compact(data)
    except DataError as error:
        return _refuse(f"{data} cannot be opened: {error}")

    from local_bigquery import cli

    cli.main(
        [
            *("--host", HOST),
            *("--port", str(options.port)),
            *("--grpc-port", str(options.port + 1)),
            *("--data-dir", str(data)),
        ]
    )
    return 0


def _wrong_version() -> str | None:
    for package, wanted in WRITTEN_FOR.items():
        found = importlib.metadata.version(package)
        if found != wanted:
            return f"the patches are for {package} {wanted}, and {found} is installed."
    return None


def _port_in_use(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            return f"port {port} cannot be used ({error}). End what listens there, or choose another."
    return None


def _limit(threads: int) -> None:
    from local_bigquery.engine import database

    original = database._connect

    # As the original is: every cursor asks for the connection.
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
