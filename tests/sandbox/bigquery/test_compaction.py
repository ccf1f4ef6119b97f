"""Compaction makes the folder small and keeps every row, even when killed."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.local import bigquery as server
from reporting.local import serving

ClientOf = Callable[[str], bigquery.Client]
ROWS = 20
MOMENTS = 10


def rows(client: bigquery.Client) -> list[tuple[int, int]]:
    return [tuple(row.values()) for row in client.query_and_wait("SELECT id, n FROM patches.t ORDER BY id")]


def fill(client: bigquery.Client) -> list[tuple[int, int]]:
    """Write in many statements of each kind, and return the rows that must stay."""
    client.query_and_wait("CREATE TABLE patches.t (id INT64, n INT64)")
    for number in range(ROWS):
        client.query_and_wait(f"INSERT INTO patches.t (id, n) VALUES ({number}, 0)")
    for number in range(0, ROWS, 4):
        client.query_and_wait(
            f"MERGE patches.t T USING (SELECT {number} AS id UNION ALL SELECT {number + ROWS}) S ON T.id = S.id "
            "WHEN MATCHED THEN UPDATE SET n = T.n + 1 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (S.id, 7)"
        )
    client.query_and_wait("DELETE FROM patches.t WHERE id = 1")
    client.query_and_wait("UPDATE patches.t SET n = 9 WHERE id = 2")
    return rows(client)


def parquet_files(data: Path) -> int:
    return sum(1 for _ in data.rglob("*.parquet"))


def compaction(
    data: Path, arguments: str = "", before: str = "", read: bool = False
) -> subprocess.Popen[bytes]:
    """Compaction in a process of its own, after the code `before`; `read` has it print the rows afterwards."""
    code = (
        "from datetime import timedelta; from pathlib import Path; from sandbox.bigquery.compaction import compact;"
        f"data = Path({str(data / 'data')!r}); {before} compact(data {arguments});"
    )
    if read:
        code += READ
    return subprocess.Popen(
        [serving.PYTHON, "-c", code],
        cwd=serving.ROOT,
        env=os.environ | {"HOME": str(data / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


READ = """
import duckdb, json
lake = duckdb.connect()
lake.execute(f"ATTACH 'ducklake:{data}/local.ducklake' AS lake")
print(json.dumps(lake.execute("SELECT id, n FROM lake.patches.t ORDER BY id").fetchall()))
"""
NO_CLEAN_UP = "import sandbox.bigquery.compaction as c; c._clean_up = lambda connection: None;"
ALL_EXPIRED = ", timedelta(0), timedelta(0), 0"


def test_rows_survive_a_restart_in_fewer_files(tmp_path: Path, client_of: ClientOf) -> None:
    with server.running(tmp_path) as address:
        expected = fill(client_of(address))
    before = parquet_files(tmp_path)
    with server.running(tmp_path) as address:
        client = client_of(address)
        assert rows(client) == expected
        assert parquet_files(tmp_path) < before
        client.query_and_wait("INSERT INTO patches.t (id, n) VALUES (100, 1)")
        assert rows(client) == [*expected, (100, 1)]


def test_a_folder_that_was_moved_has_every_row(tmp_path: Path, client_of: ClientOf) -> None:
    with server.running(tmp_path / "before") as address:
        expected = fill(client_of(address))
    (tmp_path / "before").rename(tmp_path / "moved")
    with server.running(tmp_path / "moved") as address:
        client = client_of(address)
        assert rows(client) == expected
        client.query_and_wait("INSERT INTO patches.t (id, n) VALUES (1000, 1)")
        assert rows(client) == [*expected, (1000, 1)]
    assert not (tmp_path / "before").exists()


def test_values_of_every_type_survive(tmp_path: Path, client_of: ClientOf) -> None:
    def read(client: bigquery.Client) -> list[tuple]:
        sql = "SELECT * REPLACE (TO_JSON_STRING(j) AS j) FROM patches.typed ORDER BY id"
        return [tuple(row.values()) for row in client.query_and_wait(sql)]

    with server.running(tmp_path) as address:
        client = client_of(address)
        client.query_and_wait(
            "CREATE TABLE patches.typed (id INT64 NOT NULL, s STRING, j JSON, a ARRAY<STRING>, "
            "r STRUCT<x STRING, y STRUCT<z FLOAT64>>, m NUMERIC, t TIMESTAMP, d DATE, b BYTES) "
            "PARTITION BY DATE(t) CLUSTER BY id"
        )
        for number in range(6):
            client.query_and_wait(
                f"INSERT INTO patches.typed (id, s, j, a, r, m, t, d, b) VALUES ({number}, 'é😀', "
                f"JSON '{{\"k\": [{number}, null]}}', ['x', 'y'], "
                f"STRUCT('p' AS x, STRUCT({number}.5 AS z) AS y), NUMERIC '0.000000001', "
                f"TIMESTAMP '2026-01-0{number + 1} 00:00:00.123456+00', DATE '2026-01-01', b'\\x00\\xff'), "
                f"({number + 10}, NULL, NULL, [], NULL, NULL, NULL, NULL, NULL)"
            )
            if number == 2:
                client.query_and_wait("ALTER TABLE patches.typed ADD COLUMN later STRING")
                client.query_and_wait("UPDATE patches.typed SET later = 'l' WHERE id < 2")
            if number == 5:
                client.query_and_wait("ALTER TABLE patches.typed DROP COLUMN d")
        expected, schema = read(client), client.get_table("patches.typed").schema
    assert compaction(tmp_path, ALL_EXPIRED).wait(60) == 0
    with server.running(tmp_path) as address:
        client = client_of(address)
        assert read(client) == expected
        assert client.get_table("patches.typed").schema == schema


def test_everything_old_expires(tmp_path: Path, client_of: ClientOf) -> None:
    with server.running(tmp_path) as address:
        client = client_of(address)
        expected = fill(client)
        job = client.query("SELECT 1")
        job.result()
    assert compaction(tmp_path, ALL_EXPIRED).wait(60) == 0
    assert parquet_files(tmp_path) <= 2
    with server.running(tmp_path) as address:
        client = client_of(address)
        with pytest.raises(NotFound):
            client.get_job(job.job_id)
        assert rows(client) == expected


@pytest.mark.heavy
def test_no_row_is_lost_when_compaction_is_killed(tmp_path: Path, client_of: ClientOf) -> None:
    with server.running(tmp_path) as address:
        expected = fill(client_of(address))
    untouched = shutil.copytree(tmp_path / "data", tmp_path / "untouched")
    began = time.perf_counter()
    assert compaction(tmp_path, ALL_EXPIRED).wait(60) == 0
    span = time.perf_counter() - began
    killed = attempts = 0
    while attempts < MOMENTS or (killed <= MOMENTS // 2 and attempts < 4 * MOMENTS):
        moment = attempts % MOMENTS + 1
        attempts += 1
        shutil.rmtree(tmp_path / "data")
        shutil.copytree(untouched, tmp_path / "data")
        process = compaction(tmp_path, ALL_EXPIRED)
        try:
            process.wait(span * moment / (MOMENTS + 1))
        except subprocess.TimeoutExpired:
            process.kill()
            killed += process.wait() < 0
        else:
            # It was quicker than before, which the machine decides: the next ones are met earlier.
            span *= 0.8
        # As the next start does: after it, the rows are there.
        again = compaction(tmp_path, ALL_EXPIRED, read=True)
        assert json.loads(again.communicate(timeout=600)[0]) == [list(row) for row in expected]
        assert again.returncode == 0
    assert killed > MOMENTS // 2


def test_files_that_a_killed_clean_up_deleted_do_no_harm(tmp_path: Path, client_of: ClientOf) -> None:
    with server.running(tmp_path) as address:
        expected = fill(client_of(address))
    originals = set(tmp_path.glob("data/**/*.parquet"))
    # All is merged and expired, and of the files to be deleted one is gone.
    uncleaned = compaction(tmp_path, ALL_EXPIRED, before=NO_CLEAN_UP)
    assert uncleaned.wait(60) == 0
    originals.pop().unlink()
    again = compaction(tmp_path, ALL_EXPIRED, read=True)
    output, complaints = again.communicate(timeout=600)
    assert json.loads(output) == [list(row) for row in expected]
    assert complaints == b""
    assert parquet_files(tmp_path / "data") <= 2
