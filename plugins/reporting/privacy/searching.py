"""Searches everything that is kept for what is left of a person: warehouse, landing and backups."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from google.cloud import bigquery

from reporting.backup.backup import DATASETS, Backups, filled_tables
from reporting.backup.copies import DamagedCopyError
from reporting.ingest.landing import Landing, LandingError
from reporting.ingest.suppression import Matcher, Suppression
from reporting.privacy.identity import Identity
from reporting.privacy.places import NOT_SEARCHED, copies, landings
from reporting.settings import Settings
from reporting.sources.base import Page
from reporting.warehouse.transfer import address_of, read_rows


def search(
    client: bigquery.Client,
    settings: Settings,
    landing: Landing,
    backups: Backups | None,
    identity: Identity,
    matcher: Matcher,
) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Where the person is still met: by place the number of rows with an e-mail, phone, name or key of theirs.

    Looks into every table of the warehouse, every line of the landing and every copy; what cannot be looked into is told
    as well.
    """
    found: dict[str, dict[str, int]] = {}
    problems: list[str] = []

    def look(place: str, rows: Iterable[Any], is_theirs: Callable[[Any], bool]) -> None:
        try:
            for row in rows:
                kinds = identity.kinds_in(row) | ({"key"} if is_theirs(row) else set())
                for kind in kinds:
                    counts = found.setdefault(place, {})
                    counts[kind] = counts.get(kind, 0) + 1
        except (LandingError, DamagedCopyError) as error:
            problems.append(str(error))

    for name, table in filled_tables(client, settings, (*DATASETS, "staging", "marts")):
        if name not in NOT_SEARCHED:
            is_mart = name.partition(".")[0] not in DATASETS
            is_theirs = identity.is_in_mart if is_mart else matcher.of_table(name)
            look(name, read_rows(client, address_of(table), table.schema), is_theirs)
    for source, entity, suppression, run_id in landings(landing, matcher):
        lines = map(_Line, landing.lines(landing.folder(source, entity, run_id)))
        look(f"landing of {source}__{entity}", lines, partial(_is_emptied, suppression))
    for copy in copies(backups.all() if backups else ()):
        if backups and copy.row_count and copy.table not in NOT_SEARCHED:
            look(f"backups of {copy.table}", backups.copies.rows(copy), matcher.of_table(copy.table))
    return found, problems


class _Line(dict[str, Any]):
    """What a line of the landing holds, to be searched like a row."""

    def __init__(self, page: Page) -> None:
        super().__init__(
            records=[{"payload": each.payload, "values": each.values} for each in page.records],
            tombstones=[each.id for each in page.tombstones],
        )
        self.page = page


def _is_emptied(suppression: Suppression, line: _Line) -> bool:
    left = suppression.page(line.page)
    return not (left.records or left.tombstones)
