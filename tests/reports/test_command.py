"""script/report, as somebody types it."""

from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.cli import report
from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.settings import Settings


@pytest.fixture(autouse=True)
def environment(
    warehouse: tuple[bigquery.Client, Settings], monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """The environment leads to the warehouse of this file. Signals stay with the tests."""
    settings = warehouse[1]
    variables = {
        **settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": settings.dataset_prefix,
        "REPORTING_CONFIG": "/nowhere",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(report, "end_on_signals", lambda: None)
    return monkeypatch


def test_the_report_is_made_and_its_place_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("report", ["--data", str(tmp_path)]) == 0
    first = tmp_path / "site" / "index.html"
    assert f"Report: {first} (" in capsys.readouterr().out
    assert b"<html" in first.read_bytes()


def test_without_marts_it_says_what_to_do(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REPORTING_DATASET_PREFIX", "nowhere_")
    with pytest.raises(CommandError, match=r"The demo's data is in --data var/demo\.$") as caught:
        call("report", ["--data", str(tmp_path)])
    assert str(caught.value).count("nowhere_marts") == 1
    assert "Not found" not in str(caught.value)
    assert not (tmp_path / "site").exists()
