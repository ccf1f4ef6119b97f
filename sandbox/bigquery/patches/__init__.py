"""Mends of local-bigquery 0.4.0, one a module, each to be dropped when upstream has it.

`extensions` must come first: without it nothing starts on a machine that cannot download.
"""

from sandbox.bigquery.patches import ctas_destination, extensions, gzip_upload, strict_load

ALL = {
    "extensions": extensions.apply,
    "ctas_destination": ctas_destination.apply,
    "gzip_upload": gzip_upload.apply,
    "strict_load": strict_load.apply,
}
