"""Exports into a folder or a bucket: the same names each time, so that whoever reads them finds the newest."""

import json
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from reporting.exports.export import Request, Step, export
from reporting.exports.formats import MANIFEST, Manifest, manifest_in
from reporting.exports.marts import ExportError
from reporting.files import is_on_disk, open_folder, put_whole, write_whole
from reporting.settings import Settings

logger = logging.getLogger(__name__)
NAME = "marts"


def publish(
    client: bigquery.Client,
    settings: Settings,
    request: Request,
    uri: str,
    said: Callable[[Step], None] = lambda _: None,
) -> Manifest:
    """Export to `marts` (CSV, Parquet) or `marts.duckdb`, `marts.sqlite` below `uri`, and return the manifest.

    In a folder the export is replaced at once. A bucket replaces one object at a time: each is whole at any moment, and
    `export.json`, written last, says which set they are. Raises `ExportError`.
    """
    try:
        files, root = open_folder(uri, settings.google_key)
    except (ValueError, ImportError) as error:
        raise ExportError(f"REPORTING_EXPORT_URI cannot be used: {error}.") from None
    name = f"{NAME}{request.form.suffix or ''}"
    if is_on_disk(files):
        return export(client, settings, request, Path(root) / name, said)
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        made = Path(folder) / name
        manifest = export(client, settings, request, made, said)
        if made.is_dir():
            _put_folder(files, made, f"{root}/{name}", manifest)
        else:
            put_whole(files, made, f"{root}/{name}")
    return manifest


def _put_folder(files: Any, made: Path, target: str, manifest: Manifest) -> None:
    try:
        earlier = manifest_in(files.cat_file(f"{target}/{MANIFEST}").decode())
    except FileNotFoundError:
        earlier = None
    for name in manifest["files"]:
        put_whole(files, made / name, f"{target}/{name}")
    write_whole(files, f"{target}/{MANIFEST}", json.dumps(manifest, indent=1).encode())
    # Afterwards: until then it is what export.json names.
    for name in sorted(set((earlier or {}).get("files", ())) - set(manifest["files"])):
        files.rm_file(f"{target}/{name}")
        logger.info("Removed %s, which is no longer exported.", name)
