"""Which sources are stale, and what is said of them."""

from datetime import UTC, datetime, timedelta

import pytest

from reporting.entity import Entity
from reporting.ingest.freshness import STALE_AFTER
from reporting.monitoring.stale import Read, find
from reporting.sources.registry import ENTITIES, entity_named

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CONTACTS = entity_named("hubspot.contacts")


def test_one_that_was_read_in_time_is_not_stale() -> None:
    reads = [Read(CONTACTS, NOW - age) for age in (timedelta(0), timedelta(hours=30), STALE_AFTER)]
    assert list(find(reads, {}, NOW)) == []


def test_how_long_it_is_and_what_to_check() -> None:
    (found,) = find([Read(CONTACTS, NOW - timedelta(days=4), is_cut_off=True)], {}, NOW)
    assert found.problem_key == "stale/hubspot.contacts"
    assert found.subject == "hubspot.contacts has not been read for 4 days"
    assert "2026-11-17 12:00 UTC, 4 days ago. Its latest run was interrupted." in found.what
    assert "raw_hubspot__contacts__changed is paused" in found.todo
    assert "the service key, or private app, still exists and has its scopes" in found.todo
    assert "REPORTING_NAME_HUBSPOT__CONTACTS to none" in found.todo
    assert found.link == "/dags/raw_hubspot__contacts__changed"


def test_one_that_is_switched_off_is_not_read_on_purpose() -> None:
    reads = [Read(CONTACTS, NOW - timedelta(days=40))]
    assert list(find(reads, {"hubspot__contacts": "none"}, NOW)) == []
    assert len(list(find(reads, {"hubspot__contacts": "other"}, NOW))) == 1


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.table)
def test_every_entity_has_something_to_check_and_a_dag_that_is_there(entity: Entity) -> None:
    (found,) = find([Read(entity, NOW - timedelta(days=9))], {}, NOW)
    assert "script/doctor" in found.todo
    assert found.link == f"/dags/raw_{entity.table}__{'changed' if entity.has_changed else 'full'}"
