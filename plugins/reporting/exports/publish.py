"""Exports to a folder or a bucket under the same names each time, so that a reader always finds the newest export."""

import json
import logging
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from reporting.exports.export import Request, Step, export
from reporting.exports.formats import FORMATS, MANIFEST, Format, Manifest, NotInstalledError, manifest_in
from reporting.exports.marts import ExportError
from reporting.settings import Settings
from reporting.storage.files import is_on_disk, open_folder, put_whole, write_whole

logger = logging.getLogger(__name__)
NAME = "marts"


def publish(
    client: bigquery.Client,
    settings: Settings,
    request: Request,
    uri: str,
    said: Callable[[Step], None] = lambda _: None,
) -> Manifest:
    """Export to `uri`/`marts` (CSV, Parquet), `marts.duckdb` or `marts.sqlite`, and return the manifest.

    In a folder the export is replaced at once. A bucket replaces one object at a time: each is whole at any moment, and
    `export.json`, written last, says which set they are. An export in the kind of `REPORTING_EXPORT_FORMAT` takes the place
    of those of other kinds, which nobody would write anew. Raises `ExportError`.
    """
    try:
        files, root = open_folder(uri, settings.google_key)
    except (ValueError, ImportError) as error:
        raise ExportError(f"REPORTING_EXPORT_URI cannot be used: {error}.") from None
    name = _name(request.form)
    others = {_name(each): each for each in FORMATS.values() if request.form.name == settings.export_format}
    others.pop(name, None)
    if is_on_disk(files):
        manifest = export(client, settings, request, Path(root) / name, said)
        for other, form in others.items():
            _remove(Path(root) / other, form)
        return manifest
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        made = Path(folder) / name
        manifest = export(client, settings, request, made, said)
        if made.is_dir():
            _put_folder(files, made, f"{root}/{name}", manifest)
        else:
            put_whole(files, made, f"{root}/{name}")
    for other, form in others.items():
        _remove_from_bucket(files, f"{root}/{other}", form)
    return manifest


def _name(form: Format) -> str:
    return f"{NAME}{form.suffix or ''}"


def _remove(path: Path, form: Format) -> None:
    """Remove an export, and nothing that is none; what else was put into its folder stays."""
    path = path.resolve()
    try:
        manifest = form.manifest(path)
    except NotInstalledError as error:
        logger.warning("%s stays, since it cannot be seen whether it is an export. %s", path, error)
        return
    if manifest is None:
        return
    if form.suffix is None:
        # The manifest last: until then it says whose these files are.
        for name in (*manifest["files"], MANIFEST):
            (path / name).unlink(missing_ok=True)
        if not any(path.iterdir()):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
    logger.info("Removed %s, which was exported as %s before.", path, form.name)


def _remove_from_bucket(files: Any, target: str, form: Format) -> None:
    if form.suffix is None:
        manifest = _earlier(files, target)
        names = [f"{target}/{each}" for each in (*manifest["files"], MANIFEST)] if manifest else []
    else:
        names = [target]
    for name in names:
        with suppress(FileNotFoundError):
            files.rm_file(name)
            logger.info("Removed %s, which was exported as %s before.", name, form.name)


def _earlier(files: Any, target: str) -> Manifest | None:
    try:
        return manifest_in(files.cat_file(f"{target}/{MANIFEST}").decode())
    # One that is damaged names nothing, and is replaced.
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _put_folder(files: Any, made: Path, target: str, manifest: Manifest) -> None:
    earlier = _earlier(files, target)
    for name in manifest["files"]:
        put_whole(files, made / name, f"{target}/{name}")
    write_whole(files, f"{target}/{MANIFEST}", json.dumps(manifest, indent=1).encode())
    # Only now, since export.json listed these files until it was replaced.
    for name in sorted(set((earlier or {}).get("files", ())) - set(manifest["files"])):
        # Another process may have removed it already.
        with suppress(FileNotFoundError):
            files.rm_file(f"{target}/{name}")
        logger.info("Removed %s, which is no longer exported.", name)
