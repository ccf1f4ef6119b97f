"""Keeps what was read: gzipped NDJSON and a manifest, under a folder or bucket reached through fsspec.

    {landing}/{source}/{entity}/{run id}/part-00000.ndjson.gz
    {landing}/{source}/{entity}/{run id}/manifest.json

The manifest is written last, so a landing with a manifest is whole, and one without was cut off. A run id is
used once: nothing here is ever overwritten.
"""

from reporting.ingest.landing.errors import DAMAGED, LandingError, raise_if_full
from reporting.ingest.landing.folder import Landing
from reporting.ingest.landing.lines import COMPRESSION, as_kept
from reporting.ingest.landing.manifest import RUN_TIME, Kind, Manifest, Refresh, new_run_id
from reporting.ingest.landing.writing import LandingWriter, Parts

__all__ = [
    "COMPRESSION",
    "DAMAGED",
    "RUN_TIME",
    "Kind",
    "Landing",
    "LandingError",
    "LandingWriter",
    "Manifest",
    "Parts",
    "Refresh",
    "as_kept",
    "new_run_id",
    "raise_if_full",
]
