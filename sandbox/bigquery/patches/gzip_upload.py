"""A gzipped upload of NDJSON or CSV is read as BigQuery reads it.

local-bigquery 0.4.0 takes the packed bytes for text. Drop it when upstream unpacks them.
"""

import gzip
import os
import shutil
from typing import Any

from local_bigquery.jobs import load, runner

GZIP_MAGIC = b"\x1f\x8b"


def apply() -> None:
    """Unpack an upload before the load job sees it."""
    run_load = load.run

    def run(cursor: Any, config: Any, upload: str | None) -> Any:
        if upload and (config.sourceFormat or "CSV") in load.TEXT_FORMATS and _is_gzip(upload):
            plain = f"{upload}.plain"
            with gzip.open(upload, "rb") as packed, open(plain, "wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
            os.replace(plain, upload)
        return run_load(cursor, config, upload)

    load.run = run
    runner.HANDLERS["load"] = run


def _is_gzip(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == GZIP_MAGIC
