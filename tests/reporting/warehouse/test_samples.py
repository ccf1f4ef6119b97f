"""Samples are stable, have a hundredth of the rows, and follow their tables."""

import pytest
from google.cloud import bigquery

from reporting.entities import ENTITIES, entity_named
from reporting.settings import Settings
from reporting.warehouse import samples

GROUPS = entity_named("google.contact_groups")


class House:
    """The samples of one warehouse."""

    def __init__(self, client: bigquery.Client, settings: Settings) -> None:
        self.client, self.settings = client, settings
        self.raw = f"{settings.dataset('raw')}.{GROUPS.table}"

    def refresh(self) -> int:
        return samples.refresh(self.client, self.settings)

    def hold(self, count: int) -> None:
        """Make these the rows of the groups: 0, 1, ... `count` - 1."""
        self.client.query(f"DELETE FROM {self.raw} WHERE TRUE").result()
        self.client.query(
            f"INSERT INTO {self.raw} (id) SELECT CAST(n AS STRING) FROM UNNEST(GENERATE_ARRAY(0, {count - 1})) AS n"
        ).result()

    def ids(self) -> set[str]:
        name = f"{self.settings.dataset(samples.DATASET)}.{GROUPS.table}"
        return {row["id"] for row in self.client.query(f"SELECT id FROM {name}").result()}


@pytest.fixture
def house(shared_warehouse: tuple[bigquery.Client, Settings]) -> House:
    made = House(*shared_warehouse)
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


def test_it_has_a_hundredth_of_the_rows_and_at_least_some(house: House) -> None:
    for count, expected in ((1, 1), (20, 20), (500, 20), (5_001, 51)):
        house.hold(count)
        assert len(house.ids()) == expected


def test_it_stays_the_same_while_the_table_grows(house: House) -> None:
    house.hold(5_000)
    before = house.ids()
    assert before == house.ids()
    house.hold(10_000)
    after = house.ids()
    assert len(after) == 100
    # The order among those that were there is as it was, so of these there are the same first ones, more or fewer.
    kept = {each for each in after if int(each) < 5_000}
    assert kept <= before or before <= kept
    assert len(before & after) > 30


def test_it_gets_the_columns_that_its_table_gets(house: House) -> None:
    house.client.query(f"ALTER TABLE {house.raw} ADD COLUMN added_later STRING").result()
    try:
        house.refresh()
        name = f"{house.client.project}.{house.settings.dataset(samples.DATASET)}.{GROUPS.table}"
        assert "added_later" in {field.name for field in house.client.get_table(name).schema}
    finally:
        house.client.query(f"ALTER TABLE {house.raw} DROP COLUMN added_later").result()
        house.refresh()


def test_another_statement_is_another_view(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.hold(50)
    assert len(house.ids()) == 20
    monkeypatch.setattr(samples, "LEAST_ROWS", 5)
    assert house.refresh() == len(ENTITIES)
    assert len(house.ids()) == 5
    monkeypatch.undo()
    assert house.refresh() == len(ENTITIES)
