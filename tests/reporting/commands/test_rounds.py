"""Builds are held while sources are read, and are released whatever ends that."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from reporting.commands.airflow_api import AirflowApi
from reporting.commands.errors import CommandError
from reporting.commands.rounds import MART_CHANGED, builds_held, release_builds
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
