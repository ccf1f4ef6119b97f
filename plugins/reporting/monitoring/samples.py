"""Makes a small sample of every raw table to look at: views in a dataset of their own, which cost nothing until queried.

The rows are chosen by a fingerprint of their ids: the hundredth part with the smallest fingerprints. So a sample stays almost
the same from day to day.
"""

import logging

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.settings import Settings
from reporting.sources.registry import ENTITIES

logger = logging.getLogger(__name__)

DATASET = "samples"
ONE_IN = 100
# A hundredth part of a small table would be empty or nearly so.
LEAST_ROWS = 20


def refresh(client: bigquery.Client, settings: Settings) -> int:
    """Create the views that are missing, and update those whose query changed. Returns how many."""
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
        # A view keeps the columns that its table had when it was created, so it must be updated when these change.
        if there:
            client.delete_table(there, not_found_ok=True)
        client.create_table(view)
        made += 1
    if made:
        logger.info("Made the samples of %d tables.", made)
    return made


def statement(settings: Settings, table: str) -> str:
    """The query of the view with the sample of `table`."""
    return (
        f"SELECT * FROM `{settings.project}.{settings.dataset('raw')}.{table}` WHERE TRUE "
        "QUALIFY ROW_NUMBER() OVER (ORDER BY FARM_FINGERPRINT(id), id) "
        f"<= GREATEST(CAST(CEIL(COUNT(*) OVER () / {ONE_IN}) AS INT64), {LEAST_ROWS})"
    )
