"""Every mart to every kind of file, read back and compared with the mart; windows; the command; folders and buckets."""

import re
from collections.abc import Iterator
from copy import replace
from datetime import UTC, date, datetime
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reporting.cli import export as command
from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.exports import reading
from reporting.exports.export import Step, export, make_request
from reporting.exports.formats import FORMATS, MANIFEST
from reporting.exports.marts import MARTS, ExportError, marts_named
from reporting.exports.publish import publish
from reporting.exports.reading import Interval, parse_interval, read
from reporting.local.bigquery import LocalBigQuery
from reporting.settings import read_settings
from reporting.storage.files import open_folder
from reporting.warehouse.client import connect
from tests.reporting.exports.reading_back import READ_BACK
from tests.support.bucket import BUCKET, bucket
from tests.support.marts import Marts, contracts

Rows = list[dict[str, Any]]
BERLIN = "Europe/Berlin"
# A value or two of each type, the worst last.
SAMPLES: dict[str, list[Any]] = {
    "string": ["Robin", 'a "quoted", b', "two\r\nlines 🎂", "=1+1", "", None],
    "int64": [0, -(2**63), None],
    "float64": [0.1, -1e300, None],
    "numeric": ["1000.50", "-99999999999999999999999999999.999999999", None],
    "bool": [True, False, None],
    "date": ["2026-06-30", "0001-01-01", "9999-12-31", None],
    "timestamp": ["2026-06-30T23:59:59.999999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", None],
}


def sample(kind: str, number: int) -> Any:
    """The value of a column of that type in a row of that number."""
    if kind.startswith("array<struct"):
        stage = {"stage_id": "s", "stage": 'a, "b"', "entered_at": "2026-01-01T00:00:00Z", "left_at": None}
        return [stage] * (number % 3)
    if kind.startswith("array"):
        return ["x", "", 'a "b", c\n', "🎂"][: number % 5]
    values = SAMPLES[kind]
    return values[number % len(values)]


@pytest.fixture(scope="module")
def marts(bigquery_endpoint: LocalBigQuery, tmp_path_factory: pytest.TempPathFactory) -> Marts:
    """Every mart with seven rows: in the key, every value is another one."""
    state = tmp_path_factory.mktemp("state")
    settings = read_settings(
        {
            **bigquery_endpoint.variables,
            "REPORTING_DATASET_PREFIX": "exports_",
            "REPORTING_STATE": str(state),
        }
    )
    made = Marts(connect(settings), settings)
    made.make()
    keys = {mart.name: mart.key for mart in MARTS}
    for name, columns in contracts().items():
        rows = [
            {
                column: f"{number} {sample(kind, number)}"
                if column in keys[name] and kind == "string"
                else sample(kind, number + place)
                for place, (column, kind) in enumerate(columns.items())
            }
            for number in range(7)
        ]
        made.hold(name, rows)
    return made


@pytest.fixture(scope="module")
def held(marts: Marts) -> dict[str, tuple[pa.Schema, Rows]]:
    """What is in each mart: its schema, and its rows as BigQuery's client reads them."""
    return {
        mart.name: (read(marts.client, marts.settings, mart, Interval()).schema, marts.rows(mart.name))
        for mart in MARTS
    }


def by_key(name: str, rows: Rows) -> Rows:
    (mart,) = marts_named([name])
    return sorted(rows, key=lambda row: [(row[column] is not None, str(row[column])) for column in mart.key])


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_mart_comes_back_as_it_is(
    marts: Marts,
    held: dict[str, tuple[pa.Schema, Rows]],
    tmp_path: Path,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", 3)
    steps: list[Step] = []
    request = make_request(form, [], None, None, BERLIN)
    manifest = export(marts.client, marts.settings, request, tmp_path / "out", steps.append)
    assert FORMATS[form].manifest(tmp_path / "out") == manifest
    assert set(manifest["marts"]) == set(contracts())
    for name, (schema, rows) in held.items():
        found = READ_BACK[form](tmp_path / "out", name, schema)
        assert by_key(name, found) == by_key(name, rows)
        assert manifest["marts"][name]["row_count"] == len(rows) == 7
        counts = [(step.row_count, step.total_count, step.is_done) for step in steps if step.mart == name]
        assert counts == [(3, 7, False), (6, 7, False), (7, 7, False), (7, 7, True)]


def test_types_are_bigquerys(held: dict[str, tuple[pa.Schema, Rows]]) -> None:
    schema, _ = held["deals"]
    at = pa.timestamp("us", "UTC")
    assert schema.field("amount").type == pa.decimal128(38, 9)
    assert schema.field("close_on").type == pa.date32()
    assert schema.field("created_at").type == at
    assert schema.field("contact_ids").type == pa.list_(pa.string())
    stages = schema.field("stage_history").type.value_type
    assert [(each.name, each.type) for each in stages] == [
        ("stage_id", pa.string()),
        ("stage", pa.string()),
        ("entered_at", at),
        ("left_at", at),
    ]


def test_an_empty_mart_keeps_its_types(
    marts: Marts, held: dict[str, tuple[pa.Schema, Rows]], tmp_path: Path
) -> None:
    request = make_request("parquet", ["engagements"], "1800-01-01", "1800-01-02", "UTC")
    manifest = export(marts.client, marts.settings, request, tmp_path / "out")
    assert manifest["marts"]["engagements"]["row_count"] == 0
    assert READ_BACK["parquet"](tmp_path / "out", "engagements", held["engagements"][0]) == []


@pytest.fixture
def timed(marts: Marts) -> Iterator[Marts]:
    """Four days and four moments around the end of June in Berlin, and a row without a time."""
    for name in ("habits", "engagements"):
        marts.client.query_and_wait(
            f"CREATE OR REPLACE TABLE {marts.table(f'{name}_kept')} AS SELECT * FROM {marts.table(name)}"
        )
    days = ["2026-06-29", "2026-06-30", "2026-07-01", "2026-07-02"]
    marts.hold("habits", [{"habit_id": "h", "period": "daily", "date": day} for day in days])
    moments = [
        "2026-06-30T21:59:59.999999Z",
        "2026-06-30T22:00:00Z",
        "2026-07-01T21:59:59.999999Z",
        "2026-07-01T22:00:00Z",
    ]
    marts.hold(
        "engagements",
        [{"engagement_id": f"calls:{at}", "occurred_at": at} for at in moments]
        + [{"engagement_id": "calls:none"}],
    )
    yield marts
    for name in ("habits", "engagements"):
        marts.client.query_and_wait(
            f"CREATE OR REPLACE TABLE {marts.table(name)} AS SELECT * FROM {marts.table(f'{name}_kept')}"
        )
        marts.client.query_and_wait(f"DROP TABLE {marts.table(f'{name}_kept')}")


@pytest.mark.parametrize(
    ("since", "until", "days", "moments"),
    [
        # A date is its first moment in the owner's time zone; the end is not part of it.
        ("2026-07-01", "2026-07-02", [1], [1, 2]),
        ("2026-07-01", None, [1, 2], [1, 2, 3]),
        (None, "2026-07-01", [29, 30], [0]),
        # A day is where its first moment is.
        ("2026-07-01T00:00:00.000001", "2026-07-02T12:00", [2], [2, 3]),
        ("2026-06-30T22:00Z", "2026-07-01T22:00Z", [1], [1, 2]),
    ],
)
def test_a_window_has_its_start_and_not_its_end(
    timed: Marts,
    held: dict[str, tuple[pa.Schema, Rows]],
    tmp_path: Path,
    since: str | None,
    until: str | None,
    days: list[int],
    moments: list[int],
) -> None:
    settings = replace(timed.settings, timezone=BERLIN)
    request = make_request("parquet", ["habits", "engagements", "people"], since, until, BERLIN)
    manifest = export(timed.client, settings, request, tmp_path / "out")

    def exported(name: str) -> Rows:
        return READ_BACK["parquet"](tmp_path / "out", name, held[name][0])

    assert [row["date"].day for row in exported("habits")] == days
    at = [
        datetime(2026, 6, 30, 21, 59, 59, 999999, UTC),
        datetime(2026, 6, 30, 22, tzinfo=UTC),
        datetime(2026, 7, 1, 21, 59, 59, 999999, UTC),
        datetime(2026, 7, 1, 22, tzinfo=UTC),
    ]
    assert sorted(row["occurred_at"] for row in exported("engagements")) == [at[number] for number in moments]
    # Who somebody is has no time.
    assert request.whole == ("people",)
    assert [manifest["marts"][name]["is_whole"] for name in ("habits", "people")] == [False, True]
    assert len(exported("people")) == 7


def test_windows_side_by_side_share_no_row_and_lose_none(timed: Marts) -> None:
    (engagements,) = marts_named(["engagements"])
    ends = [None, "2026-06-30T21:59:59.999999Z", "2026-07-01", "2026-07-01T22:00Z", None]
    counts = [
        read(timed.client, timed.settings, engagements, parse_interval(since, until, BERLIN)).row_count
        for since, until in pairwise(ends)
    ]
    assert sum(counts) == 4


@pytest.mark.parametrize(
    ("form", "names", "since", "until", "said"),
    [
        (
            "xlsx",
            [],
            None,
            None,
            "'xlsx' is not a format of exports. Use one of csv, parquet, duckdb, sqlite",
        ),
        ("csv", ["habit"], None, None, "'habit' is not a mart. Did you mean habit_metrics or habits?"),
        (
            "csv",
            ["people", "relationships"],
            "2026-01-01",
            None,
            "people, relationships: these rows show the state of now",
        ),
        ("csv", [], "yesterday", None, "since is 'yesterday'; it takes an ISO date"),
        ("csv", [], "2026-02-01", "2026-02-01", "which is not after it"),
    ],
)
def test_what_cannot_be_is_said(
    form: str, names: list[str], since: str | None, until: str | None, said: str
) -> None:
    with pytest.raises(ExportError, match=said):
        make_request(form, names, since, until, "UTC")


def test_without_a_build_it_says_so(marts: Marts, tmp_path: Path) -> None:
    nowhere = replace(marts.settings, dataset_prefix="nowhere_")
    request = make_request("sqlite", [], None, None, "UTC")
    with pytest.raises(
        ExportError,
        match=r"the mart habits is not in the warehouse yet\. Run the DAG mart_personal__models__full",
    ):
        export(marts.client, nowhere, request, tmp_path / "out.sqlite")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def run(marts: Marts, monkeypatch: pytest.MonkeyPatch) -> Any:
    for variable, value in {
        **marts.settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": marts.settings.dataset_prefix,
        "REPORTING_CONFIG": "/nowhere",
    }.items():
        monkeypatch.setenv(variable, value)

    def run(*arguments: str) -> int:
        return call("export", [*arguments, "--data", str(marts.settings.state)])

    return run


def test_the_command_says_how_far_it_is_on_standard_error(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.sqlite"
    assert run("--to", "sqlite", str(target), "--marts", "people", "deals", "--since", "0001-01-01") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "Exported in full, since their rows have no time: people." in said.err
    assert "people: 7 rows, " in said.err
    size = f"{target.stat().st_size / 1000:.1f} kB"
    assert re.search(rf"{target}: 2 marts, \d+ rows, {size} in ", said.err)
    monkeypatch.setattr(command, "CALLER", tmp_path)
    assert run("--to", "sqlite", "out.sqlite") == 0
    assert "habit_metrics: 7 rows, " in capsys.readouterr().err


def test_the_command_ends_with_a_sentence(run: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(CommandError, match="is not a sqlite export of this project"):
        run("--to", "sqlite", str(tmp_path / "mine"))
    with pytest.raises(CommandError, match="'habit' is not a mart"):
        run("--to", "csv", str(tmp_path / "out"), "--marts", "habit")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_has_the_newest_under_one_name(marts: Marts, tmp_path: Path) -> None:
    for names in (["habits", "people"], ["habits"]):
        request = make_request("csv", names, None, None, "UTC")
        publish(marts.client, marts.settings, request, str(tmp_path / "exports"))
    assert sorted(path.name for path in (tmp_path / "exports" / "marts").iterdir()) == [
        MANIFEST,
        "habits.csv",
    ]


@pytest.mark.parametrize(("former", "new"), list(permutations(["csv", "duckdb", "sqlite"], 2)))
def test_an_export_of_the_kind_that_is_set_leaves_none_of_another(
    marts: Marts, tmp_path: Path, former: str, new: str
) -> None:
    uri = f"file://{tmp_path}/exports/"
    settings = replace(marts.settings, export_format=new)

    def names() -> set[str]:
        return {path.name for path in (tmp_path / "exports").iterdir()}

    places = {form: f"marts{FORMATS[form].suffix or ''}" for form in (former, new)}
    publish(marts.client, settings, make_request(new, ["habits"], None, None, "UTC"), uri)
    # By hand, and beside it: tomorrow's is of the kind that is set.
    publish(marts.client, settings, make_request(former, ["habits"], None, None, "UTC"), uri)
    assert names() == {*places.values()}
    publish(marts.client, settings, make_request(new, ["habits"], None, None, "UTC"), uri)
    assert names() == {places[new]}


def test_what_is_no_export_stays_where_one_of_another_kind_would_be(marts: Marts, tmp_path: Path) -> None:
    settings = replace(marts.settings, export_format="parquet")
    folder = tmp_path / "exports"
    publish(marts.client, settings, make_request("sqlite", ["habits"], None, None, "UTC"), str(folder))
    (folder / "marts.sqlite").rename(folder / "kept.sqlite")
    (folder / "marts.sqlite").symlink_to("kept.sqlite")
    (folder / "marts.duckdb").write_text("mine")
    publish(marts.client, settings, make_request("parquet", ["habits"], None, None, "UTC"), str(folder))
    assert (folder / "marts.duckdb").read_text() == "mine"
    assert {path.name for path in folder.iterdir()} == {"marts", "marts.duckdb", "marts.sqlite"}
    (folder / "marts" / "my notes.txt").write_text("mine")
    (folder / "marts.duckdb").unlink()
    settings = replace(settings, export_format="duckdb")
    publish(marts.client, settings, make_request("duckdb", ["habits"], None, None, "UTC"), str(folder))
    assert [path.name for path in (folder / "marts").iterdir()] == ["my notes.txt"]


def test_a_bucket_has_the_newest_and_nothing_of_an_earlier_one(
    marts: Marts,
    held: dict[str, tuple[pa.Schema, Rows]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with bucket(monkeypatch) as connection:
        uri = f"{BUCKET}/exports"
        given = read_settings({"AIRFLOW_CONN_BIGQUERY": connection, "REPORTING_EXPORT_URI": uri})
        settings = replace(marts.settings, google_key=given.google_key, export_format="parquet")
        for form, names in (("csv", ["habits", "people"]), ("sqlite", ["habits"]), ("parquet", ["habits"])):
            publish(marts.client, settings, make_request(form, names, None, None, "UTC"), uri)
        files, root = open_folder(uri, given.google_key)
        assert sorted(path.partition("/marts")[2] for path in files.find(root)) == [
            "/export.json",
            "/habits.parquet",
        ]
        local = tmp_path / "marts"
        files.get(f"{root}/marts", str(local), recursive=True)
        settings = replace(settings, export_format="sqlite")
        publish(marts.client, settings, make_request("sqlite", ["habits"], None, None, "UTC"), uri)
        assert [path.partition("/marts")[2] for path in files.find(root)] == [".sqlite"]
    schema, rows = held["habits"]
    assert by_key("habits", READ_BACK["parquet"](local, "habits", schema)) == by_key("habits", rows)


def test_a_bucket_that_cannot_be_is_said(marts: Marts) -> None:
    with pytest.raises(ExportError, match="REPORTING_EXPORT_URI cannot be used"):
        publish(marts.client, marts.settings, make_request("csv", [], None, None, "UTC"), "nothing://bucket")


def test_a_day_of_23_hours_begins_where_it_does() -> None:
    interval = parse_interval("2026-03-29", "2026-03-30", BERLIN)
    assert (interval.since, interval.until) == (
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 22, tzinfo=UTC),
    )
    assert date(2026, 3, 29) == reading._first_day(interval.since, reading.ZoneInfo(BERLIN))
