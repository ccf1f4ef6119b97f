"""A small sample of every raw table, for looking around: views in a dataset of their own, which cost nothing until asked.

A row is chosen by a fingerprint of its id, so a sample is the same from day to day, and a record is in it for as long as it
is among the hundredth part with the least fingerprints.
"""

import logging

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.entities import ENTITIES
from reporting.settings import Settings

logger = logging.getLogger(__name__)

DATASET = "samples"
ONE_IN = 100
# Of a small table a hundredth part would be nothing to look at.
LEAST_ROWS = 20


def refresh(client: bigquery.Client, settings: Settings) -> int:
    """Make the view of each raw table that is not there, or another one than it is to be; returns how many that were."""
    dataset = bigquery.Dataset(f"{settings.project}.{settings.dataset(DATASET)}")
    dataset.location = settings.location
    dataset.description = (
        "About one row in a hundred of each raw table, the same from day to day. Nothing is kept here."
    )
    client.create_dataset(dataset, exists_ok=True)
    made = 0
    for entity in ENTITIES:
        view = bigquery.Table(dataset.table(entity.table))
        view.view_query = statement(settings, entity.table)
        view.description = f"A sample of raw.{entity.table}: {entity.description}"
        raw = client.get_table(f"{settings.project}.{settings.dataset('raw')}.{entity.table}")
        try:
            there = client.get_table(view.reference)
        except NotFound:
            there = None
        columns = [field.name for field in raw.schema]
        if there and there.view_query == view.view_query and [each.name for each in there.schema] == columns:
            continue
        # A view knows its columns by what they were when it was made.
        if there:
            client.delete_table(there, not_found_ok=True)
        client.create_table(view)
        made += 1
    if made:
        logger.info("Made the samples of %d tables.", made)
    return made


def statement(settings: Settings, table: str) -> str:
    """The query that a sample is."""
    return (
        f"SELECT * FROM `{settings.project}.{settings.dataset('raw')}.{table}` WHERE TRUE "
        "QUALIFY ROW_NUMBER() OVER (ORDER BY FARM_FINGERPRINT(id), id) "
        f"<= GREATEST(CAST(CEIL(COUNT(*) OVER () / {ONE_IN}) AS INT64), {LEAST_ROWS})"
    )
