"""`script/demo` as the end-to-end tests start it."""

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from reporting.settings import ROOT
from sandbox.bigquery.server import LocalBigQuery
from sandbox.guard import token_of
from sandbox.serving import Served, free_port

HEADERS = {"Authorization": "Bearer ntn_any", "Notion-Version": "2025-09-03"}
# Enough for every line of the tables.
WIDE = {"COLUMNS": "200"}


class Demo:
    """`script/demo --once` on a folder and ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = ("--port", "--bigquery-port", "--notion-port", "--hubspot-port", "--google-port")
        self.ports = {name: free_port() for name in names}

    def served(self, name: str) -> Served:
        """One of its servers, by the name of its folder."""
        address = f"http://127.0.0.1:{self.ports[f'--{name}-port']}"
        return Served(address, token_of(self.folder / name))

    def bigquery(self) -> LocalBigQuery:
        return LocalBigQuery(*self.served("bigquery"))

    def command(self, *arguments: str) -> list[str]:
        ports = [str(each) for pair in self.ports.items() for each in pair]
        return [str(ROOT / "script" / "demo"), "--data", str(self.folder), *ports, *arguments]

    def run(self) -> str:
        done = subprocess.run(
            self.command("--once"),
            env=os.environ | WIDE,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.open_ports() == []
        return done.stdout

    def open_ports(self) -> list[str]:
        found = []
        for name, port in self.ports.items():
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    found.append(name)
        return found


def rows(client: bigquery.Client, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in client.query(sql).result()]
