"""What script/verify-bigquery does with a project; a local BigQuery stands for it."""

from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.cli import verify_bigquery
from reporting.cli.command import call
from reporting.cli.verify_bigquery import Warehouse
from reporting.deploy.errors import CommandError
from reporting.local.bigquery import LocalBigQuery
from reporting.settings import read_settings
from reporting.warehouse.client import connect

HISTORIES = ("--histories", "3")
OTHERS = ("REPORTING_BIGQUERY_PROJECT", "BIGQUERY_EMULATOR_HOST", "AIRFLOW_CONN_BIGQUERY")


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in OTHERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REPORTING_CONFIG", str(tmp_path / "environment"))


@pytest.fixture
def client(bigquery_endpoint: LocalBigQuery, monkeypatch: pytest.MonkeyPatch) -> bigquery.Client:
    """Of the local BigQuery, which the command is told of, too."""
    for name, value in bigquery_endpoint.variables.items():
        monkeypatch.setenv(name, value)
    return connect(read_settings())


def datasets(client: bigquery.Client) -> list[str]:
    return [each.dataset_id for each in client.list_datasets() if each.dataset_id.startswith("verify_")]


def test_without_a_project_it_says_that_it_did_not_run() -> None:
    with pytest.raises(CommandError, match="no Google project is configured, so nothing was tested"):
        call("verify-bigquery", HISTORIES)


def test_the_revisions_go_up_down_and_up_in_datasets_that_expire(
    client: bigquery.Client, bigquery_endpoint: LocalBigQuery
) -> None:
    with verify_bigquery.throw_away(bigquery_endpoint.variables) as warehouse:
        assert "tables, up, down and up again" in verify_bigquery.migrate(warehouse, 0)
        assert len(datasets(client)) == len(warehouse.datasets()) >= 2
    assert datasets(client) == []


@pytest.mark.parametrize("error", [CommandError("one row is lost"), KeyboardInterrupt()])
def test_whatever_a_step_does_the_datasets_are_deleted(
    client: bigquery.Client,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client.create_dataset("verifier", exists_ok=True)
    seen: list[str] = []

    def fill(warehouse: Warehouse, count: int) -> str:
        for name in ("raw", "ops"):
            dataset = warehouse.settings.dataset(name)
            warehouse.client.create_dataset(dataset)
            warehouse.client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT {count} AS n")
        seen.extend(warehouse.datasets())
        return "filled"

    def fail(_: Warehouse, __: int) -> str:
        raise error

    monkeypatch.setattr(verify_bigquery, "STEPS", {"filling": fill, "failing": fail})
    if isinstance(error, CommandError):
        assert call("verify-bigquery", HISTORIES) == 1
        said = capsys.readouterr().out
        assert "one row is lost" in said
        assert "failed" in said
    else:
        with pytest.raises(KeyboardInterrupt):
            call("verify-bigquery", HISTORIES)
    assert len(seen) == 2
    assert datasets(client) == []
    assert "verifier" in {each.dataset_id for each in client.list_datasets()}


def test_no_token_of_a_source_is_passed_on(client: bigquery.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NOTION", "ntn_hidden")
    monkeypatch.setenv("REPORTING_NOTION_DAILY_HABITS", "Mine")
    passed: dict[str, str] = {}
    monkeypatch.setattr(
        verify_bigquery, "STEPS", {"looking": lambda warehouse, _: passed.update(warehouse.environment) or ""}
    )
    assert call("verify-bigquery", HISTORIES) == 0
    assert not {"AIRFLOW_CONN_NOTION", "REPORTING_NOTION_DAILY_HABITS"} & passed.keys()
    assert passed["REPORTING_DATASET_PREFIX"].startswith("verify_")


@pytest.mark.heavy
def test_a_warehouse_that_works_passes(client: bigquery.Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("verify-bigquery", HISTORIES) == 0
    said = capsys.readouterr().out
    assert "everything, twice" in said
    assert "3 histories" in said
    assert datasets(client) == []
