"""Builds are held while sources are read, and are released whatever ends that; a source that fails keeps no other."""

import io
from collections.abc import Iterable
from copy import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from reporting.deploy import syncs
from reporting.deploy.airflow_api import AirflowApi, Task
from reporting.deploy.errors import CommandError
from reporting.deploy.syncs import DAILY, MART_CHANGED, MART_FULL, Failure, builds_held, release_builds
from reporting.settings import Settings, read_settings


class Airflow:
    """Which DAGs are paused; ended, it answers nothing."""

    def __init__(self, *paused: str) -> None:
        self.paused = set(paused)
        self.is_ended = False

    def is_paused(self, dag_id: str) -> bool:
        return dag_id in self.paused

    def await_dags(self, dag_ids: Iterable[str]) -> None:
        assert list(dag_ids) == [MART_CHANGED]
        if self.is_ended:
            raise CommandError("Airflow does not answer.")

    def pause(self, dag_id: str, is_paused: bool) -> None:
        (self.paused.add if is_paused else self.paused.discard)(dag_id)

    @property
    def api(self) -> AirflowApi:
        return cast(AirflowApi, self)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(read_settings({}), state=tmp_path)


def test_no_event_makes_a_build_while_sources_are_read(settings: Settings) -> None:
    airflow = Airflow()
    with builds_held(airflow.api, settings):
        assert airflow.paused == {MART_CHANGED}
    assert airflow.paused == set()
    assert list(settings.state.iterdir()) == []


def test_a_failure_releases_the_builds(settings: Settings) -> None:
    airflow = Airflow()
    with pytest.raises(KeyboardInterrupt), builds_held(airflow.api, settings):
        raise KeyboardInterrupt
    assert airflow.paused == set()


def test_what_ends_airflow_too_leaves_it_to_the_next_start(settings: Settings) -> None:
    airflow = Airflow()

    def interrupt() -> None:
        airflow.is_ended = True
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), builds_held(airflow.api, settings):
        interrupt()
    assert airflow.paused == {MART_CHANGED}
    airflow.is_ended = False
    for _ in range(2):
        release_builds(airflow.api, settings)
        assert airflow.paused == set()


def test_a_round_that_was_killed_is_no_pause_of_the_owners(settings: Settings) -> None:
    airflow = Airflow()
    held = builds_held(airflow.api, settings)
    held.__enter__()
    # The process is gone here; another one starts.
    release_builds(airflow.api, settings)
    assert airflow.paused == set()


def test_a_pause_of_the_owners_stays(settings: Settings) -> None:
    airflow = Airflow(MART_CHANGED)
    with builds_held(airflow.api, settings):
        pass
    release_builds(airflow.api, settings)
    assert airflow.paused == {MART_CHANGED}


HABITS, CONTACTS, DEALS = (
    "raw_notion__daily_habits__full",
    "raw_hubspot__contacts__full",
    "raw_hubspot__deals__full",
)
REFUSED = "AccessDeniedError: HubSpot refused the token (401). Make a new one."


class Syncs(Airflow):
    """Each DAG ends as `ends` says, by default well, and says `REFUSED` if it failed; what was loaded waits for a build."""

    def __init__(self, ends: dict[str, str], *paused: str) -> None:
        super().__init__(*paused)
        self.ends = ends
        self.begun: list[str] = []
        self.pending: set[str] = set()
        self.said = io.StringIO()

    def await_dags(self, dag_ids: Iterable[str]) -> None:
        pass

    def trigger(self, dag_id: str) -> str:
        self.begun.append(dag_id)
        if self.state(dag_id, "") == "success":
            if dag_id in (CONTACTS, DEALS, HABITS):
                self.pending.add(dag_id)
            if dag_id.startswith("mart_"):
                self.pending.clear()
        return f"run of {dag_id}"

    def runs(self, dag_id: str, since: datetime) -> list[dict[str, Any]]:
        return []

    def state(self, dag_id: str, run_id: str) -> str:
        end = self.ends.get(dag_id, "success")
        return "running" if end == "up_for_retry" else end

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        return [Task(dag_id, "extract", self.ends.get(dag_id, "success"))]

    def error_of(self, dag_id: str, run_id: str, task_id: str) -> str:
        assert (run_id, task_id) == (f"run of {dag_id}", "extract")
        return REFUSED

    def round(
        self,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        *,
        give_up: bool = False,
        full: bool = False,
        seconds: float = 60,
    ) -> list[Failure]:
        monkeypatch.setattr(syncs, "POLL_SECONDS", 0.001)
        monkeypatch.setattr(syncs, "LEAST_SECONDS", 0.01)
        monkeypatch.setattr(syncs.builds, "plan", lambda *_: SimpleNamespace(run_ids=list(self.pending)))
        console = Console(file=self.said)
        return syncs.run_sync(
            self.api,
            cast(Any, None),
            settings,
            console,
            [CONTACTS, DEALS, HABITS],
            full_build=full,
            upkeep=DAILY,
            seconds=seconds,
            give_up_on_retry=give_up,
        )


@pytest.mark.parametrize("end", ["failed", "up_for_retry", "running"])
@pytest.mark.parametrize("full", [False, True])
def test_a_source_that_fails_keeps_no_other_from_being_built_and_shown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, end: str, full: bool
) -> None:
    airflow = Syncs({CONTACTS: end})
    seconds = 0.1 if end == "running" else 60
    failures = airflow.round(settings, monkeypatch, give_up=end == "up_for_retry", full=full, seconds=seconds)
    assert airflow.begun == [CONTACTS, DEALS, HABITS, MART_FULL if full else MART_CHANGED, *DAILY]
    assert airflow.pending == set()
    assert [each.dag_id for each in failures] == [CONTACTS]
    assert failures[0].said.startswith("did not end within" if end == "running" else REFUSED)
    # Nothing is left held.
    assert airflow.paused == set()


def test_why_a_task_is_tried_again_is_said_once_with_its_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = Syncs({CONTACTS: "up_for_retry"})
    airflow.round(settings, monkeypatch, seconds=0.1)
    assert airflow.said.getvalue().count(REFUSED) == 1
    log = settings.state / "logs" / f"dag_id={CONTACTS}" / f"run_id=run of {CONTACTS}" / "task_id=extract"
    assert (
        f"{CONTACTS}.extract failed, and is tried again: {REFUSED}\n  Log: {log}\n" in airflow.said.getvalue()
    )


def test_a_build_that_fails_is_tried_once_and_keeps_nothing_of_the_rest(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = Syncs({MART_CHANGED: "failed", DAILY[0]: "failed"})
    failures = airflow.round(settings, monkeypatch)
    assert airflow.begun == [CONTACTS, DEALS, HABITS, MART_CHANGED, *DAILY]
    assert [each.dag_id for each in failures] == [MART_CHANGED, DAILY[0]]


def test_a_log_that_cannot_be_read_keeps_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = Syncs({CONTACTS: "failed"})

    def refuse(*_: str) -> str:
        raise CommandError("Airflow answered 404.")

    monkeypatch.setattr(airflow, "error_of", refuse)
    (failure,) = airflow.round(settings, monkeypatch)
    assert "cannot be read" in failure.said
    assert MART_CHANGED in airflow.begun


def test_what_its_owner_paused_is_left_out_and_not_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = Syncs({CONTACTS: "queued"}, CONTACTS)
    assert airflow.round(settings, monkeypatch) == []
    assert airflow.begun == [DEALS, HABITS, MART_CHANGED, *DAILY]
    assert airflow.paused == {CONTACTS}


def test_builds_that_their_owner_paused_are_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (failure,) = Syncs({}, MART_CHANGED).round(settings, monkeypatch)
    assert "Resume it" in failure.said


def test_each_reason_is_told_once_with_all_that_it_stopped() -> None:
    text = syncs.report_of(
        [
            Failure(CONTACTS, f"{CONTACTS}.extract", REFUSED),
            Failure(DEALS, f"{DEALS}.extract", REFUSED),
            Failure(HABITS, HABITS, "did not end within 60 s."),
        ]
    )
    assert text.startswith("hubspot, notion did not succeed; what the others brought was built and shown.")
    assert text.count(REFUSED) == 1
    assert f"hubspot: {CONTACTS}.extract, {DEALS}.extract\n  {REFUSED}\n\nnotion: {HABITS}\n" in text
