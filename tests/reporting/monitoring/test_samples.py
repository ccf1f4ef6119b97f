"""Samples are stable, have a hundredth of the rows, and follow their tables."""

import pytest
from google.cloud import bigquery

from reporting.monitoring import samples
from reporting.settings import Settings
from reporting.sources.registry import ENTITIES, entity_named

GROUPS = entity_named("google.contact_groups")


class SampleWarehouse:
    """The samples of one warehouse."""

    def __init__(self, client: bigquery.Client, settings: Settings) -> None:
        self.client, self.settings = client, settings
        self.raw = f"{settings.dataset('raw')}.{GROUPS.table}"

    def refresh(self) -> int:
        return samples.refresh(self.client, self.settings)

    def hold(self, count: int) -> None:
        """Make these the rows of the groups: 0, 1, ... `count` - 1."""
        self.client.query_and_wait(f"DELETE FROM {self.raw} WHERE TRUE")
        self.client.query_and_wait(
            f"INSERT INTO {self.raw} (id) SELECT CAST(n AS STRING) FROM UNNEST(GENERATE_ARRAY(0, {count - 1})) AS n"
        )

    def ids(self) -> set[str]:
        name = f"{self.settings.dataset(samples.DATASET)}.{GROUPS.table}"
        return {row["id"] for row in self.client.query_and_wait(f"SELECT id FROM {name}")}


@pytest.fixture
def sample_warehouse(shared_warehouse: tuple[bigquery.Client, Settings]) -> SampleWarehouse:
    made = SampleWarehouse(*shared_warehouse)
    made.refresh()
    return made


def test_every_raw_table_has_one_and_it_is_made_once(
    shared_warehouse: tuple[bigquery.Client, Settings],
) -> None:
    client, settings = shared_warehouse
    samples.refresh(client, settings)
    made = {table.table_id: table.table_type for table in client.list_tables(settings.dataset("samples"))}
    assert made == {entity.table: "VIEW" for entity in ENTITIES}
    assert samples.refresh(client, settings) == 0


def test_it_has_a_hundredth_of_the_rows_and_at_least_some(sample_warehouse: SampleWarehouse) -> None:
    for count, expected in ((1, 1), (20, 20), (500, 20), (5_001, 51)):
        sample_warehouse.hold(count)
        assert len(sample_warehouse.ids()) == expected


def test_it_stays_the_same_while_the_table_grows(sample_warehouse: SampleWarehouse) -> None:
    sample_warehouse.hold(5_000)
    before = sample_warehouse.ids()
    assert before == sample_warehouse.ids()
    sample_warehouse.hold(10_000)
    after = sample_warehouse.ids()
    assert len(after) == 100
    # The order among those that were there is as it was, so of these there are the same first ones, more or fewer.
    kept = {each for each in after if int(each) < 5_000}
    assert kept <= before or before <= kept
    assert len(before & after) > 30


def test_it_gets_the_columns_that_its_table_gets(sample_warehouse: SampleWarehouse) -> None:
    sample_warehouse.client.query_and_wait(
        f"ALTER TABLE {sample_warehouse.raw} ADD COLUMN added_later STRING"
    )
    try:
        sample_warehouse.refresh()
        name = f"{sample_warehouse.client.project}.{sample_warehouse.settings.dataset(samples.DATASET)}.{GROUPS.table}"
        assert "added_later" in {field.name for field in sample_warehouse.client.get_table(name).schema}
    finally:
        sample_warehouse.client.query_and_wait(f"ALTER TABLE {sample_warehouse.raw} DROP COLUMN added_later")
        sample_warehouse.refresh()


def test_another_statement_is_another_view(
    sample_warehouse: SampleWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample_warehouse.hold(50)
    assert len(sample_warehouse.ids()) == 20
    monkeypatch.setattr(samples, "LEAST_ROWS", 5)
    assert sample_warehouse.refresh() == len(ENTITIES)
    assert len(sample_warehouse.ids()) == 5
    monkeypatch.undo()
    assert sample_warehouse.refresh() == len(ENTITIES)
