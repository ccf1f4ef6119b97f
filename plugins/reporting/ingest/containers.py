"""Finds the raw table for a record of which an event only says in which container it is, such as a Notion database.

What a container is called and has for an id stands in the description that each read keeps in its manifest, so no source is asked.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from reporting.entity import Entity
from reporting.ingest.landing import Landing, LandingError

# How long the ids are remembered. An entity that is read for the first time, or from another container, is found after that.
KEPT_SECONDS = 600.0
# How many runs without a manifest, which were cut off, are passed over.
MOST_CUT_OFF = 5


class Containers:
    """The ids of the containers of some entities, from their newest landings. Not for use by two threads at once.

    `containers_in` returns the ids in the description of an entity.
    """

    def __init__(
        self,
        landing: Landing,
        entities: Iterable[Entity],
        containers_in: Callable[[dict[str, Any]], set[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._landing = landing
        self._entities = tuple(entities)
        self._containers_in = containers_in
        self._clock = clock
        self._found: dict[str, set[str]] = {}
        self._read_at = float("-inf")

    def entities(self, ids: Iterable[str]) -> tuple[str, ...]:
        """The names of the entities whose container has one of these ids. Raises `OSError` if the landing cannot be read."""
        if self._clock() - self._read_at >= KEPT_SECONDS:
            self._found = {each.name: self._ids(each) for each in self._entities}
            self._read_at = self._clock()
        wanted = set(ids)
        return tuple(name for name, found in self._found.items() if found & wanted)

    def _ids(self, entity: Entity) -> set[str]:
        runs = self._landing.run_ids(entity.source, entity.name)
        for run_id in reversed(runs[-MOST_CUT_OFF:]):
            try:
                manifest = self._landing.manifest(self._landing.folder(entity.source, entity.name, run_id))
            except LandingError:
                continue
            return self._containers_in(manifest.schema)
        return set()
