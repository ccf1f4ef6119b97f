"""A statement reads and writes the server's data folder alone, even of a client that has the token."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from reporting.local import bigquery as server
from reporting.local import serving
from reporting.local.bigquery import LocalBigQuery
from reporting.settings import read_settings
from reporting.warehouse.client import connect

SECRET = "what the owner alone may read"


@dataclass
class Machine:
    """A server, and a folder beside its data, which is not its business."""

    local: LocalBigQuery
    client: bigquery.Client
    data: Path
    outside: Path

    def query(self, sql: str, project: str | None = None) -> list[tuple[object, ...]]:
        job = self.client.query(sql, project=project, job_retry=None)
        return [tuple(row.values()) for row in job.result(job_retry=None)]


def served(folder: Path, skip: tuple[str, ...] = ()) -> Iterator[Machine]:
    data, outside = folder / "bigquery", folder / "outside"
    outside.mkdir()
    secret = outside / "secret.txt"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    with server.running(data, skip=skip) as local:
        client = connect(read_settings(local.variables))
        client.create_dataset("kept", exists_ok=True)
        yield Machine(local, client, data / "data", outside)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    yield from served(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module")
def unconfined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    yield from served(tmp_path_factory.mktemp("unconfined"), skip=("confinement", "own_language"))


READS = {
    "text": "SELECT content FROM read_text('{path}')",
    "blob": "SELECT content FROM read_blob('{path}')",
    "csv": "SELECT * FROM read_csv('{path}')",
    "by a way around": "SELECT content FROM read_text('{data}/../../outside/secret.txt')",
    "a list of files": "SELECT file FROM glob('{outside}/*')",
}
WRITES = {
    "a path": "EXPORT DATA OPTIONS (uri = '{outside}/made.py', format = 'CSV') AS SELECT 'import os' AS line",
    "a file address": "EXPORT DATA OPTIONS (uri = 'file://{outside}/made.pth', format = 'CSV') AS SELECT 1 AS line",
    "a way around": "EXPORT DATA OPTIONS (uri = 'gs://../../../outside/made.csv', format = 'CSV') AS SELECT 1 AS n",
    "Avro": "EXPORT DATA OPTIONS (uri = '{outside}/made.avro', format = 'AVRO', compression = 'SNAPPY') AS SELECT 1 AS n",
    "a folder": "EXPORT DATA OPTIONS (uri = '{outside}/made/here.csv', format = 'CSV') AS SELECT 1 AS n",
}


def statement(machine: Machine, sql: str) -> str:
    return sql.format(path=machine.outside / "secret.txt", outside=machine.outside, data=machine.data)


@pytest.mark.parametrize("way", READS)
def test_no_statement_reads_a_file_outside(machine: Machine, way: str) -> None:
    with pytest.raises(GoogleAPICallError) as refused:
        machine.query(statement(machine, READS[way]))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("way", WRITES)
def test_no_statement_writes_a_file_outside(machine: Machine, way: str) -> None:
    with pytest.raises(GoogleAPICallError):
        machine.query(statement(machine, WRITES[way]))
    assert [each.name for each in machine.outside.iterdir()] == ["secret.txt"]


def test_without_the_patch_it_would(unconfined: Machine) -> None:
    """Else the tests above would pass for another reason."""
    assert unconfined.query(statement(unconfined, READS["text"])) == [(SECRET,)]
    unconfined.query(statement(unconfined, WRITES["a path"]))
    assert "import os" in (unconfined.outside / "made.py").read_text()


@pytest.mark.parametrize(
    "uri", ["file://{outside}/secret.txt", "{outside}/secret.txt", "gs://../../../outside/secret.txt"]
)
def test_no_load_reads_a_file_outside(machine: Machine, uri: str) -> None:
    job = machine.client.load_table_from_uri(
        uri.format(outside=machine.outside),
        "local.kept.stolen",
        job_config=bigquery.LoadJobConfig(schema=[bigquery.SchemaField("line", "STRING")]),
    )
    with pytest.raises(GoogleAPICallError):
        job.result()
    assert list(machine.client.list_tables("kept")) == []


@pytest.mark.parametrize("sql", ["SELECT * FROM EXTERNAL_QUERY('us.default', 'SELECT 1')"])
def test_no_statement_loads_an_extension(machine: Machine, sql: str) -> None:
    with pytest.raises(GoogleAPICallError):
        machine.query(sql)


@pytest.mark.parametrize(
    "project", ["../../outside/made", "x' AS y; COPY (SELECT 1) TO '{outside}/made", "a/b", "A b", ""]
)
def test_no_name_of_a_project_becomes_a_path(machine: Machine, project: str) -> None:
    """A query's default dataset names its project in the body, where no address is checked."""
    body = {
        "query": "SELECT 1",
        "useLegacySql": False,
        "defaultDataset": {"projectId": project.format(outside=machine.outside), "datasetId": "kept"},
    }
    answer = httpx.post(
        f"{machine.local.address}/bigquery/v2/projects/local/queries",
        json=body,
        headers={"Authorization": f"Bearer {machine.local.token}"},
        timeout=600,
    )
    # Without a name it is the one of the address.
    assert answer.status_code == (200 if project == "" else 400)
    assert [each.name for each in machine.outside.iterdir()] == ["secret.txt"]


# DuckDB's own language, which is none of BigQuery's.
FOREIGN = {
    "copy": "COPY (SELECT 1 AS n) TO '{data}/made.csv'",
    "copy of a catalog": "COPY (SELECT FROM_BASE64('AA==') AS b) TO '{data}/made.ducklake' (FORMAT blob)",
    "pragma": "PRAGMA database_list",
    "use": "USE emulator",
    "secret": "CREATE SECRET s (TYPE s3)",
    "call": "CALL enable_logging(storage = 'file', storage_path = '{outside}/logs')",
    "logging": "SELECT * FROM enable_logging(storage = 'file', storage_path = '{outside}/logs')",
    "query": "SELECT * FROM query('SELECT 1')",
    "query of a table": "SELECT * FROM query_table('emulator.jobs')",
    "addresses of memory": "SELECT * FROM pandas_scan(NULL)",
    "as text": "SELECT * FROM json_execute_serialized_sql('{{}}')",
    "by a schema": "SELECT * FROM main.read_text('{outside}/secret.txt')",
    "quoted": "SELECT * FROM `read_text`('{outside}/secret.txt')",
    "in an option": "CREATE TABLE kept.t (n INT64) OPTIONS (description = (SELECT content FROM read_text('{outside}/secret.txt')))",
    "in a view": "CREATE VIEW kept.v AS SELECT * FROM glob('{outside}/*')",
    "in a script": "DECLARE s STRING; SET s = (SELECT content FROM read_text('{outside}/secret.txt')); SELECT s",
    "in a join": "SELECT 1 FROM UNNEST([1]) AS n JOIN read_text('{outside}/secret.txt') AS t ON TRUE",
    "a catalog": "SELECT * FROM `__ducklake_metadata_local`.main.ducklake_table",
    "the server's own tables": "SELECT * FROM emulator.main.jobs",
    "a raw option": (
        "EXPORT DATA OPTIONS (uri = 'gs://b/i.csv', format = 'CSV', "
        "compression = \"none); COPY (SELECT 1) TO '{data}/made2.csv' (HEADER false\") AS SELECT 1 AS n"
    ),
}


@pytest.mark.parametrize("way", FOREIGN)
def test_no_statement_speaks_duckdbs_own_language(machine: Machine, way: str) -> None:
    before = sorted(each.name for each in machine.data.iterdir())
    with pytest.raises(GoogleAPICallError) as refused:
        machine.query(statement(machine, FOREIGN[way]))
    assert SECRET not in str(refused.value)
    assert sorted(each.name for each in machine.data.iterdir()) == before
    assert [each.name for each in machine.outside.iterdir()] == ["secret.txt"]
    # The server is well.
    assert machine.query("SELECT 1 AS n") == [(1,)]


@pytest.mark.parametrize("project", ["__ducklake_metadata_local", "emulator", "bq", "system"])
def test_no_job_writes_into_what_is_the_servers_own(machine: Machine, project: str) -> None:
    config = bigquery.QueryJobConfig(destination=f"{project}.main.ducklake_files_scheduled_for_deletion")
    with pytest.raises(GoogleAPICallError):
        machine.client.query("SELECT 1 AS n", job_config=config, job_retry=None).result(job_retry=None)
    with pytest.raises(GoogleAPICallError):
        machine.query("SELECT 1 AS n", project=project)


def test_another_project_is_another_lake(machine: Machine) -> None:
    """What is attached while it runs is confined, too."""
    machine.query("CREATE SCHEMA IF NOT EXISTS made", project="other-project")
    machine.query("CREATE TABLE made.t AS SELECT 5 AS n", project="other-project")
    assert machine.query("SELECT n FROM `other-project`.made.t") == [(5,)]


def test_the_next_start_stays_in_the_folder_whatever_a_catalog_names(tmp_path: Path) -> None:
    """Whoever could write into a lake's catalog would have compaction delete what it names."""
    outside = tmp_path / "precious.txt"
    outside.write_text("precious")
    folder = tmp_path / "bigquery"
    with server.running(folder) as local:
        client = connect(read_settings(local.variables))
        client.create_dataset("kept")
        client.query_and_wait("CREATE SCHEMA made", project="other-project")
        for number in range(3):
            client.query_and_wait(f"CREATE OR REPLACE TABLE kept.t AS SELECT {number} AS n")
    forge = (
        "import sys; from pathlib import Path; from sandbox.bigquery.confined import connect;"
        "c = connect(Path(sys.argv[1]) / 'data'); c.execute(f\"ATTACH '{sys.argv[1]}/data/local.ducklake' AS c\");"
        "c.execute('INSERT INTO c.ducklake_files_scheduled_for_deletion VALUES (999, ?, false, now())', [sys.argv[2]])"
    )
    subprocess.run(
        [serving.PYTHON, "-c", forge, str(folder), str(outside)],
        cwd=serving.ROOT,
        env={"HOME": str(folder / "home")},
        check=True,
        timeout=600,
    )
    with server.running(folder) as local:
        client = connect(read_settings(local.variables))
        assert [tuple(row.values()) for row in client.query_and_wait("SELECT n FROM kept.t")] == [(2,)]
        # Every lake is attached again.
        assert "made" in {each.dataset_id for each in client.list_datasets("other-project")}
    assert outside.read_text() == "precious"
    assert "Not compacted" in (folder / "server.log").read_text()


def test_a_bucket_is_a_folder_of_the_data(machine: Machine) -> None:
    machine.query("EXPORT DATA OPTIONS (uri = 'gs://bucket/n.csv', format = 'CSV') AS SELECT 7 AS n")
    assert (machine.data / "gcs" / "bucket" / "n.csv").read_text() == "n\n7\n"


def test_what_it_keeps_is_for_its_user_alone(machine: Machine) -> None:
    kept = [machine.data.parent, *machine.data.parent.rglob("*")]
    assert {path.name: oct(path.stat().st_mode) for path in kept if path.stat().st_mode & 0o077} == {}
    assert (machine.data.parent / "token").stat().st_mode & 0o777 == 0o600
