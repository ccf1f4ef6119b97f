"""What changes in a source's own schema, in `ops.schema_changes`: properties that are new, renamed, retyped or gone.

The table itself is what was known: the latest row of a property is how it was seen last. A digest in the ledger spares
looking into it while nothing changes.
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

from reporting.landing import Manifest
from reporting.settings import Settings

logger = logging.getLogger(__name__)

LOGGED = 20


class Property(NamedTuple):
    """A property as its source describes it, by its id."""

    name: str
    type: str


class _Known(NamedTuple):
    name: str | None
    type: str | None
    change_id: str
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a property; what it was not, or is no more, is None."""

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


def properties_of(source: str, description: Mapping[str, Any]) -> dict[str, Property] | None:
    """The properties in a source's description of an entity, by id; None where the shape is the API's own."""
    described = description.get("properties")
    if source not in _READ or not isinstance(described, Mapping):
        return None
    return dict(_READ[source](name, each) for name, each in described.items())


def digest(source: str, description: Mapping[str, Any]) -> str | None:
    """Stands for the properties; None where there are none that could change."""
    properties = properties_of(source, description)
    if properties is None:
        return None
    text = json.dumps(sorted((key, *each) for key, each in properties.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def record(client: bigquery.Client, settings: Settings, manifest: Manifest) -> bool:
    """Record what `manifest` shows for the first time, once however often it is called; False when it could not.

    A failure is a line in the log and no error: the rows do not depend on it, and the next run tries again.
    """
    properties = properties_of(manifest.source, manifest.schema) or {}
    try:
        known = _known(client, settings, manifest)
        if any(each.first_seen_at > manifest.started_at for each in known.values()):
            # A late load shows how it was before.
            return True
        changes = _changes(manifest, known, properties)
        if changes:
            _append(client, settings, manifest, changes)
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        logger.warning(
            "%s.%s: what changed in the schema of the source was not recorded, and is by the next run (%s).",
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
    manifest: Manifest, known: Mapping[str, _Known], properties: Mapping[str, Property]
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
    parameters = [
        bigquery.ScalarQueryParameter("source", "STRING", manifest.source),
        bigquery.ScalarQueryParameter("entity", "STRING", manifest.entity),
    ]
    rows = client.query(sql, job_config=bigquery.QueryJobConfig(query_parameters=parameters)).result()
    return {
        row["property_id"]: _Known(
            row["name_after"], row["type_after"], row["change_id"], row["first_seen_at"]
        )
        for row in rows
    }


def _append(client: bigquery.Client, settings: Settings, manifest: Manifest, changes: list[Change]) -> None:
    """Two loads that find the same change at once give it the same id."""
    names = tuple(asdict(changes[0]))
    values = ", ".join(f"JSON_VALUE(each, '$.{name}') AS {name}" for name in names)
    sql = f"""
        MERGE `{settings.dataset("ops")}.schema_changes` T
        USING (SELECT {values} FROM UNNEST(JSON_QUERY_ARRAY(@changes)) AS each) S ON T.change_id = S.change_id
        WHEN NOT MATCHED THEN INSERT (source, entity, first_seen_at, run_id, {", ".join(names)})
        VALUES (@source, @entity, @first_seen_at, @run_id, {", ".join(f"S.{name}" for name in names)})
    """
    parameters = [
        bigquery.ScalarQueryParameter("changes", "STRING", json.dumps(list(map(asdict, changes)))),
        bigquery.ScalarQueryParameter("source", "STRING", manifest.source),
        bigquery.ScalarQueryParameter("entity", "STRING", manifest.entity),
        bigquery.ScalarQueryParameter("first_seen_at", "TIMESTAMP", manifest.started_at),
        bigquery.ScalarQueryParameter("run_id", "STRING", manifest.run_id),
    ]
    client.query(sql, job_config=bigquery.QueryJobConfig(query_parameters=parameters)).result()


def _notion_property(name: str, described: Any) -> tuple[str, Property]:
    fields = described if isinstance(described, Mapping) else {}
    # The id outlives a new name.
    return str(fields.get("id") or name), Property(name, str(fields.get("type")))


def _named_property(name: str, described: Any) -> tuple[str, Property]:
    # HubSpot's internal name is the id: it cannot be changed. A column of a sheet has nothing but its name.
    return name, Property(name, str(described))


_READ = {"notion": _notion_property, "hubspot": _named_property, "google_sheets": _named_property}
