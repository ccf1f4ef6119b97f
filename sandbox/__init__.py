"""The local BigQuery and the fake APIs, which replace the cloud services on your own machine."""

import sys
from pathlib import Path

# These servers share the package `reporting.local`, which starts them and needs only the standard library.
PLUGINS = str(Path(__file__).resolve().parents[1] / "plugins")
if PLUGINS not in sys.path:
    sys.path.append(PLUGINS)
