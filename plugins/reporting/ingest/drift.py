"""Records changes in a source's own schema in `ops.schema_changes`: properties that are new, renamed, retyped or gone.

The table also holds the known schema: the latest row of a property is its last state. A digest in the sync log avoids that the
table is queried while nothing changes.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery

from reporting.ingest.landing import Manifest
from reporting.settings import Settings
from reporting.sources.base import DescribedProperty
from reporting.sources.registry import SOURCES
from reporting.sources.shapes import repaired
from reporting.warehouse.client import with_parameters

logger = logging.getLogger(__name__)

LOGGED = 20


class _Known(NamedTuple):
    name: str | None
    type: str | None
    change_id: str
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a property. Names and types before are None if it is new; those after are None if it is gone."""

    change_id: str
    property_id: str
    change: str
    name_before: str | None
    name_after: str | None
    type_before: str | None
    type_after: str | None

    def __str__(self) -> str:
        names = [each for each in (self.name_before, self.name_after) if each]
        types = [each for each in (self.type_before, self.type_after) if each]
        return f"'{' -> '.join(dict.fromkeys(names))}' ({' -> '.join(dict.fromkeys(types))}) is {self.change}"


def properties_of(source: str, description: Mapping[str, Any]) -> dict[str, DescribedProperty] | None:
    """The properties in a source's description of an entity, by id; None where the shape is the API's own."""
    # Half an emoji in a name is none in the warehouse, and what is compared with it has to be the same.
    described = repaired(description.get("properties"))
    told_of = SOURCES[source].property_of if source in SOURCES else None
    if told_of is None or not isinstance(described, Mapping):
        return None
    return dict(told_of(name, each) for name, each in described.items())


def digest(source: str, description: Mapping[str, Any]) -> str | None:
    """A digest of the properties; None if the API alone defines them."""
    properties = properties_of(source, description)
    if properties is None:
        return None
    text = json.dumps(sorted((key, *each) for key, each in properties.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def record(client: bigquery.Client, settings: Settings, manifest: Manifest) -> bool:
    """Record the changes that `manifest` shows. Repeating it changes nothing. False if it failed.

    A failure is only logged: the rows do not depend on it, and the next run tries again.
    """
    properties = properties_of(manifest.source, manifest.schema) or {}
    try:
        known = _known(client, settings, manifest)
        if any(each.first_seen_at > manifest.started_at for each in known.values()):
            # A late load has an older schema than the one that is recorded.
            return True
        changes = _changes(manifest, known, properties)
        if changes:
            _append(client, settings, manifest, changes)
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        logger.warning(
            "%s.%s: changes in the source's schema could not be recorded (%s). The next run tries again.",
            manifest.source,
            manifest.entity,
            type(error).__name__,
        )
        return False
    if known:
        for change in changes[:LOGGED]:
            logger.warning("%s.%s: the property %s.", manifest.source, manifest.entity, change)
    return True


def _changes(
    manifest: Manifest, known: Mapping[str, _Known], properties: Mapping[str, DescribedProperty]
) -> list[Change]:
    found = []
    for key in sorted(known.keys() | properties.keys()):
        before, after = known.get(key), properties.get(key)
        names = (before.name if before else None, after.name if after else None)
        types = (before.type if before else None, after.type if after else None)
        change = _change(names, types) if known else "first"
        if change:
            before_id = before.change_id if before else ""
            text = json.dumps([manifest.source, manifest.entity, key, before_id, change, names[1], types[1]])
            change_id = hashlib.sha256(text.encode()).hexdigest()[:32]
            found.append(Change(change_id, key, change, *names, *types))
    return found


def _change(names: tuple[str | None, str | None], types: tuple[str | None, str | None]) -> str | None:
    if names == (None, None):
        return None
    if names[0] is None:
        return "new"
    if names[1] is None:
        return "gone"
    changes = (("renamed", names), ("retyped", types))
    return " and ".join(change for change, (before, after) in changes if before != after) or None


def _known(client: bigquery.Client, settings: Settings, manifest: Manifest) -> dict[str, _Known]:
    sql = f"""
        SELECT property_id, name_after, type_after, change_id, first_seen_at
        FROM `{settings.dataset("ops")}.schema_changes`
        WHERE source = @source AND entity = @entity
        QUALIFY ROW_NUMBER() OVER (PARTITION BY property_id ORDER BY first_seen_at DESC) = 1
    """
    config = with_parameters(source=manifest.source, entity=manifest.entity)
    rows = client.query_and_wait(sql, job_config=config)
    return {
        row["property_id"]: _Known(
            row["name_after"], row["type_after"], row["change_id"], row["first_seen_at"]
        )
        for row in rows
    }


def _append(client: bigquery.Client, settings: Settings, manifest: Manifest, changes: list[Change]) -> None:
    """Write the changes. If two loads find the same change at once, it has the same id in both and is written once."""
    names = tuple(asdict(changes[0]))
    values = ", ".join(f"JSON_VALUE(each, '$.{name}') AS {name}" for name in names)
    sql = f"""
        MERGE `{settings.dataset("ops")}.schema_changes` T
        USING (SELECT {values} FROM UNNEST(JSON_QUERY_ARRAY(@changes)) AS each) S ON T.change_id = S.change_id
        WHEN NOT MATCHED THEN INSERT (source, entity, first_seen_at, run_id, {", ".join(names)})
        VALUES (@source, @entity, @first_seen_at, @run_id, {", ".join(f"S.{name}" for name in names)})
    """
    config = with_parameters(
        changes=json.dumps(list(map(asdict, changes))),
        source=manifest.source,
        entity=manifest.entity,
        first_seen_at=manifest.started_at,
        run_id=manifest.run_id,
    )
    client.query_and_wait(sql, job_config=config)
