"""Serves the local BigQuery on loopback: `python -m sandbox.bigquery --port 9050 --data var/bigquery`.

It checks no credentials, so it never listens beyond loopback.
"""

import argparse
import importlib.metadata
import os
import socket
import sys
from pathlib import Path

WRITTEN_FOR = "0.4.0"
HOST = "127.0.0.1"


def main() -> int:
    """Serve until ended by a signal; 2 when it cannot start, with the reason on standard error."""
    parser = argparse.ArgumentParser("sandbox.bigquery", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds everything it keeps")
    parser.add_argument(
        "--skip", default="", help="patches to leave out, with commas (for the patches' own tests)"
    )
    options = parser.parse_args()

    version = importlib.metadata.version("local-bigquery")
    if version != WRITTEN_FOR:
        return _refuse(f"the patches are for local-bigquery {WRITTEN_FOR}, and {version} is installed.")
    for port in (options.port, options.port + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                return _refuse(f"port {port} cannot be used ({error.strerror}). End what listens there.")

    home = options.data.resolve() / "home"
    home.mkdir(parents=True, exist_ok=True)
    # DuckDB keeps its extensions in HOME: a private one leaves the owner's alone.
    os.environ["HOME"] = str(home)

    from sandbox.bigquery.patches import ALL

    skipped = set(filter(None, options.skip.split(",")))
    for name, apply in ALL.items():
        if name not in skipped:
            apply()

    from local_bigquery import cli

    cli.main(
        [
            *("--host", HOST),
            *("--port", str(options.port)),
            *("--grpc-port", str(options.port + 1)),
            *("--data-dir", str(options.data.resolve() / "data")),
        ]
    )
    return 0


def _refuse(reason: str) -> int:
    print(f"The local BigQuery did not start: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
