"""Each patch, and that it is needed still: its behaviour is absent from a server without it."""

import gzip
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

from reporting.settings import read_settings
from reporting.warehouse.client import connect
from sandbox import serving
from sandbox.bigquery import server
from sandbox.bigquery.server import LocalBigQuery

KEYS = [bigquery.SchemaField("id", "STRING", "REQUIRED"), bigquery.SchemaField("n", "INT64")]


def query(client: bigquery.Client, sql: str) -> list[tuple]:
    return [tuple(row.values()) for row in client.query(sql, job_retry=None).result(job_retry=None)]


def load(client: bigquery.Client, body: bytes, table: str) -> int:
    config = bigquery.LoadJobConfig(
        schema=KEYS, source_format="NEWLINE_DELIMITED_JSON", write_disposition="WRITE_TRUNCATE"
    )
    job = client.load_table_from_file(io.BytesIO(body), f"local.patches.{table}", job_config=config)
    job.result()
    return job.output_rows


def is_refused(action: Callable[[], object]) -> bool:
    try:
        action()
    except BadRequest:
        return True
    return False


def names_its_table(client: bigquery.Client) -> bool:
    job = client.query("CREATE OR REPLACE TABLE patches.made AS SELECT 1 AS x")
    assert list(job.result()) == []
    found = client.get_job(job.job_id)
    return found.destination is not None and found.destination.table_id == "made"


def sets_one_variable(client: bigquery.Client) -> bool:
    rows = query(
        client,
        "DECLARE days ARRAY<INT64>;"
        "SET (days) = (SELECT AS STRUCT ARRAY_AGG(DISTINCT d ORDER BY d) FROM UNNEST([2, 1, 2]) AS d);"
        "SELECT days",
    )
    return rows == [([1, 2],)]


def sets_two_variables(client: bigquery.Client) -> bool:
    rows = query(
        client,
        "DECLARE low, high INT64;"
        "SET (low, high) = (SELECT AS STRUCT MIN(d), MAX(d) FROM UNNEST([2, 1, 3]) AS d);"
        "SELECT low, high",
    )
    return rows == [(1, 3)]


def loads_gzip(client: bigquery.Client) -> bool:
    return load(client, gzip.compress(b'{"id": "a", "n": 1}\n{"id": "b"}\n'), "packed") == 2


def refuses_nulls(client: bigquery.Client) -> bool:
    is_first = is_refused(lambda: load(client, b'{"id": "a"}\n{"n": 2}\n', "nulls"))
    # Not by the constraint of a table that was filled already.
    return is_first and "nulls" not in {table.table_id for table in client.list_tables("patches")}


def refuses_unknown_fields(client: bigquery.Client) -> bool:
    return is_refused(lambda: load(client, b'{"id": "a", "other": 1}\n', "unknown"))


def refuses_a_decorator(client: bigquery.Client) -> bool:
    return is_refused(lambda: load(client, b'{"id": "a"}\n', "days$20260101"))


def keeps_required(client: bigquery.Client) -> bool:
    # Twice: the table is made, then replaced.
    for _ in range(2):
        load(client, b'{"id": "a"}\n', "required")
    modes = [field.mode for field in client.get_table("patches.required").schema]
    return modes == ["REQUIRED", "NULLABLE"] and is_refused(
        lambda: query(client, "INSERT INTO patches.required (id) VALUES (NULL)")
    )


def keeps_required_from_parallel_jobs(client: bigquery.Client) -> bool:
    config = bigquery.LoadJobConfig(schema=KEYS, source_format="NEWLINE_DELIMITED_JSON")
    jobs = [
        client.load_table_from_file(io.BytesIO(b'{"id": "a"}\n'), "local.patches.parallel", job_config=config)
        for _ in range(4)
    ]
    loaded = sum(job.result().output_rows for job in jobs)
    assert query(client, "SELECT COUNT(*) FROM patches.parallel") == [(loaded,)] == [(4,)]
    return client.get_table("patches.parallel").schema[0].mode == "REQUIRED"


def merges_in_a_transaction(client: bigquery.Client) -> bool:
    merge = (
        "MERGE patches.merged T USING (SELECT 1 AS id) S ON T.id = S.id "
        "WHEN MATCHED THEN UPDATE SET n = T.n + 1 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (S.id, 0);"
    )
    query(client, "CREATE OR REPLACE TABLE patches.merged (id INT64, n INT64)")
    query(client, f"BEGIN TRANSACTION; {merge} {merge} COMMIT TRANSACTION;")
    query(client, f"BEGIN TRANSACTION; {merge} ROLLBACK TRANSACTION;")
    query(client, merge)
    return query(client, "SELECT id, n FROM patches.merged") == [(1, 2)]


BEHAVIOURS = (
    names_its_table,
    sets_one_variable,
    sets_two_variables,
    loads_gzip,
    refuses_nulls,
    refuses_unknown_fields,
    refuses_a_decorator,
    keeps_required,
    keeps_required_from_parallel_jobs,
    merges_in_a_transaction,
)
each_behaviour = pytest.mark.parametrize("behaves", BEHAVIOURS, ids=lambda behaves: behaves.__name__)


@each_behaviour
def test_a_patch_mends(patched: bigquery.Client, behaves: Callable[[bigquery.Client], bool]) -> None:
    assert behaves(patched)


@each_behaviour
def test_a_patch_is_needed(unpatched: bigquery.Client, behaves: Callable[[bigquery.Client], bool]) -> None:
    try:
        has_it = behaves(unpatched)
    except GoogleAPICallError:
        has_it = False
    assert not has_it, "upstream has it: drop the patch"


def start(port: int, data: Path, skip: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [serving.PYTHON, "-m", "sandbox.bigquery", "--port", str(port), "--data", str(data)],
        cwd=serving.ROOT,
        env={server.SKIP_VARIABLE: skip},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def refusal(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    return ended.stderr


LOOKED_UP = """
import json, sys
from pathlib import Path
from local_bigquery.settings import settings
settings.data_dir = Path(sys.argv[1]) / "data"
from local_bigquery.engine import database
import sqlglot
from local_bigquery.catalog import tables
from local_bigquery.sql.rules import partitions
from sandbox.bigquery.patches import catalog_lookup, extensions
extensions.apply()
described = database.objects
tables_and_views = ("kept", "renamed", "again", "view")
def modes():
    return [[[field.name, field.mode] for field in tables.columns("local", "lookup", name)] for name in tables_and_views]
described_modes = modes()
def hide():
    tables = [sqlglot.exp.table_(name, db="lookup", catalog="local") for name in ("kept", "daily", "nothing")]
    return [partitions._hidden(table) for table in tables]
described_hidden = hide()
catalog_lookup.apply()
results = [name for name, *_ in described("emulator", "_results")]
asked = [("local", each) for each in ("lookup", "nothing")] + [("emulator", "_results"), ("nowhere", "lookup")]
asked += [("local", "lookup", name) for name in ("kept", "view", "Kept", "dropped", "renamed", "again", "x'y")]
asked += [("emulator", "_results", name) for name in (results[0], "nothing")]
pairs = [[described(*each), database.objects(*each)] for each in asked]
hidden = [described_hidden, hide()]
print(json.dumps([*pairs, hidden, [described_modes, modes()]]))
"""


def test_a_lookup_by_name_finds_what_a_description_of_everything_does(tmp_path: Path) -> None:
    with server.running(tmp_path) as local:
        client = connect(read_settings(local.variables))
        client.create_dataset("lookup")
        for name in ("kept", "dropped", "first", "again"):
            query(
                client,
                f"CREATE TABLE lookup.{name} (n INT64 NOT NULL, m STRUCT<a INT64>, o STRING NOT NULL DEFAULT 'x')",
            )
            query(client, f"INSERT INTO lookup.{name} (n) VALUES (1), (2), (3)")
        query(client, "DELETE FROM lookup.kept WHERE n = 1")
        query(client, "DROP TABLE lookup.dropped")
        query(client, "ALTER TABLE lookup.first RENAME TO renamed")
        query(client, "CREATE OR REPLACE TABLE lookup.again AS SELECT 1 AS n, 2 AS m")
        query(client, "ALTER TABLE lookup.renamed ALTER COLUMN n DROP NOT NULL")
        query(client, "CREATE TABLE lookup.daily (n INT64) PARTITION BY _PARTITIONDATE")
        query(client, "CREATE VIEW lookup.view AS SELECT n FROM lookup.kept")
        query(client, "SELECT 1")
    done = subprocess.run(
        [serving.PYTHON, "-c", LOOKED_UP, str(tmp_path)],
        cwd=serving.ROOT,
        env={"HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    pairs = json.loads(done.stdout)
    assert [name for name, *_ in pairs[0][0]] == ["again", "daily", "kept", "renamed", "view"]
    assert pairs[2][0]
    assert pairs[-2][0] == [False, True, False]
    assert pairs[-1][0][0] == [["n", "REQUIRED"], ["m", "NULLABLE"], ["o", "REQUIRED"]]
    for described, looked_up in pairs:
        assert described == looked_up


@pytest.mark.parametrize("server", ["patched", "unpatched"])
def test_options_are_what_they_were(server: str, request: pytest.FixtureRequest) -> None:
    client: bigquery.Client = request.getfixturevalue(server)
    written = r"""'it\'s "so"\n\tü 🎉 \\ {x}'"""
    query(
        client,
        f"CREATE OR REPLACE TABLE patches.described (n INT64 OPTIONS (description = {written})) "
        f"OPTIONS (description = CONCAT('a', 'b'), friendly_name = {written}, labels = [('k', 'v')])",
    )
    table = client.get_table("patches.described")
    meant = 'it\'s "so"\n\tü 🎉 \\ {x}'
    assert (table.schema[0].description, table.friendly_name) == (meant, meant)
    assert (table.description, table.labels) == ("ab", {"k": "v"})


def test_a_temporary_table_is_seen_by_its_script_and_nobody_else(patched: bigquery.Client) -> None:
    script = "CREATE TEMP TABLE passing AS SELECT 7 AS n; SELECT n FROM passing"
    assert query(patched, script) == [(7,)]
    with pytest.raises(GoogleAPICallError):
        query(patched, "SELECT n FROM passing")


def test_a_port_in_use_is_said_plainly(tmp_path: Path, bigquery_endpoint: LocalBigQuery) -> None:
    port = int(bigquery_endpoint.address.rsplit(":", 1)[1])
    assert f"port {port} cannot be used" in refusal(start(port, tmp_path))


def test_data_in_use_is_said_plainly(tmp_path: Path) -> None:
    with server.running(tmp_path):
        assert "cannot be opened" in refusal(start(serving.free_port(), tmp_path))


def test_a_patch_that_does_not_exist_is_said_plainly(tmp_path: Path) -> None:
    assert "names no patch: nothing" in refusal(start(serving.free_port(), tmp_path, skip="nothing"))


def test_another_version_is_said_plainly(tmp_path: Path) -> None:
    code = (
        "import sys, sandbox.bigquery.__main__ as launcher;"
        "launcher.WRITTEN_FOR = {'duckdb': '0.0.1'};"
        f"sys.argv = ['', '--port', '{serving.free_port()}', '--data', {str(tmp_path)!r}];"
        "sys.exit(launcher.main())"
    )
    ended = subprocess.run(
        [serving.PYTHON, "-c", code],
        cwd=serving.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "the patches are for duckdb 0.0.1" in refusal(ended)
