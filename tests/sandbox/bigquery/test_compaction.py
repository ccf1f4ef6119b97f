"""Compaction makes the folder small and keeps every row, even when killed."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from sandbox.bigquery import server

ClientOf = Callable[[str], bigquery.Client]
ROWS = 20


def rows(client: bigquery.Client) -> list[tuple[int, int]]:
    return [tuple(row.values()) for row in client.query("SELECT id, n FROM patches.t ORDER BY id").result()]


def fill(client: bigquery.Client) -> list[tuple[int, int]]:
    """Write in many statements of each kind, and return the rows that must stay."""
    client.query("CREATE TABLE patches.t (id INT64, n INT64)").result()
    for number in range(ROWS):
        client.query(f"INSERT INTO patches.t (id, n) VALUES ({number}, 0)").result()
    for number in range(0, ROWS, 4):
        client.query(
            f"MERGE patches.t T USING (SELECT {number} AS id UNION ALL SELECT {number + ROWS}) S ON T.id = S.id "
            "WHEN MATCHED THEN UPDATE SET n = T.n + 1 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (S.id, 7)"
        ).result()
    client.query("DELETE FROM patches.t WHERE id = 1").result()
    client.query("UPDATE patches.t SET n = 9 WHERE id = 2").result()
    return rows(client)


def parquet_files(data: Path) -> int:
    return sum(1 for _ in data.rglob("*.parquet"))


def compaction(data: Path, arguments: str = "") -> subprocess.Popen[bytes]:
    """Compaction by itself, in a process of its own."""
    code = (
        "from datetime import timedelta; from pathlib import Path; from sandbox.bigquery.compaction import compact;"
        f"compact(Path({str(data / 'data')!r}) {arguments})"
    )
    return subprocess.Popen(
        [server.PYTHON, "-c", code], cwd=server.ROOT, env=os.environ | {"HOME": str(data / "home")}
    )


ALL_EXPIRED = ", timedelta(0), timedelta(0), 0"


def test_rows_survive_a_restart_in_fewer_files(tmp_path: Path, client_of: ClientOf) -> None:
    with server.running(tmp_path) as address:
        expected = fill(client_of(address))
    before = parquet_files(tmp_path)
    with server.running(tmp_path) as address:
        client = client_of(address)
        assert rows(client) == expected
        assert parquet_files(tmp_path) < before
        client.query("INSERT INTO patches.t (id, n) VALUES (100, 1)").result()
        assert rows(client) == [*expected, (100, 1)]


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


def test_no_row_is_lost_when_compaction_is_killed(tmp_path: Path, client_of: ClientOf) -> None:
    with server.running(tmp_path) as address:
        expected = fill(client_of(address))
    killed = 0
    # Compaction takes some 0.5 s: these moments lie all over it.
    for tenths in range(1, 9):
        process = compaction(tmp_path, ALL_EXPIRED)
        try:
            process.wait(tenths / 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    assert killed
    assert compaction(tmp_path, ALL_EXPIRED).wait(60) == 0
    with server.running(tmp_path) as address:
        assert rows(client_of(address)) == expected
