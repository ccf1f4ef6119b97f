"""The files that an entity needs besides its line in the code: revision, dbt source, staging model and their docs.

All of them follow from the described raw table and, for the staging model, from what the entity says of its columns.
"""

from pathlib import Path

from reporting.entity import Entity
from reporting.scaffold import models, revisions
from reporting.scaffold.models import StagingColumn, staging_columns
from reporting.scaffold.names import column_name, distinct
from reporting.scaffold.revisions import ScaffoldError, join

__all__ = [
    "ScaffoldError",
    "StagingColumn",
    "column_name",
    "distinct",
    "files",
    "join",
    "staging_columns",
]


def files(
    entity: Entity,
    migrations: Path,
    folder: Path,
    revision_prefix: str,
    columns: list[StagingColumn],
    is_castable: bool,
) -> dict[Path, str]:
    """The text of each file: the revision in `migrations`, the others in `folder`.

    `columns` are the entity's own columns of the staging model; `is_castable` says that one of them is
    `uncastable_columns`. A revision that is there already for the table is left out. Raises `ScaffoldError`.
    """
    model = f"stg_{entity.source}__{entity.name}"
    made = {
        folder / f"{model}.sql": models.model(entity, columns),
        folder / f"_{entity.source}__{entity.name}__sources.yml": models.sources(entity),
        folder / f"_{entity.source}__{entity.name}__models.yml": models.models(
            entity, model, columns, is_castable
        ),
    }
    if revisions.revision_of(migrations, entity) is None:
        path, text = revisions.revision(entity, migrations, revision_prefix)
        made = {path: text, **made}
    return made
