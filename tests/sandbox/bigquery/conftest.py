"""Servers with and without the patches; `bigquery_endpoint` has all of them."""

from collections.abc import Callable, Iterator

import pytest
from google.cloud import bigquery

from reporting.local import bigquery as server
from reporting.local import serving
from reporting.settings import read_settings
from reporting.warehouse.client import connect

# Without `extensions` nothing starts on a machine that cannot download.
PATCHES = tuple(
    module.stem
    for module in (serving.ROOT / "sandbox" / "bigquery" / "patches").glob("*.py")
    if module.stem not in ("__init__", "extensions")
)


@pytest.fixture(scope="session")
def client_of() -> Callable[[server.LocalBigQuery], bigquery.Client]:
    """Makes a client of a server, on which the dataset `patches` exists."""

    def make(local: server.LocalBigQuery) -> bigquery.Client:
        client = connect(read_settings(local.variables))
        client.create_dataset("patches", exists_ok=True)
        return client

    return make


@pytest.fixture(scope="module")
def patched(
    bigquery_endpoint: server.LocalBigQuery, client_of: Callable[[server.LocalBigQuery], bigquery.Client]
) -> bigquery.Client:
    """A client of the server with all patches."""
    return client_of(bigquery_endpoint)


@pytest.fixture(scope="session")
def unpatched(
    tmp_path_factory: pytest.TempPathFactory, client_of: Callable[[server.LocalBigQuery], bigquery.Client]
) -> Iterator[bigquery.Client]:
    """A client of a server with none of them."""
    with server.running(tmp_path_factory.mktemp("unpatched"), skip=PATCHES) as local:
        yield client_of(local)
