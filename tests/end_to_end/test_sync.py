"""One's own data: what script/connect stored is what script/sync reads; the warehouse is what stays."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reporting.deploy import configuration
from reporting.local.bigquery import LocalBigQuery
from reporting.local.serving import free_port
from reporting.settings import ROOT, read_settings
from reporting.sources.hubspot.entities import HUBSPOT_OBJECTS
from reporting.warehouse.client import connect
from sandbox.serving import fake_api
from tests.end_to_end.demo import rows
from tests.support.hubspot_portal import SMALL, portal

pytestmark = pytest.mark.timeout(3600)


@pytest.mark.heavy
def test_connect_doctor_and_syncs_from_an_empty_folder_each(
    tmp_path: Path, bigquery_endpoint: LocalBigQuery
) -> None:
    """One's own data: what script/connect stored is what the syncs read; the warehouse is what stays."""
    config = tmp_path / "config" / "environment"
    scopes = ",".join(f"crm.objects.{name}.read" for name in ("contacts", "companies", "deals", "owners"))
    crm_options = (*SMALL, "--token", "pat-own", "--scopes", scopes)
    with (
        fake_api("notion", tmp_path / "notion", None, "--days", "40", "--token", "ntn_own") as notion,
        portal(tmp_path / "hubspot", *crm_options) as crm,
    ):
        environment = os.environ | {
            "REPORTING_CONFIG": str(config),
            "REPORTING_NOTION_HOST": notion.address,
            "REPORTING_HUBSPOT_HOST": crm.address,
            **bigquery_endpoint.variables,
            "REPORTING_DATASET_PREFIX": "own_",
            "REPORTING_LANDING_URI": str(tmp_path / "landing"),
        }

        def run(name: str, *arguments: str, answers: str = "") -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [ROOT / "script" / name, *arguments],
                env=environment,
                input=answers,
                capture_output=True,
                text=True,
                check=False,
                timeout=600,
                # Without a terminal the token is read from the input.
                start_new_session=True,
            )

        refused = run("connect", "notion", answers="ntn_wrong\n")
        assert refused.returncode == 2
        assert "Notion refused the token" in refused.stderr
        assert not config.exists()
        assert run("doctor").returncode == 1

        done = run("connect", "notion", answers="ntn_own\n\n\nnone\n\nEurope/Berlin\n")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        assert config.stat().st_mode & 0o777 == 0o600
        assert "ntn_own" not in done.stdout + done.stderr
        doctor = run("doctor")
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        assert "notion__monthly_habits: is switched off" in doctor.stdout

        assert "HubSpot refused the token" in run("connect", "hubspot", answers="pat-wrong\n").stderr
        done = run("connect", "hubspot", answers="pat-own\n" + "\n" * 20)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "The key lacks 1 scope: sales-email-read (for emails)." in done.stdout
        doctor = run("doctor")
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        assert "hubspot__emails: is switched off" in doctor.stdout
        assert "hubspot__deals: can be read" in doctor.stdout

        results, history = [], []
        for number in range(2):
            state = tmp_path / f"state{number}"
            done = run("sync", "--data", str(state), "--port", str(free_port()))
            assert done.returncode == 0, done.stdout + done.stderr
            assert "ntn_own" not in done.stdout + done.stderr
            assert "pat-own" not in done.stdout + done.stderr
            client = connect(read_settings(environment))
            builds = rows(client, "SELECT COUNT(*) FROM own_ops.dbt_builds")[0][0]
            inserted = rows(client, "SELECT SUM(rows_inserted) FROM own_ops.sync_runs")[0][0]
            results.append((builds, inserted))
            history.append(
                rows(client, "SELECT COUNT(*), COUNTIF(state = 'success') FROM own_ops.airflow_runs")[0]
            )
            # The report is made with the build of the day.
            assert (state / "site" / "index.html").exists() is (number == 0)
            assert (f"Report: {state / 'site' / 'index.html'}" in done.stdout) is (number == 0)
            shutil.rmtree(state)
        # Nothing is new the second time, so nothing is inserted and nothing is built.
        assert results[0] == results[1]
        assert results[0][1] > 0
        # Each began with an empty metadata database, which is gone, and its runs are not.
        assert history[1][0] > history[0][0] > 10
        assert history[1][1] > history[0][1] > 10
        assert rows(client, "SELECT COUNT(*) FROM own_ops.airflow_tries WHERE state = 'success'")[0][0] > 20
        assert rows(client, "SELECT COUNT(*) FROM own_ops.dbt_results WHERE status = 'success'")[0][0] > 20
        profiled = rows(client, "SELECT COUNT(DISTINCT table_name) FROM own_ops.table_profiles")[0][0]
        assert (
            profiled
            == rows(
                client,
                "SELECT COUNT(DISTINCT CONCAT(source, entity)) FROM own_ops.sync_runs WHERE rows_inserted > 0",
            )[0][0]
        )
        refreshes = rows(client, "SELECT entity, refresh FROM own_ops.sync_runs ORDER BY committed_at")
        for name in ("daily_habits", "contacts"):
            assert [refresh for entity, refresh in refreshes if entity == name] == ["full", "changed"]
        assert "emails" not in [entity for entity, _ in refreshes]
        # What seldom changes is not fully refreshed again on the same day.
        assert [entity for entity, _ in refreshes].count("owners") == 1


@pytest.mark.heavy
def test_a_source_that_refuses_keeps_nobody_elses_marts(
    tmp_path: Path, bigquery_endpoint: LocalBigQuery
) -> None:
    """A token that ended is one source's own trouble: the others are read, built and shown, and it is named."""
    switched_off = [
        *(f"HUBSPOT__{each.name.upper()}" for each in HUBSPOT_OBJECTS if each.name != "contacts"),
        *("HUBSPOT__OWNERS", "HUBSPOT__PIPELINES", "HUBSPOT__ASSOCIATIONS", "HUBSPOT__PROPERTY_HISTORY"),
        *("NOTION__WEEKLY_HABITS", "NOTION__MONTHLY_HABITS", "NOTION__HABIT_TARGETS"),
    ]
    with (
        fake_api("notion", tmp_path / "notion", None, "--days", "10", "--token", "ntn_own") as notion,
        portal(tmp_path / "hubspot", *SMALL, "--token", "pat-new") as crm,
    ):
        state = tmp_path / "state"
        environment = os.environ | {
            "REPORTING_CONFIG": str(tmp_path / "config" / "environment"),
            "AIRFLOW_CONN_NOTION": configuration.token_connection("ntn_own", notion.address),
            "AIRFLOW_CONN_HUBSPOT": configuration.token_connection("pat-ended", crm.address),
            **bigquery_endpoint.variables,
            "REPORTING_DATASET_PREFIX": "refused_",
            "REPORTING_LANDING_URI": str(tmp_path / "landing"),
            # As a whole sync's, and shorter.
            "REPORTING_RETRY_SECONDS": "1",
            **{f"REPORTING_NAME_{name}": "none" for name in switched_off},
        }
        done = subprocess.run(
            [ROOT / "script" / "sync", "--data", str(state), "--port", str(free_port())],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "hubspot did not succeed" in done.stderr
    assert "raw_hubspot__contacts__full.extract" in done.stderr
    assert "HubSpot refused the token (401)" in done.stderr
    assert "notion" not in done.stderr.lower().replace("notion__", "")
    assert "pat-ended" not in done.stdout + done.stderr
    client = connect(read_settings(environment))
    assert rows(client, "SELECT COUNT(*) FROM refused_marts.habits")[0][0] > 0
    assert (state / "site" / "index.html").exists()
