"""People in raw tables, as the loader's own code makes rows of them, and who dbt makes of them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest.landing import Manifest
from reporting.ingest.rows import rows_of
from reporting.sources.base import Page, Record, Tombstone
from reporting.sources.google_contacts.entities import GOOGLE
from reporting.sources.hubspot.entities import HUBSPOT
from tests.dbt.sample_warehouse import SampleWarehouse

READ_AT = datetime(2026, 6, 30, 12, tzinfo=UTC)
TABLES = {entity.source: entity for entity in (*HUBSPOT, *GOOGLE) if entity.name == "contacts"}


class Neighbourhood(SampleWarehouse):
    """A warehouse that holds people alone."""

    def hold(
        self, records: Iterable[tuple[str, str, Mapping[str, Any]]], *gone: tuple[str, Tombstone]
    ) -> None:
        """Make these (source, key, what was typed) the rows of both tables, in their order."""
        by_source: dict[str, list[Record]] = {source: [] for source in TABLES}
        for source, key, typed in records:
            by_source[source].append(hubspot(key, typed) if source == "hubspot" else google(key, typed))
        for source, entity in TABLES.items():
            tombstones = tuple(each for of, each in gone if of == source)
            page = Page(READ_AT, tuple(by_source[source]), tombstones)
            self._fill(entity, list(rows_of(entity, _manifest(entity), iter([page]), self.settings)))

    def _fill(self, entity: Entity, rows: list[dict[str, Any]]) -> None:
        table = f"{self.settings.project}.{self.settings.dataset('raw')}.{entity.table}"
        self.client.query_and_wait(f"DELETE FROM `{table}` WHERE TRUE")
        config = bigquery.LoadJobConfig(schema=self.client.get_table(table).schema)
        if rows:
            self.client.load_table_from_json(rows, table, job_config=config).result()

    def override(self, *pairs: tuple[str, str, bool]) -> None:
        """Make these the owner's overrides; the seed is not built again."""
        table = f"{self.settings.dataset('staging')}.people_overrides"
        self.client.query_and_wait(f"DELETE FROM {table} WHERE TRUE")
        for one, other, is_same in pairs:
            self.client.query_and_wait(
                f"INSERT INTO {table} VALUES ('{one}', '{other}', {is_same}, 'said so')"
            )

    def people(self) -> dict[str, str]:
        """The key of each record's person, as it stands now; records that are gone are left out."""
        return dict(
            self.rows(
                f"SELECT record_id, person_id FROM {self.settings.dataset('snapshots')}.person_keys "
                f"INNER JOIN {self.settings.dataset('staging')}.int_people__matched USING (record_id)"
            )
        )


def hubspot(key: str, properties: Mapping[str, Any]) -> Record:
    at = READ_AT.isoformat()
    return Record(
        {"id": key, "properties": dict(properties), "createdAt": at, "updatedAt": at, "archived": False}
    )


def google(key: str, fields: Mapping[str, Any]) -> Record:
    source = {"type": "CONTACT", "id": key.removeprefix("people/c")}
    lists = {
        name: [
            {**each, "metadata": {"primary": place == 0, "source": source}}
            for place, each in enumerate(values)
        ]
        for name, values in fields.items()
    }
    metadata = {"sources": [{**source, "updateTime": READ_AT.isoformat()}], "objectType": "PERSON"}
    return Record({"resourceName": key, "etag": "%any", "metadata": metadata, **lists})


def _manifest(entity: Entity) -> Manifest:
    return Manifest(
        run_id="any",
        source=entity.source,
        entity=entity.name,
        refresh="full",
        started_at=READ_AT,
        extracted_at=READ_AT,
        window_since=None,
        cursor_at=READ_AT,
        record_count=0,
        tombstone_count=0,
        part_count=1,
        request_count=1,
        is_complete=True,
    )
