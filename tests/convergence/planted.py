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
class Planted:
    """A bug, and the steps of a `World` of one source after which quiet runs do not settle what it did."""

    name: str
    source: str
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]


def step(name: str, **options: Any) -> Step:
    return name, options


FULL, CHANGED = step("run", refresh="full"), step("run", refresh="changed")
LINKS = step("run", refresh="full", table="hubspot__associations")

PLANTED = (
    Planted(
        "a strict cursor",
        "notion",
        (
            Change(
                "sources/notion.py",
                '[_edited("on_or_after", since - LEAST_OVERLAP)]',
                '[_edited("after", since)]',
            ),
        ),
        # Within the minute of the cursor.
        (FULL, step("change", change="edit", number=0)),
    ),
    Planted(
        "a cursor before the commit",
        "notion",
        (
            Change(
                "warehouse/load.py",
                "        stage = _load_stage(",
                "        _commit(client, settings, entity, manifest, Counts(read), address)\n"
                "        stage = _load_stage(",
            ),
        ),
        (
            FULL,
            step("change", change="edit", number=0),
            step("wait", minutes=10),
            step("run", refresh="changed", crash="the load job"),
        ),
    ),
    Planted(
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
    Planted(
        "a retry that drops a page",
        "notion",
        (
            Change(
                "sources/notion.py",
                """                        ) from None
                    break
""",
                """                        ) from None
                    return
""",
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
    Planted(
        "an empty page taken for the end",
        "hubspot",
        (
            Change(
                "sources/hubspot/objects.py",
                """                return
            empty = 0 if results else empty + 1
            if empty:
                self._check_empty(empty)
                continue
            latest =""",
                """                return
            if not results:
                return
            latest =""",
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
    Planted(
        "duplicates by their order of arrival",
        "notion",
        (Change("warehouse/load.py", "ORDER BY _extracted_at DESC, IF(", "ORDER BY _extracted_at, IF("),),
        (
            step("fault", fault={"kind": "page_twice"}),
            step("run", refresh="full", step="a page", meanwhile=[("edit", each) for each in range(10)]),
        ),
    ),
    Planted(
        "an older read loaded later",
        "google",
        (Change("warehouse/load.py", '"S._extracted_at > T._extracted_at"', '"TRUE"'),),
        (
            FULL,
            step("change", change="edit", number=0),
            # Past the minutes that Google shows a change late.
            step("wait", minutes=10),
            FULL,
            step("again", number=0, is_replay=False),
        ),
    ),
    Planted(
        "a retry while the first job still runs",
        "notion",
        (
            Change(
                "warehouse/client.py",
                'if job.state == "DONE":',
                'if job.state != "DONE":\n                continue\n            if job.state == "DONE":',
            ),
        ),
        (step("run", refresh="full", crash="during ledger", is_retried=True),),
    ),
    Planted(
        "a row in the ledger for each attempt",
        "google",
        (Change("warehouse/ledger.py", "        once=True,\n", ""),),
        (step("run", refresh="full", crash="the ledger", is_retried=True),),
    ),
    Planted(
        "a tombstone for a row that was read after the sweep began",
        "hubspot",
        (
            Change(
                "extract.py",
                "live_ids(client, settings, entity, started_at)",
                "live_ids(client, settings, entity, datetime.now(UTC))",
            ),
            Change(
                "warehouse/rows.py",
                "manifest.started_at if tombstone.merged_into_id is None else page.requested_at",
                "page.requested_at",
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
    Planted(
        "a cursor from the end of the read",
        "notion",
        (
            Change(
                "sources/http.py",
                'if self.server_started_at is None and "date" in response.headers:',
                'if "date" in response.headers:',
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
    Planted(
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
    Planted(
        "an expired sync token that brings nothing",
        "google",
        (
            Change(
                "sources/google_contacts/lists.py",
                """                token, self._is_sweep = None, True
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
    Planted(
        "a checkpoint ahead of what is kept",
        "hubspot",
        (
            Change(
                "extract.py",
                "            writer.keep(page)\n            sweep.meet(page)",
                "            sweep.meet(page)",
            ),
            Change(
                "extract.py",
                "                )\n        missing_count = 0",
                "                )\n            writer.keep(page)\n        missing_count = 0",
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
    Planted(
        "a tombstone that outlives the return",
        "hubspot",
        (
            Change(
                "warehouse/load.py",
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
    Planted(
        "a stage table that another attempt took away",
        "notion",
        (Change("warehouse/load.py", "        if done is None:\n            raise\n", "        raise\n"),),
        # The same landing is loaded while its load has just merged.
        (step("run", refresh="full", step="the MERGE", meanwhile=[("load", 0)]),),
    ),
    Planted(
        "a cap taken for the end",
        "notion",
        (Change("sources/notion.py", "if not is_capped:", "if answer:"),),
        (
            FULL,
            step("change", change="edit", number=0, times=6),
            step("wait", minutes=10),
            step("limit", number=0),
            CHANGED,
        ),
    ),
)
