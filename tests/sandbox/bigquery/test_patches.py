"""Each patch, and that its test fails without it."""

import gzip
import io
from collections.abc import Callable, Iterator

import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

from reporting.settings import read_settings
from reporting.warehouse.client import connect
from sandbox.bigquery import server

PATCHES = ("ctas_destination", "gzip_upload", "strict_load")


@pytest.fixture(scope="module")
def unpatched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigquery.Client]:
    """A server with nothing but the extensions, without which it does not start here."""
    with server.running(tmp_path_factory.mktemp("unpatched"), skip=PATCHES) as address:
        yield client_of(address)


def client_of(address: str) -> bigquery.Client:
    client = connect(read_settings({"BIGQUERY_EMULATOR_HOST": address}))
    client.create_dataset("patches", exists_ok=True)
    return client


def names_its_table(client: bigquery.Client) -> bool:
    job = client.query("CREATE OR REPLACE TABLE patches.made AS SELECT 1 AS x")
    job.result()
    found = client.get_job(job.job_id)
    return found.destination is not None and found.destination.table_id == "made"


def load(client: bigquery.Client, body: bytes, table: str) -> int:
    config = bigquery.LoadJobConfig(
        schema=[bigquery.SchemaField("id", "STRING", "REQUIRED"), bigquery.SchemaField("n", "INT64")],
        source_format="NEWLINE_DELIMITED_JSON",
        write_disposition="WRITE_TRUNCATE",
    )
    job = client.load_table_from_file(io.BytesIO(body), f"local.patches.{table}", job_config=config)
    job.result()
    return job.output_rows


def loads_gzip(client: bigquery.Client) -> bool:
    try:
        return load(client, gzip.compress(b'{"id": "a", "n": 1}\n{"id": "b"}\n'), "packed") == 2
    except BadRequest:
        return False


def refuses_nulls(client: bigquery.Client) -> bool:
    try:
        load(client, b'{"id": "a"}\n{"n": 2}\n', "nulls")
    except BadRequest:
        return True
    return False


BEHAVIOURS = {"ctas_destination": names_its_table, "gzip_upload": loads_gzip, "strict_load": refuses_nulls}


@pytest.mark.parametrize("behaves", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
def test_a_patch_mends(bigquery_endpoint: str, behaves: Callable[[bigquery.Client], bool]) -> None:
    assert behaves(client_of(bigquery_endpoint))


@pytest.mark.parametrize("behaves", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
def test_a_patch_is_needed(unpatched: bigquery.Client, behaves: Callable[[bigquery.Client], bool]) -> None:
    assert not behaves(unpatched), "upstream has it: drop the patch"


def test_rows_survive_a_restart(tmp_path) -> None:
    with server.running(tmp_path) as address:
        client_of(address).query("CREATE TABLE patches.kept AS SELECT 7 AS x").result()
    with server.running(tmp_path) as address:
        assert [row["x"] for row in client_of(address).query("SELECT x FROM patches.kept").result()] == [7]


def test_a_port_in_use_is_said_plainly(tmp_path, bigquery_endpoint: str) -> None:
    port = int(bigquery_endpoint.rsplit(":", 1)[1])
    other = server.subprocess.run(
        [server.PYTHON, "-m", "sandbox.bigquery", "--port", str(port), "--data", str(tmp_path)],
        cwd=server.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert other.returncode == 2
    assert f"port {port} cannot be used" in other.stderr
