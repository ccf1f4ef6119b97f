"""Measures the effect of compaction: `python -m sandbox.bigquery.measure [STATEMENTS]`. Uses the standard library only."""

import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from reporting.local.bigquery import LocalBigQuery, running

REPEATS = 15
QUERY = "SELECT COUNT(*) AS rows, SUM(n) AS total FROM measure.target"


def main(statements: int) -> None:
    """Run so many statements (MERGE, INSERT and SELECT in turn), and print the times before and after a restart."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with running(data) as server:
            run(server, "CREATE SCHEMA measure")
            run(server, "CREATE TABLE measure.target (id INT64, n INT64)")
            report("empty", server, data)
            began = time.perf_counter()
            for number in range(statements):
                run(server, statement(number))
            print(f"{statements} statements: {time.perf_counter() - began:.0f} s", flush=True)
            before = report("before the restart", server, data)
        began = time.perf_counter()
        with running(data) as server:
            print(f"restart with compaction: {time.perf_counter() - began:.1f} s")
            after = report("after the restart", server, data)
        if before != after:
            raise SystemExit(f"rows differ: {before} before, {after} after")


def statement(number: int) -> str:
    """A MERGE that changes one row and adds one, an INSERT of a row, or a SELECT. Each leaves other kinds of files."""
    if number % 3 == 2:
        return QUERY
    if number % 3 == 1:
        return f"INSERT INTO measure.target (id, n) VALUES ({number}, {number})"
    source = f"SELECT * FROM UNNEST([{number}, {number - 2}]) AS id"
    return (
        f"MERGE measure.target T USING ({source}) S ON T.id = S.id "
        "WHEN MATCHED THEN UPDATE SET n = T.n + 1 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (S.id, 0)"
    )


def run(server: LocalBigQuery, sql: str) -> list[list[str]]:
    """Run a statement and return its rows."""
    body = json.dumps({"query": sql, "useLegacySql": False, "timeoutMs": 60_000}).encode()
    request = urllib.request.Request(  # noqa: S310
        f"{server.address}/bigquery/v2/projects/local/queries",
        body,
        {"Content-Type": "application/json", "Authorization": f"Bearer {server.token}"},
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        answer = json.load(response)
    return [[field["v"] for field in row["f"]] for row in answer.get("rows", [])]


def report(moment: str, server: LocalBigQuery, data: Path) -> list[list[str]]:
    """Print the times of two statements and the number of files, and return the rows of the second statement."""
    times = {}
    for name, sql in (("SELECT 1", "SELECT 1 AS one"), ("query", QUERY)):
        spans = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            rows = run(server, sql)
            spans.append(time.perf_counter() - began)
        times[name] = sorted(spans)[REPEATS // 2] * 1000
    files = sum(1 for _ in data.rglob("*.parquet"))
    print(
        f"{moment}: SELECT 1 {times['SELECT 1']:.0f} ms, query {times['query']:.0f} ms, {files} files",
        flush=True,
    )
    return rows


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
