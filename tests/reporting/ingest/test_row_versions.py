"""A table that the version before has filled: its rows are made again once, and nothing else happens to them."""

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

import pytest

from reporting.entity import Entity
from reporting.ingest.verify import verify
from reporting.settings import Settings, read_settings
from reporting.sources import base
from reporting.sources.base import Record
from reporting.sources.notion import properties as notion
from reporting.sources.notion import rows
from reporting.sources.registry import ENTITIES, SOURCES
from tests.support.habit_syncs import DAILY, Syncs

RECORD = Record(
    {"id": "1", "resourceName": "people/1", "row": {"id": "1"}, "columns": {"a": "b"}, "locale": "de_DE"}
)


def as_before(patch: pytest.MonkeyPatch) -> None:
    """Have rows as an earlier version made them."""
    made = rows.row

    def wrong(
        entity: Entity, record: Record, schema: Mapping[str, Any], settings: Settings
    ) -> dict[str, Any]:
        return made(entity, record, schema, settings) | {"name": "as it was understood before"}

    patch.setattr(rows, "row", wrong)
    patch.setattr(notion, "ROW_VERSION", notion.ROW_VERSION - 1)


def names(habits: Syncs) -> set[str | None]:
    return {row["name"] for row in habits.rows()}


def test_rows_of_the_version_before_are_made_again_once(
    habits: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        as_before(patch)
        habits.run("full")
        # The next full refresh of that version finds what it left.
        assert habits.run("full").updated == 0
        assert habits.manifest.is_unchanged
    assert names(habits) == {"as it was understood before"}
    first_seen = {row["id"]: row["_first_seen_at"] for row in habits.rows()}

    counts = habits.run("full")
    assert not habits.manifest.is_unchanged
    assert (counts.inserted, counts.updated, counts.tombstoned) == (0, 12, 0)
    assert "as it was understood before" not in names(habits)
    assert {row["id"]: row["_first_seen_at"] for row in habits.rows()} == first_seen
    assert all(row["_deleted_at"] is None for row in habits.rows())
    assert verify(habits.client, habits.settings, DAILY, habits.reader).is_equal
    assert habits.run("full").updated == 0
    assert habits.manifest.is_unchanged


def test_a_read_of_what_changed_makes_those_rows_again(
    habits: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        as_before(patch)
        habits.run("full")
    habits.edit("p00003")
    assert habits.run("changed").updated == 1
    assert {row["id"] for row in habits.rows() if row["name"] != "as it was understood before"} == {"p00003"}


def test_a_landing_of_the_version_before_is_loaded_as_this_one_reads_it(
    habits: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade between the two tasks of a run."""
    with monkeypatch.context() as patch:
        as_before(patch)
        folder = habits.extract("full")
    assert habits.load(folder).inserted == 12
    assert "as it was understood before" not in names(habits)
    assert habits.run("full").updated == 0


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.table)
def test_the_version_of_a_row_function_counts_as_content(
    entity: Entity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a source hashes goes through one function, and with its version."""
    versions: list[object] = []
    digest_of = base.digest_of

    def noting(content: object, version: int) -> str:
        versions.append(version)
        return digest_of(content, version)

    source = SOURCES[entity.source]
    modules = [
        importlib.import_module(f"{source.package}.{name}")
        for name in ("reader", "rows", "properties", "api", "lists", "records", "tab")
        if importlib.util.find_spec(f"{source.package}.{name}")
    ]
    for module in modules:
        if hasattr(module, "digest_of"):
            monkeypatch.setattr(module, "digest_of", noting)
    stamps = source.rows.stamps(entity, RECORD, read_settings({}))
    assert len(stamps["_content_hash"]) == 64
    assert len(versions) == 1
    assert isinstance(versions[0], int)
    assert versions[0] >= 1

    assert base.digest_of({}, versions[0]) != base.digest_of({}, versions[0] + 1)
