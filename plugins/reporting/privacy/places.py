"""Where records of a person can be beside the warehouse: the runs in the landing and the copies of the backups."""

from collections.abc import Iterable, Iterator

from reporting.backup.backup import PURGED, REVISIONS, Backup
from reporting.backup.copies import Copy
from reporting.ingest.landing import Landing
from reporting.ingest.suppression import Matcher, Suppression
from reporting.sources.registry import entity_named
from reporting.sources.stream import SOURCE
from reporting.sources.stream.inbox import INBOX

# What was pushed lies in the inbox before it is read.
STREAM = SOURCE.name
# These tables hold keys of runs and of who was erased, and nobody's data.
NOT_SEARCHED = (REVISIONS, PURGED)


def landings(landing: Landing, matcher: Matcher) -> Iterator[tuple[str, str, Suppression, str]]:
    """Source and entity of each run that left something, what takes out of its pages who is erased, and the run's id."""
    for source, entity in landing.entities():
        try:
            table = f"{STREAM if source == INBOX else source}__{entity}"
            suppression = Suppression(entity_named(table), matcher)
        except LookupError:
            # A folder of somebody else's in the same bucket.
            continue
        for run_id in landing.run_ids(source, entity):
            yield source, entity, suppression, run_id


def copies(backups: Iterable[Backup]) -> list[Copy]:
    """Each copy once, whichever backups name it."""
    return list({copy.place: copy for backup in backups for copy in backup.copies}.values())
