"""Bugs that the convergence test must find, each with a short history that does: see `mutation`."""

from dataclasses import dataclass
from typing import Any

Step = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """`before`, which is once in the file at `path` below `plugins/reporting`, becomes `after`."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SeededBug:
    """A bug, and the steps of a `World` of one source after which quiet runs do not settle what it did."""

    name: str
    source: str
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]


def step(name: str, **options: Any) -> Step:
    return name, options


FULL, CHANGED = step("run", refresh="full"), step("run", refresh="changed")
LINKS = step("run", refresh="full", table="hubspot__associations")

SEEDED_BUGS = (
    SeededBug(
        "a strict cursor",
        "notion",
        (
            Change(
                "sources/notion/reader.py",
                '[_edited("on_or_after", since - LEAST_OVERLAP)]',
                '[_edited("after", since)]',
            ),
        ),
        # Within the minute of the cursor.
        (FULL, step("change", change="edit", number=0)),
    ),
    SeededBug(
        "a cursor before the commit",
        "notion",
        (
            Change(
                "ingest/load.py",
                "        stage, set_aside = _load_stage(",
                "        _commit(client, settings, entity, manifest, Counts(read), address)\n"
                "        stage, set_aside = _load_stage(",
            ),
        ),
        (
            FULL,
            step("change", change="edit", number=0),
            step("wait", minutes=10),
            step("run", refresh="changed", crash="the load job"),
        ),
    ),
    SeededBug(
        "a missed list of what is archived",
        "hubspot",
        (
            Change(
                "sources/hubspot/objects.py",
                'yield from self._listed(is_archived=True, after=position["after"] if position["archived"] else None)',
                "yield from ()",
            ),
        ),
        (step("change", change="remove", number=0), FULL),
    ),
    SeededBug(
        "a retry that drops a page",
        "notion",
        (
            Change(
                "sources/notion/reader.py",
                "return _End.CURSOR_EXPIRED, last_created",
                "return _End.ALL_READ, last_created",
            ),
        ),
        (
            FULL,
            step("change", change="edit", number=0, times=6),
            step("wait", minutes=10),
            step("fault", fault={"kind": "invalid_cursor", "path": "query$"}, after=1),
            CHANGED,
        ),
    ),
    SeededBug(
        "an empty page taken for the end",
        "hubspot",
        (
            Change(
                "sources/hubspot/objects.py",
                "                return\n            ids = (record",
                "                return\n            if not results:\n                return\n            ids = (record",
            ),
        ),
        (
            FULL,
            step("change", change="edit", number=0, times=6),
            step("wait", minutes=120),
            step("fault", fault={"kind": "empty_page"}),
            CHANGED,
        ),
    ),
    SeededBug(
        "duplicates by their order of arrival",
        "notion",
        (Change("ingest/load.py", "ORDER BY _extracted_at DESC, IF(", "ORDER BY _extracted_at, IF("),),
        (
            step("fault", fault={"kind": "page_twice"}),
            step("run", refresh="full", step="a page", meanwhile=[("edit", each) for each in range(10)]),
        ),
    ),
    SeededBug(
        "an older read loaded later",
        "google",
        (Change("ingest/load.py", '"S._extracted_at > T._extracted_at"', '"TRUE"'),),
        (
            FULL,
            step("change", change="edit", number=0),
            # Past the minutes that Google shows a change late.
            step("wait", minutes=10),
            FULL,
            step("again", number=0, is_replay=False),
        ),
    ),
    SeededBug(
        "a retry while the first job still runs",
        "notion",
        (
            Change(
                "warehouse/client.py",
                'if job.state == "DONE":',
                'if job.state != "DONE":\n                continue\n            if job.state == "DONE":',
            ),
        ),
        (step("run", refresh="full", crash="during sync log", is_retried=True),),
    ),
    SeededBug(
        "a row in the sync log for each attempt",
        "google",
        (Change("ingest/sync_log.py", "start, once=True)", "start)"),),
        (step("run", refresh="full", crash="the sync log", is_retried=True),),
    ),
    SeededBug(
        "a tombstone for a row that was read after the full refresh began",
        "hubspot",
        (
            Change(
                "ingest/extract.py",
                "known_ids(task.client, task.settings, task.entity, start.started_at)",
                "known_ids(task.client, task.settings, task.entity, datetime.now(UTC))",
            ),
            Change(
                "ingest/rows.py",
                "is_answer = tombstone.is_told or tombstone.merged_into_id is not None",
                "is_answer = True",
            ),
        ),
        (
            LINKS,
            step(
                "run",
                refresh="full",
                table="hubspot__associations",
                step="a page",
                meanwhile=[("associate", 0), ("associate", 2), ("associate", 4), ("full", 0)],
            ),
        ),
    ),
    SeededBug(
        "a cursor from the end of the read",
        "notion",
        (
            Change(
                "sources/http.py",
                "        if self.server_started_at is None:\n",
                "        if True:\n",
            ),
        ),
        (
            step(
                "run",
                refresh="full",
                step="a page",
                meanwhile=[("wait", 0), *(("edit", each) for each in range(10)), ("wait", 0)],
            ),
        ),
    ),
    SeededBug(
        "no overlap for a search that lags",
        "hubspot",
        (Change("sources/hubspot/objects.py", "OVERLAP = timedelta(minutes=75)", "OVERLAP = timedelta()"),),
        (
            FULL,
            step("limit", number=2),
            step("change", change="edit", number=0),
            step("wait", minutes=10),
            CHANGED,
        ),
    ),
    SeededBug(
        "an expired sync token that brings nothing",
        "google",
        (
            Change(
                "sources/google_contacts/lists.py",
                """                token, self._is_full_refresh = None, True
                continue
""",
                """                self._sync_token = token
                return
""",
            ),
        ),
        (
            FULL,
            step("change", change="edit", number=0),
            step("wait", minutes=10),
            step("limit", number=0),
            CHANGED,
        ),
    ),
    SeededBug(
        "a checkpoint ahead of what is kept",
        "hubspot",
        (
            Change(
                "ingest/extract.py",
                "        writer.keep(page)\n        full_refresh.meet(page)",
                "        full_refresh.meet(page)",
            ),
            Change(
                "ingest/extract.py",
                "caps_met=full_refresh.caps_met,\n            )\n",
                "caps_met=full_refresh.caps_met,\n            )\n        writer.keep(page)\n",
            ),
        ),
        (
            step(
                "fault",
                fault={"kind": "status", "status": 500, "path": "/crm/objects/[^/]+/contacts$"},
                after=2,
                times=4,
            ),
            FULL,
            FULL,
        ),
    ),
    SeededBug(
        "a tombstone that outlives the return",
        "hubspot",
        (
            Change(
                "ingest/load.py",
                """            OR S._deleted_reason IS DISTINCT FROM T._deleted_reason
""",
                "",
            ),
        ),
        (
            step("change", change="associate", number=0),
            LINKS,
            step("change", change="dissociate", number=0),
            LINKS,
            step("change", change="associate", number=0),
        ),
    ),
    SeededBug(
        "a stage table that another attempt took away",
        "notion",
        (Change("ingest/load.py", "        if done is None:\n            raise\n", "        raise\n"),),
        # The same landing is loaded while its load has just merged.
        (step("run", refresh="full", step="the MERGE", meanwhile=[("load", 0)]),),
    ),
    SeededBug(
        "a cap taken for the end",
        "notion",
        (Change("sources/notion/reader.py", "_End.CAPPED if is_capped else _End.ALL_READ", "_End.ALL_READ"),),
        (
            FULL,
            step("change", change="edit", number=0, times=6),
            step("wait", minutes=10),
            step("limit", number=0),
            CHANGED,
        ),
    ),
    SeededBug(
        "a horizon that moves unseen",
        "google_calendar",
        (
            Change(
                "sources/google_calendar/event_reader.py",
                "        if horizon != self._horizon:",
                "        if horizon is None:",
            ),
        ),
        (FULL, step("change", change="next_month", number=0)),
    ),
)
