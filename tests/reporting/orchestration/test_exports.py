"""What the task that exports makes of settings and params; what it writes is in tests/reporting/exports."""

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from reporting.exports.marts import MARTS
from reporting.local.bigquery import LocalBigQuery
from reporting.orchestration import exports
from reporting.settings import read_settings
from reporting.warehouse.client import connect
from tests.support.marts import Marts


def run_with(patch: pytest.MonkeyPatch, **params: Any) -> dict[str, int]:
    patch.setattr(exports, "get_current_context", lambda: {"params": params})
    return exports.export_marts()


def test_without_an_address_it_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPORTING_EXPORT_URI", raising=False)
    with pytest.raises(AirflowSkipException, match="REPORTING_EXPORT_URI is not set, so nothing is exported"):
        run_with(monkeypatch)


def test_a_param_that_cannot_be_fails_for_good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REPORTING_EXPORT_URI", str(tmp_path))
    with pytest.raises(AirflowFailException, match="'habit' is not a mart"):
        run_with(monkeypatch, marts=["habit"])


def test_settings_and_params_say_what_and_where(
    bigquery_endpoint: LocalBigQuery,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for variable, value in {
        **bigquery_endpoint.variables,
        "REPORTING_DATASET_PREFIX": "task_",
        "REPORTING_EXPORT_URI": str(tmp_path),
        "REPORTING_EXPORT_FORMAT": "csv",
    }.items():
        monkeypatch.setenv(variable, value)
    settings = read_settings()
    marts = Marts(connect(settings), settings)
    marts.make()
    marts.hold(
        "habit_metrics", [{"habit_id": "h", "month_on": month} for month in ("2026-01-01", "2026-02-01")]
    )
    caplog.set_level("INFO")
    assert run_with(monkeypatch)["habit_metrics"] == 2
    assert len(list((tmp_path / "marts").glob("*.csv"))) == len(MARTS)
    asked = {"to": "sqlite", "marts": ["habit_metrics", "people"], "since": "2026-02-01", "until": None}
    assert run_with(monkeypatch, **asked) == {"habit_metrics": 1, "people": 0}
    assert (tmp_path / "marts.sqlite").is_file()
    assert "Exported in full, since their rows have no time: people." in caplog.text
    assert "habit_metrics: 1 of 1 rows" in caplog.text
