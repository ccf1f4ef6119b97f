"""`script/demo` as the end-to-end tests start it."""

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from reporting.local.bigquery import LocalBigQuery
from reporting.local.serving import Served, free_port
from reporting.local.tokens import token_of
from reporting.settings import ROOT

HEADERS = {"Authorization": "Bearer ntn_any", "Notion-Version": "2025-09-03"}
# Longer than the demo itself waits for its runs: what it says then is the reason.
HANGS_SECONDS = 1500
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
        try:
            done = subprocess.run(
                self.command("--once"),
                env=os.environ | WIDE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=HANGS_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"the demo did not end; it said: {error.output}") from None
        assert done.returncode == 0, done.stdout
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
    return [tuple(row.values()) for row in client.query_and_wait(sql)]
