"""What a local BigQuery says of each pipeline, and its rows as CSV."""

import csv
import io

import pytest
from google.cloud import bigquery

from reporting.exports.marts import MARTS, ExportError
from reporting.settings import Settings
from reporting.sources.registry import ENTITIES
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from reporting.web import contents
from tests.support.marts import Marts


@pytest.fixture
def client(settings: Settings) -> bigquery.Client:
    return connect(settings)


def test_every_table_belongs_to_a_pipeline() -> None:
    found = contents.tables()
    assert set(found) == {entity.table for entity in ENTITIES} | {mart.name for mart in MARTS}
    for entity in ENTITIES:
        dag_id = f"raw_{entity.source}__{entity.name}__full"
        assert found[entity.table][0] == contents.pipeline_of(dag_id)
    assert contents.pipeline_of("mart_personal__models__changed") == found["people"][0]
    assert contents.pipeline_of("somebody's own") is None


def test_rows_and_freshness_also_before_there_are_marts(client: bigquery.Client, settings: Settings) -> None:
    schema.upgrade(client, settings=settings)
    raw, ops = settings.dataset("raw"), settings.dataset("ops")
    client.query_and_wait(
        f"INSERT INTO {raw}.hubspot__deals (id, dealname, _payload) VALUES ('1', '=1+1', JSON '{{\"a\": 1}}'), ('2', 'x', NULL)"
    )
    client.query_and_wait(
        f"""
        INSERT INTO {ops}.sync_runs (run_id, source, entity, refresh, committed_at, cursor_at, is_complete)
        VALUES ('a', 'hubspot', 'deals', 'full', TIMESTAMP '2026-11-20 12:00:00+00', CURRENT_TIMESTAMP(), TRUE),
            ('b', 'hubspot', 'deals', 'replay', TIMESTAMP '2026-11-21 12:00:00+00', CURRENT_TIMESTAMP(), TRUE)
        """
    )
    found = contents.contents(client, settings)
    deals = found["raw_hubspot__deals"]
    assert [(table.name, table.row_count) for table in deals.tables] == [("hubspot__deals", 2)]
    assert deals.fresh_at is not None
    assert f"{deals.fresh_at:%d %H}" == "20 12"
    assert found["raw_hubspot__contacts"].fresh_at is None
    marts = found["mart_personal__models"]
    assert {table.row_count for table in marts.tables} == {None}
    assert marts.fresh_at is None
    with pytest.raises(ExportError, match="is not in the warehouse"):
        contents.csv(client, settings, "people", None)

    for most, ids in ((1, ["1"]), (None, ["1", "2"])):
        text = b"".join(contents.csv(client, settings, "hubspot__deals", most)).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["id"] for row in rows] == ids
    # No spreadsheet computes what somebody typed.
    assert rows[0]["dealname"] == "'=1+1"


def test_a_mart_is_counted_and_taken(client: bigquery.Client, settings: Settings) -> None:
    marts = Marts(client, settings)
    marts.make_records()
    marts.make()
    marts.hold("people", [{"person_id": str(number)} for number in range(5)])
    tables = contents.contents(client, settings)["mart_personal__models"].tables
    assert {table.name: table.row_count for table in tables}["people"] == 5
    text = b"".join(contents.csv(client, settings, "people", 3)).decode("utf-8-sig")
    assert [row["person_id"] for row in csv.DictReader(io.StringIO(text))] == ["0", "1", "2"]
    for name in ("MOST_BYTES", "MOST_SECONDS"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(contents, name, -1)
            with pytest.raises(contents.TooLargeError):
                contents.csv(client, settings, "people", None)
