"""Each patch, and that it is needed still: its behaviour is absent from a server without it."""

import gzip
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError
from google.cloud import bigquery

from reporting.local import bigquery as server
from reporting.local import serving
from reporting.local.bigquery import LocalBigQuery
from reporting.settings import read_settings
from reporting.warehouse.client import connect

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
        timeout=600,
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
        timeout=600,
    )
    pairs = json.loads(done.stdout.splitlines()[-1])
    assert [name for name, *_ in pairs[0][0]] == ["again", "daily", "kept", "renamed", "view"]
    assert pairs[2][0]
    assert pairs[-2][0] == [False, True, False]
    assert pairs[-1][0][0] == [["n", "REQUIRED"], ["m", "NULLABLE"], ["o", "REQUIRED"]]
    for described, looked_up in pairs:
        assert described == looked_up


COUNTED = """
import json
import sys
from pathlib import Path

from local_bigquery.settings import settings

from sandbox.bigquery.patches import extensions

settings.data_dir = Path(sys.argv[1])
extensions.apply()

from local_bigquery.engine import database

counts = "SELECT table_name, record_count FROM {0}.ducklake_table LEFT JOIN {0}.ducklake_table_stats USING (table_id)"
found = database.fetch(counts.format("__ducklake_metadata_local") + " WHERE end_snapshot IS NULL")
print(json.dumps(sorted(found)))
"""


def test_a_table_that_never_had_a_row_has_a_count(tmp_path: Path) -> None:
    with server.running(tmp_path) as local:
        client = connect(read_settings(local.variables))
        client.create_dataset("counted")
        query(client, "CREATE TABLE counted.empty (n INT64, m STRING)")
        query(client, "CREATE OR REPLACE TABLE counted.filled (n INT64, m STRING)")
        query(client, "CREATE OR REPLACE TABLE counted.selected AS SELECT 1 AS n LIMIT 0")
        client.create_table(bigquery.Table("local.counted.by_api", [bigquery.SchemaField("n", "INT64")]))
        query(client, "CREATE TABLE IF NOT EXISTS counted.by_api (n INT64)")
        query(client, "INSERT INTO counted.filled (n, m) VALUES (7, 'x'), (NULL, NULL)")
        query(client, "ALTER TABLE counted.filled ADD COLUMN k INT64")
        query(client, "INSERT INTO counted.filled (n, k) VALUES (8, 9)")
        # What is counted as empty is found whole, and what is not there is not found.
        assert query(client, "SELECT n FROM counted.filled WHERE m IS NULL ORDER BY n") == [(None,), (8,)]
        assert query(client, "SELECT n, k FROM counted.filled WHERE n > 7") == [(8, 9)]
        assert query(client, "SELECT COUNT(*) FROM counted.filled WHERE k IS NULL") == [(2,)]
        assert query(client, "SELECT MIN(n), MAX(n), MAX(k) FROM counted.filled") == [(7, 8, 9)]
    done = subprocess.run(
        [serving.PYTHON, "-c", COUNTED, str(tmp_path / "data")],
        cwd=serving.ROOT,
        env={"HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [
        ["by_api", 0],
        ["empty", 0],
        ["filled", 3],
        ["selected", 0],
    ]


KNOWN = """
import json, sys
from pathlib import Path
from local_bigquery.settings import settings
from sandbox.bigquery.patches import catalog_lookup, extensions

settings.data_dir = Path(sys.argv[1])
extensions.apply()
catalog_lookup.apply()

from local_bigquery.catalog import datasets, metadata, row_access, tables
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.models import Dataset, RowAccessPolicy, Table

TABLES = [("one", "kept"), ("one", "view"), ("one", "above"), ("one", "Mixed"), ("one", 'odd"name'), ("two", "kept")]
asked = 0
real = {"columns": tables.columns, "objects": database.objects, "fetch": database.fetch, "notes": metadata.fetch}


def counted(function):
    def ask(*arguments):
        global asked
        asked += 1
        return function(*arguments)

    return ask


tables.columns, database.objects = counted(tables.columns), counted(database.objects)
database.fetch, metadata.fetch = counted(database.fetch), counted(metadata.fetch)
row_access.fetch = metadata.fetch
if len(sys.argv) > 2:
    from sandbox.bigquery.patches import known_catalog

    known_catalog.apply()
    # What a change has overtaken is not kept.
    memory = known_catalog.Memory()
    assert memory.answer("asked", lambda: memory.forget() or "before") == "before"
    assert memory.answer("asked", lambda: "after") == "after" == memory.answer("asked", lambda: "kept")


def look(columns, objects, fetch):
    # Each as the server asks it, whatever it then says.
    def of(question, *name):
        try:
            return question(*name)
        except (BigQueryError, Exception) as error:
            return type(error).__name__

    schemas = "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?"
    found = [[(field.name, field.type) for field in said] if isinstance(said, list) else said
             for said in (of(columns, "local", *name) for name in TABLES)]
    found += [of(objects, "local", *name) for name in TABLES] + [of(objects, "local", name) for name in ("one", "two")]
    return found + [of(fetch, schemas, ["local", name]) for name in ("one", "two", "three")]


def notes():
    found = [metadata.load(Table, "local", *name) for name in TABLES] + metadata.list_(Table, "local", "one")
    found += metadata.list_(Dataset, "local") + metadata.list_(RowAccessPolicy, "local", "one", "kept")
    return [each and each.dump() for each in found] + [sorted(row_access.secured())]


def fresh_notes():
    kept = metadata.fetch, row_access.fetch
    metadata.fetch = row_access.fetch = real["notes"]
    try:
        return notes()
    finally:
        metadata.fetch, row_access.fetch = kept


def noted(resource, *keys):
    return lambda: metadata.save(resource, "local", *keys)


REPLACE = "CREATE OR REPLACE TABLE local.one.kept AS SELECT "
changes = [
    "CREATE SCHEMA local.one",
    "CREATE SCHEMA local.two",
    "CREATE TABLE local.one.kept (n BIGINT, m VARCHAR)",
    "CREATE TABLE IF NOT EXISTS local.one.kept (z BIGINT)",
    "CREATE VIEW local.one.view AS SELECT * FROM local.one.kept",
    'CREATE OR REPLACE VIEW local.one.above AS SELECT * FROM "local"."one"."view"',
    "SELECT * FROM local.one.above",
    "INSERT INTO local.one.kept VALUES (1, 'a'), (2, 'b')",
    "DELETE FROM local.one.kept WHERE n = 1",
    REPLACE + "1::BIGINT AS n, 'x' AS m",
    REPLACE + "1::BIGINT AS n, 'x' AS m, 1.5::DOUBLE AS o",
    REPLACE + "'text' AS n",
    "ALTER TABLE local.one.kept ADD COLUMN added VARCHAR",
    "ALTER TABLE local.one.kept RENAME COLUMN added TO renamed",
    "CREATE TABLE local.one.Mixed AS SELECT 1 AS a",
    'CREATE OR REPLACE TABLE "local"."one"."mixed" AS SELECT 1 AS b',
    'CREATE TABLE "local"."one"."odd""name" AS SELECT 1 AS a',
    'CREATE OR REPLACE TABLE "local"."one"."odd""name" AS SELECT 1 AS a, 2 AS b',
    "CREATE OR REPLACE TABLE local.one.kept AS SELECT error('fails') AS never",
    ["BEGIN", REPLACE + "1 AS taken_back", "ROLLBACK"],
    ["BEGIN", REPLACE + "1 AS committed", "COMMIT"],
    "CREATE TABLE local.two.kept AS SELECT 1 AS a",
    "DROP TABLE local.two.kept",
    "DROP VIEW local.one.view",
    "CREATE OR REPLACE VIEW local.one.view AS SELECT 'again' AS again",
    "DROP SCHEMA local.two CASCADE",
    noted(Dataset(id="one"), "one"),
    noted(Table(description="first"), "one", "kept"),
    noted(Table(description="second"), "one", "kept"),
    noted(Table(description="another"), "one", "Mixed"),
    noted(RowAccessPolicy(filterPredicate="n = 1"), "one", "kept", "policy"),
    lambda: metadata.delete(Table, "local", "one", "kept"),
    lambda: metadata.delete(RowAccessPolicy, "local", "one"),
    lambda: metadata.delete(Dataset, "local", "one"),
]
for change in changes:
    # What is known before is what the change must do away with.
    look(tables.columns, database.objects, database.fetch), notes()
    if callable(change):
        change()
    with database.cursor() as cursor:
        for statement in [change] if isinstance(change, str) else change if isinstance(change, list) else []:
            try:
                cursor.execute(statement)
            except Exception as error:
                assert "fails" in str(error), error
    known = look(tables.columns, database.objects, database.fetch), notes()
    assert known == (look(real["columns"], real["objects"], real["fetch"]), fresh_notes()), (change, known)
asked = 0
for _ in range(5):
    look(tables.columns, database.objects, database.fetch), notes()
    with database.cursor() as cursor:
        cursor.sql("SELECT 1").fetchall()
print(asked)
"""


@pytest.mark.parametrize(("patch", "is_kept"), [((), False), (("patched",), True)])
def test_what_the_catalogue_says_is_asked_again_only_after_a_change(
    tmp_path: Path, patch: tuple[str, ...], is_kept: bool
) -> None:
    """After each change, what is kept is what the catalogue says."""
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [serving.PYTHON, "-c", KNOWN, str(tmp_path / "data"), *patch],
        cwd=serving.ROOT,
        env={"HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    # Five looks; a table that is not there is looked for each time.
    assert (int(done.stdout.splitlines()[-1]) == 5) == is_kept


LOOKED_FOR = """
import sys
import duckdb
from sandbox.bigquery.patches import absent_pandas

if len(sys.argv) > 1:
    absent_pandas.apply()
looked_for = []


class Finder:
    def find_spec(name, path, target=None):
        looked_for.append(name)


sys.meta_path.insert(0, Finder)
assert duckdb.connect().execute("SELECT ?", [1]).fetchall() == [(1,)]
print("pandas" in looked_for)
"""


@pytest.mark.parametrize(("patch", "is_looked_for"), [((), "True"), (("patched",), "False")])
def test_pandas_is_looked_for_once(patch: tuple[str, ...], is_looked_for: str) -> None:
    done = subprocess.run(
        [serving.PYTHON, "-c", LOOKED_FOR, *patch],
        cwd=serving.ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert done.stdout.split() == [is_looked_for]


def test_a_job_that_has_not_ended_is_found_and_listed(patched: bigquery.Client) -> None:
    """Of a job that has not ended nothing is on the disk."""
    # Some ten seconds of work, which is ended as soon as it was seen.
    job = patched.query(
        "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 100000)) a, UNNEST(GENERATE_ARRAY(1, 100000)) b WHERE MOD(a * b, 7) = 1"
    )
    try:
        assert patched.get_job(job.job_id).state == "RUNNING"
        assert job.job_id in {each.job_id for each in patched.list_jobs(state_filter="running")}
        assert job.job_id not in {each.job_id for each in patched.list_jobs(state_filter="done")}
        with pytest.raises(Conflict):
            patched.query("SELECT 1", job_id=job.job_id, job_retry=None)
    finally:
        patched.cancel_job(job.job_id)
    with pytest.raises(GoogleAPICallError):
        job.result(job_retry=None)
    ended = patched.query("SELECT 1")
    ended.result()
    assert {job.job_id, ended.job_id} <= {each.job_id for each in patched.list_jobs(state_filter="done")}
    assert patched.get_job(ended.job_id).state == "DONE"


PARSED = """
import json
import sys
from pathlib import Path

from local_bigquery.engine import database
from local_bigquery.settings import settings
from local_bigquery.sql import native

from sandbox.bigquery.patches import ALL

settings.data_dir = Path(sys.argv[1])
exact, *rest = native.FUNCTIONS["_json_exact"]
asked = []


def asking(text: str) -> bool:
    asked.append(text)
    return exact(text)


native.FUNCTIONS["_json_exact"] = (asking, *rest)
for name in sys.argv[2:]:
    ALL[name]()
cursor = database._connect()
texts = json.load(sys.stdin)
answers = []
for text in texts:
    try:
        # DuckDB would work a constant out once and for all.
        found = cursor.execute("SELECT bq.main.parse_json(s) FROM (SELECT unnest($1) AS s)", [[text, None]]).fetchall()
        answers.append([value for value, in found])
    except Exception as error:
        answers.append(str(error).splitlines()[0])
asked.clear()
sound = [text for text, answer in zip(texts, answers) if isinstance(answer, list)]
cursor.execute("SELECT bq.main.parse_json(s) FROM (SELECT unnest($1) AS s)", [sound]).fetchall()
print(json.dumps([answers, sorted(set(asked))]))
"""


def test_python_is_asked_only_where_a_number_may_be_too_long(tmp_path: Path) -> None:
    lengths = [str(10**length - 1) for length in (1, 15, 16, 17, 18, 19, 20, 21)]
    edges = [str(2**63 - 1), str(-(2**63)), str(-(2**63) - 1), str(2**64 - 1), str(2**64)]
    numbers = [*lengths, *edges, "0.1234567890123456789012", "1e400", "-0", "1.5e3"]
    texts = [
        *numbers,
        *(f'{{"a": [1, {number}], "b": "{number}"}}' for number in numbers),
        *(f'"{number}"' for number in numbers),
        *(
            "null",
            '""',
            "{}",
            "[]",
            '"é\\u00e9"',
            "not json",
            "",
            "{",
            f"{'[' * 50}{']' * 50}",
            '{"a": 1, "a": 2}',
        ),
    ]

    (tmp_path / "home").mkdir()

    def parse(folder: str, *patches: str) -> tuple[list[object], list[str]]:
        (tmp_path / folder).mkdir()
        done = subprocess.run(
            [serving.PYTHON, "-c", PARSED, str(tmp_path / folder), "extensions", *patches],
            cwd=serving.ROOT,
            env={"HOME": str(tmp_path / "home")},
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
        answers, asked = json.loads(done.stdout.splitlines()[-1])
        return answers, asked

    answers, asked = parse("patched", "parse_json")
    assert parse("unpatched") == (answers, sorted(set(map(str, filter_sound(texts, answers)))))
    assert 5 < len(asked) < len(texts) / 2
    assert all(re.search("[0-9]{19}", text) for text in asked)


def filter_sound(texts: list[str], answers: list[object]) -> list[str]:
    """Those that could be parsed."""
    return [text for text, answer in zip(texts, answers, strict=True) if isinstance(answer, list)]


ELEMENTS = """
import json
import sys
from pathlib import Path

from local_bigquery.engine import database
from local_bigquery.settings import settings
from local_bigquery.sql import rules
from local_bigquery.sql.translate import Context, parse, translate

from sandbox.bigquery.patches import ALL

settings.data_dir = Path(sys.argv[1])
ALL["extensions"]()
cursor = database._connect()


def answer(sql):
    (tree,) = parse(sql)
    text, _ = translate(tree, Context("local", None))
    try:
        return repr(cursor.execute(text).fetchall()), "LIST_TRANSFORM" in text.upper()
    except Exception as error:
        return type(error).__name__, None


queries = json.load(sys.stdin)
before = [answer(sql) for sql in queries]
count = len(rules.STATEMENT_RULES)
ALL["elements"]()
assert len(rules.STATEMENT_RULES) == count + 1
after = [answer(sql) for sql in queries]
print(json.dumps([[one[0], other[0], other[1]] for one, other in zip(before, after)]))
"""
ARRAYS = """
WITH held AS (
    SELECT 1 AS id, 'x' AS k, [
        STRUCT('x' AS id, '{"a": [{"t": "é"}, {"t": "b"}]}' AS value, 3 AS n),
        STRUCT('y' AS id, CAST(NULL AS STRING) AS value, 1 AS n),
        STRUCT('x' AS id, '7' AS value, 2 AS n)
    ] AS parts, ['b', 'a', 'c'] AS words
    UNION ALL SELECT 2, 'y', [], []
    UNION ALL SELECT 3, NULL, NULL, NULL
)
SELECT id, FOUND AS found FROM held ORDER BY id
"""
BY_FUNCTIONS = (
    "ARRAY(SELECT AS STRUCT p.id, PARSE_JSON(p.value) AS value FROM UNNEST(parts) AS p WITH OFFSET AS o ORDER BY o)",
    "ARRAY(SELECT AS STRUCT p.ID, UPPER(p.value) AS N FROM UNNEST(held.parts) AS P WITH OFFSET AS o ORDER BY o)",
    "ARRAY(SELECT p FROM UNNEST(parts) AS p WITH OFFSET AS o ORDER BY O)",
    "ARRAY(SELECT p.n FROM UNNEST(parts) AS p WITH OFFSET AS o WHERE p.id = held.k ORDER BY o)",
    "ARRAY(SELECT CONCAT(word, '!') FROM UNNEST(words) AS word WITH OFFSET AS o ORDER BY o)",
    "ARRAY(SELECT LOWER(word) FROM UNNEST(SPLIT('A,B', ',')) AS word WITH OFFSET AS o ORDER BY o)",
    "ARRAY(SELECT STRUCT(p.n AS m, p.id AS id) FROM UNNEST(parts) AS p WITH OFFSET AS o ORDER BY o)",
    "ARRAY(SELECT JSON_VALUE(t, '$.t') FROM UNNEST(JSON_QUERY_ARRAY(parts[SAFE_OFFSET(0)].value, '$.a')) AS t WITH OFFSET AS o ORDER BY o)",
    "(SELECT ANY_VALUE(p.value) FROM UNNEST(parts) AS p WHERE p.id = 'y')",
    "(SELECT ANY_VALUE(p.n) FROM UNNEST(parts) AS p WHERE p.id = held.k AND p.n < 3)",
    "(SELECT p.value FROM UNNEST(parts) AS p WITH OFFSET AS o WHERE p.id = held.k ORDER BY o LIMIT 1)",
    "ARRAY_LENGTH(ARRAY(SELECT p.n FROM UNNEST(parts) AS p WITH OFFSET AS o WHERE p.n > ARRAY_LENGTH(ARRAY(SELECT q.n FROM UNNEST(held.parts) AS q WHERE q.n < p.n)) ORDER BY o))",
    "ARRAY_TO_STRING(ARRAY(SELECT JSON_VALUE(t, '$.t') FROM UNNEST(JSON_QUERY_ARRAY(PARSE_JSON((SELECT ANY_VALUE(p.value) FROM UNNEST(parts) AS p WHERE p.n = 3)), '$.a')) AS t WITH OFFSET AS o ORDER BY o), '')",
)
AS_BEFORE = (
    "ARRAY(SELECT p.n FROM UNNEST(parts) AS p ORDER BY p.n)",
    "ARRAY(SELECT p.n FROM UNNEST(parts) AS p WITH OFFSET AS o ORDER BY o DESC)",
    "ARRAY(SELECT p.n FROM UNNEST(parts) AS p WITH OFFSET AS o WHERE o > 0 ORDER BY o)",
    "ARRAY(SELECT p.n FROM UNNEST(parts) AS p WITH OFFSET AS o ORDER BY o LIMIT 2)",
    "ARRAY(SELECT DISTINCT p.id FROM UNNEST(parts) AS p ORDER BY 1)",
    "ARRAY(SELECT AS STRUCT p.* FROM UNNEST(parts) AS p WITH OFFSET AS o ORDER BY o)",
    "ARRAY(SELECT p.n * x FROM UNNEST([1, 2]) AS x, UNNEST(parts) AS p ORDER BY 1)",
    "ARRAY(SELECT SUM(p.n) FROM UNNEST(parts) AS p GROUP BY p.id ORDER BY 1)",
    "ARRAY(SELECT ROW_NUMBER() OVER (ORDER BY p.n) FROM UNNEST(parts) AS p ORDER BY 1)",
    "(SELECT MAX(p.n) FROM UNNEST(parts) AS p)",
    "(SELECT COUNT(*) FROM UNNEST(parts) AS p)",
    "EXISTS(SELECT 1 FROM UNNEST(parts) AS p WHERE p.n = 2)",
    "k IN (SELECT ANY_VALUE(p.id) FROM UNNEST(parts) AS p)",
    "k IN (SELECT p.id FROM UNNEST(parts) AS p)",
)


def test_a_subquery_over_elements_finds_the_same_by_functions(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    queries = [ARRAYS.replace("FOUND", each) for each in (*BY_FUNCTIONS, *AS_BEFORE)]
    done = subprocess.run(
        [serving.PYTHON, "-c", ELEMENTS, str(tmp_path)],
        cwd=serving.ROOT,
        env={"HOME": str(tmp_path / "home")},
        input=json.dumps(queries),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    for sql, (before, after, by_functions) in zip(
        (*BY_FUNCTIONS, *AS_BEFORE), json.loads(done.stdout.splitlines()[-1]), strict=True
    ):
        assert after == before, sql
        assert bool(by_functions) is (sql in BY_FUNCTIONS), sql
        assert after.startswith("[(1, ") or sql in AS_BEFORE, sql


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
    assert "names unknown patches: nothing" in refusal(start(serving.free_port(), tmp_path, skip="nothing"))


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
        timeout=600,
    )
    assert "the patches are for duckdb 0.0.1" in refusal(ended)
