"""A PostgreSQL and a production on it, each as long as the tests of a module need it."""

from collections.abc import Iterator

import pytest

from reporting.local.bigquery import LocalBigQuery
from tests.support import postgres
from tests.support.production_server import Production


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL with an empty database."""
    with postgres.running() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def production(
    cluster: postgres.Cluster, bigquery_endpoint: LocalBigQuery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Production]:
    """Production, running and healthy."""
    production = Production(cluster.url(), tmp_path_factory.mktemp("production"), bigquery_endpoint)
    # As startup.txt does: what is reachable from outside is what these tests are about.
    production.host = "0.0.0.0"  # noqa: S104
    try:
        production.start()
        yield production
    finally:
        production.kill()
