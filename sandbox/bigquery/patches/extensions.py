"""DuckDB's extensions come from installed packages.

local-bigquery 0.4.0 lets DuckDB download icu, ducklake and spatial at its first start. The first two are
installed here from wheels; spatial (81 MB, only for GEOGRAPHY) is left out. Drop it when upstream starts
without a download.
"""

from duckdb_extensions import import_extension
from local_bigquery.engine import database

from sandbox.bigquery.confined import EXTENSIONS


def apply() -> None:
    """Install the extensions into the process's HOME."""
    for name in EXTENSIONS:
        import_extension(name)
    database.FUNCTIONS = [path for path in database.FUNCTIONS if path.stem != "geography"]
