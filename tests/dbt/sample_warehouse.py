"""A migrated warehouse on the local BigQuery, and dbt over it as production starts it."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.settings import Settings, read_settings
from reporting.transform import dbt
from reporting.warehouse.client import connect


class SampleWarehouse:
    """A warehouse, and dbt on a day."""

    def __init__(self, client: bigquery.Client, settings: Settings, today: date) -> None:
        self.client, self.settings, self.today = client, settings, today

    def mart(self, name: str) -> str:
        return f"{self.settings.dataset('marts')}.{name}"

    def dbt(
        self, *select: str, full_refresh: bool = False, exclude: Sequence[str] = ()
    ) -> dict[str, tuple[str, str]]:
        """Status and statement of each node that a build of `select` ran."""
        dbt.prepare(self.settings)
        done = subprocess.run(
            dbt.build_command(self.settings, select, full_refresh, exclude),
            env=dbt.environment(self.settings) | {"REPORTING_TODAY": self.today.isoformat()},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout
        path = dbt.target_folder(self.settings) / "run_results.json"
        results = json.loads(path.read_text())["results"]
        return {each["unique_id"]: (each["status"], each["compiled_code"]) for each in results}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.client.query_and_wait(sql)]


@contextmanager
def migrated(environment: Mapping[str, str], **variables: str) -> Iterator[tuple[bigquery.Client, Settings]]:
    """A client and settings of the migrated warehouse of `environment`, which is the process's with `variables` meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment, **variables}.items():
            patch.setenv(name, value)
        settings = read_settings()
        yield connect(settings), settings
