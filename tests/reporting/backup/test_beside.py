"""What a restore makes beside the warehouse is removed, and nothing that it did not make."""

from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import NotFound

from reporting.backup import restore
from reporting.settings import read_settings
from reporting.warehouse.client import WarehouseError

BESIDE = read_settings({"REPORTING_DATASET_PREFIX": restore.SCRATCH})


class Client:
    """Datasets with the names of their tables."""

    def __init__(self, **datasets: list[str]) -> None:
        self.datasets = {f"local.{name}": tables for name, tables in datasets.items()}

    def list_tables(self, name: str) -> list[Any]:
        if name not in self.datasets:
            raise NotFound(name)
        return [SimpleNamespace(table_id=each) for each in self.datasets[name]]

    def delete_dataset(self, name: str, *, delete_contents: bool, not_found_ok: bool) -> None:
        assert delete_contents
        assert not_found_ok
        self.datasets.pop(name, None)


def drop(client: Any) -> None:
    restore._drop(client, BESIDE)


def test_a_warehouse_whose_prefix_is_that_of_a_restore_is_left_alone() -> None:
    client = Client(restoring_ops=["sync_runs"], restoring_raw=["notion__daily_habits"])
    with pytest.raises(WarehouseError, match="give that warehouse another REPORTING_DATASET_PREFIX"):
        drop(client)
    assert list(client.datasets) == ["local.restoring_ops", "local.restoring_raw"]


@pytest.mark.parametrize(
    "left",
    [
        {},
        {"restoring_ops": [], "restoring_raw": []},
        {"restoring_ops": [restore.MARK, "sync_runs"], "restoring_raw": ["x"], "restoring_snapshots": []},
        {"restoring_ops": [restore.MARK]},
    ],
    ids=["nothing", "empty", "whole", "killed"],
)
def test_what_a_restore_left_goes(left: dict[str, list[str]]) -> None:
    client = Client(**left, raw=["x"])
    drop(client)
    assert list(client.datasets) == ["local.raw"]
