"""Erases a person from the raw tables, dbt's snapshots, the landing and the backups."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.cloud import bigquery

from reporting.backup.backup import DATASETS, STAGE, Backups, filled_tables, new_id
from reporting.backup.copies import DamagedCopyError
from reporting.ingest import suppression as purged
from reporting.ingest.landing import Landing, LandingError
from reporting.ingest.suppression import Matcher
from reporting.privacy.places import NOT_SEARCHED, copies, landings
from reporting.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Erased:
    """What went, by place, and what could not be looked into."""

    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, place: str, count: int) -> None:
        """Count what went from there."""
        if count:
            self.counts[place] = self.counts.get(place, 0) + count


def erase(
    client: bigquery.Client,
    settings: Settings,
    landing: Landing,
    backups: Backups | None,
    matcher: Matcher,
    say: Callable[[str], None] = logger.info,
) -> Erased:
    """Erase from raw, snapshots, landing and backups all that `matcher` knows. Repeating it changes nothing."""
    done = Erased()
    say("Erasing from the warehouse ...")
    # Of loads that were killed, or that began before who is erased was noted: these fail, and are tried again without them.
    for table in client.list_tables(f"{settings.project}.{settings.dataset('ops')}"):
        if table.table_id.startswith(STAGE):
            client.delete_table(table.reference, not_found_ok=True)
    for name, table in filled_tables(client, settings, DATASETS):
        if name not in NOT_SEARCHED:
            done.add(name, purged.erase_rows(client, table, matcher.of_table(name)))
    say("Erasing from the landing ...")
    for source, entity, suppression, run_id in landings(landing, matcher):
        try:
            erased = landing.erase(landing.folder(source, entity, run_id), suppression.page)
        except LandingError as error:
            done.problems.append(str(error))
            continue
        done.add(f"landing of {source}__{entity}", erased)
        if erased:
            # A read that goes on would take copies of parts that were removed.
            for refresh in ("full", "changed"):
                landing.remove_note(f"{source}/{entity}/checkpoint-{refresh}.json")
    if backups:
        say("Erasing from the backups ...")
        _erase_copies(backups, matcher, done)
    return done


def _erase_copies(backups: Backups, matcher: Matcher, done: Erased) -> None:
    every = list(backups.all())
    at = datetime.now(UTC)
    for number, copy in enumerate(copies(every)):
        if not copy.row_count:
            continue
        try:
            # Each has a name of its own, of the time of its making.
            name = new_id(at + timedelta(microseconds=number))
            new = backups.copies.without(copy, matcher.of_table(copy.table), name)
        except DamagedCopyError as error:
            done.problems.append(str(error))
            continue
        if new is None:
            continue
        for place, backup in enumerate(every):
            if any(each.place == copy.place for each in backup.copies):
                every[place] = backup.with_copy(copy.place, new)
                backups.write(every[place])
        done.add(f"backups of {copy.table}", copy.row_count - new.row_count)
    backups.discard_copies(at, longest_backup=timedelta(0))
