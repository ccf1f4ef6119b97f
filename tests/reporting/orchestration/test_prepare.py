"""What makes Airflow's metadata database ready, over one that Airflow has migrated."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from reporting.deploy import configuration, processes
from reporting.local.serving import free_port
from reporting.sources.registry import ENTITIES


def test_the_admin_is_made_once_and_every_source_has_its_pool(
    migrated_database: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    shutil.copy(migrated_database, state / "airflow.db")
    environment = configuration.airflow_environment(state, free_port(), {})
    first = processes.prepare(environment, state / "prepare.log")
    assert first.password
    assert first.token
    again = processes.prepare(environment, state / "prepare.log")
    assert again.password is None
    assert again.token
    with closing(sqlite3.connect(state / "airflow.db")) as database:
        assert database.execute("SELECT username FROM ab_user").fetchall() == [("admin",)]
        pools = dict(database.execute("SELECT pool, slots FROM slot_pool"))
    assert {pools[entity.source] for entity in ENTITIES} == {1}
    assert "default_pool" in pools
    assert first.password not in (state / "prepare.log").read_text()
