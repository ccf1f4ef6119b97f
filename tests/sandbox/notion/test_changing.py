"""What changes in the fake API stays, over a restart and a crash; and faults are met as asked for."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from reporting.local import serving
from reporting.local.tokens import token_of
from reporting.sources.http import Policy
from reporting.sources.notion.reader import NotionSource
from sandbox.serving import fake_api
from tests.sandbox.notion.conftest import TODAY, StandIn

Start = Callable[..., StandIn]
DAILY = "Daily Disciplines"
SMALL = ("--today", TODAY, "--days", "30")
IMPATIENT = Policy(
    requests_per_second=10_000, clock_tolerance=None, first_backoff=0.001, longest_backoff=0.01, timeout=0.5
)


def ids(rows: list[dict[str, Any]]) -> set[str]:
    return {row["id"] for row in rows}


def create(notion: StandIn, **properties: Any) -> dict[str, Any]:
    parent = {"type": "data_source_id", "data_source_id": notion.source_id(DAILY)}
    made: dict[str, Any] = notion.client.pages.create(parent=parent, properties=properties)
    return made


def test_create_edit_trash_restore_purge(start: Start, tmp_path: Path) -> None:
    notion = start(tmp_path, *SMALL)
    page = create(
        notion,
        Name={"title": [{"text": {"content": "New"}}]},
        Date={"date": {"start": "2026-03-16"}},
        Meditate={"checkbox": True},
        Water={"number": 7},
        Mood={"select": {"name": "proud"}},
    )
    assert page["properties"]["Name"]["title"][0]["plain_text"] == "New"
    assert page["properties"]["Exercise"]["checkbox"] is False
    assert page["created_time"].endswith(":00.000Z")
    assert abs(datetime.fromisoformat(page["created_time"]).timestamp() - datetime.now(UTC).timestamp()) < 120
    notion.client.pages.update(page["id"], properties={"Water": {"number": 9}})
    assert notion.client.pages.retrieve(page["id"])["properties"]["Water"]["number"] == 9
    options = notion.client.data_sources.retrieve(notion.source_id(DAILY))["properties"]["Mood"]["select"][
        "options"
    ]
    assert "proud" in {option["name"] for option in options}

    notion.client.pages.update(page["id"], in_trash=True)
    assert page["id"] not in ids(notion.rows(DAILY))
    assert notion.client.pages.retrieve(page["id"])["in_trash"] is True
    notion.client.pages.update(page["id"], in_trash=False)
    assert page["id"] in ids(notion.rows(DAILY))
    assert notion.http.post(f"/_control/purge/{page['id']}").json() == {"purged": True}
    assert notion.http.get(f"/v1/pages/{page['id']}").status_code == 404


@pytest.mark.parametrize(
    "properties",
    [
        {"Nothing": {"number": 1}},
        {"Water": {"number": "seven"}},
        {"Water": {"checkbox": True}},
        {"Date": {"date": {}}},
        {"Date": {"date": {"start": "soon"}}},
        {"Date": {"date": {"start": "2026-01-01", "time_zone": "Nowhere"}}},
        {"Name": {"title": [{"text": None}]}},
        {"Water": 7},
        ["Water"],
    ],
)
def test_what_cannot_be_written_is_refused_and_changes_nothing(own: StandIn, properties: Any) -> None:
    before = own.truth(DAILY)
    answer = own.http.patch(f"/v1/pages/{before[0]['id']}", json={"properties": properties})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert own.truth(DAILY) == before


def test_a_property_keeps_its_id_when_renamed(start: Start, tmp_path: Path) -> None:
    notion = start(tmp_path, *SMALL)
    key = notion.source_id(DAILY)
    before = notion.truth(DAILY)[0]["properties"]
    path = f"/v1/data_sources/{key}"
    change = {
        "Meditate": {"name": "Sit"},
        "Steps": None,
        "Stretch": {"checkbox": {}},
        "Water": {"rich_text": {}},
    }
    schema = notion.http.patch(path, json={"properties": change}).json()["properties"]
    assert schema["Sit"]["id"] == before["Meditate"]["id"]
    after = notion.truth(DAILY)[0]["properties"]
    assert after["Sit"]["checkbox"] == before["Meditate"]["checkbox"]
    assert "Steps" not in after
    assert after["Stretch"]["checkbox"] is False
    texts = [
        "".join(part["plain_text"] for part in row["properties"]["Water"]["rich_text"])
        for row in notion.truth(DAILY)
    ]
    assert any(text.isdecimal() for text in texts)


def test_changes_and_today_survive_a_crash(tmp_path: Path) -> None:
    port = serving.free_port()
    command = [serving.PYTHON, "-m", "sandbox.notion", "--port", str(port), "--data", str(tmp_path), *SMALL]
    process = subprocess.Popen(command, cwd=serving.ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert f"today is {TODAY}" in process.stdout.readline()
        # The listening socket is bound before the sentence is printed.
        notion = StandIn(serving.Served(f"http://127.0.0.1:{port}", token_of(tmp_path)))
        page = create(notion, Name={"title": [{"text": {"content": "kept"}}]})
    finally:
        process.kill()
        process.communicate()
    with fake_api("notion", tmp_path) as served:
        again = StandIn(served)
        assert (
            again.client.pages.retrieve(page["id"])["properties"]["Name"]["title"][0]["plain_text"] == "kept"
        )
        assert again.http.get("/_control/state").json()["parameters"]["today"] == TODAY


def test_the_sample_is_the_same_for_the_same_seed(start: Start, tmp_path: Path) -> None:
    first, same, other = (
        start(tmp_path / name, *SMALL, "--seed", seed).truth(DAILY)
        for name, seed in (("a", "1"), ("b", "1"), ("c", "2"))
    )
    assert first == same
    assert first != other


def test_another_sample_in_a_used_folder_is_refused(start: Start, tmp_path: Path) -> None:
    start(tmp_path, *SMALL)
    with pytest.raises(RuntimeError, match="was filled with seed 1 and not 2"):
        start(tmp_path, "--seed", "2")


def test_a_used_port_is_a_plain_sentence(notion: StandIn, tmp_path: Path) -> None:
    port = notion.address.rpartition(":")[2]
    done = subprocess.run(
        [serving.PYTHON, "-m", "sandbox.notion", "--port", port, "--data", str(tmp_path)],
        cwd=serving.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 2
    assert f"port {port} cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--days", "0"], "--days and --rows take numbers of at least 1"),
        (["--rows", "9000000"], "Ask for fewer"),
        (["--rate-limit", "0"], "--rate-limit takes a number above 0"),
        (["--recorded", "{folder}"], "holds no recorded answers"),
        (["--recorded", "{folder}/wrong"], "answer.json is no recorded answer"),
        (["--data", "{folder}/file"], "file cannot be used"),
        (["--data", "{folder}/spoilt"], "spoilt cannot be used"),
    ],
    ids=str,
)
def test_what_it_cannot_serve_is_a_plain_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    for name, text in (
        ("file", ""),
        ("wrong/answer.json", "{}"),
        ("spoilt/notion.sqlite", "no database " * 99),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    given = [each.format(folder=tmp_path) for each in arguments]
    done = subprocess.run(
        [serving.PYTHON, "-m", "sandbox.notion", "--port", "0", "--data", str(tmp_path / "data"), *given],
        cwd=serving.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_query_goes_on_after_a_change_of_what_is_ahead(own: StandIn) -> None:
    first = own.query(DAILY, page_size=10).json()
    ahead = own.truth(DAILY)[20]["id"]
    own.client.pages.update(ahead, properties={"Water": {"number": 3}})
    rest = own.query(DAILY, start_cursor=first["next_cursor"]).json()
    assert [row["id"] for row in first["results"] + rest["results"]] == [
        row["id"] for row in own.truth(DAILY)
    ]


def test_the_newer_version_takes_no_archived(own: StandIn) -> None:
    key = own.truth(DAILY)[0]["id"]
    path = f"/v1/pages/{key}"
    newer = own.http.patch(path, json={"archived": True}, headers=own.headers("2026-03-11"))
    assert newer.json()["in_trash"] is False
    assert own.http.patch(path, json={"archived": True}).json()["in_trash"] is True
    assert own.http.patch(path, json={"in_trash": "no"}).status_code == 400


def test_a_page_goes_to_the_only_data_source_of_a_database(own: StandIn) -> None:
    source = own.client.data_sources.retrieve(own.source_id(DAILY))
    name = {"title": [{"text": {"content": "New"}}]}
    parent = {"database_id": source["parent"]["database_id"]}
    page = own.client.pages.create(parent=parent, properties={"Name": name})
    assert page["parent"]["data_source_id"] == source["id"]


def test_a_query_ends_at_ten_thousand_and_the_reader_goes_on(start: Start, tmp_path: Path) -> None:
    notion = start(tmp_path, "--today", TODAY, "--rows", "10150")
    path = f"/v1/data_sources/{notion.source_id(DAILY)}/query"
    last = notion.http.post(path, json={"start_cursor": notion_id_at(notion, 9_950)}).json()
    assert (len(last["results"]), last["has_more"], last["next_cursor"]) == (50, False, None)
    assert last["request_status"] == {"type": "incomplete", "incomplete_reason": "query_result_limit_reached"}
    source = NotionSource(
        "ntn_test", notion.address, Policy(requests_per_second=10_000, clock_tolerance=None)
    )
    found = {record.payload["id"] for page in source.read(source.find(DAILY)) for record in page.records}
    assert len(found) == 10_150
    source.close()


def notion_id_at(notion: StandIn, position: int) -> str:
    return str(notion.truth(DAILY)[position]["id"])


def test_a_rate_limit_says_when_to_come_back(start: Start, tmp_path: Path) -> None:
    notion = start(tmp_path, *SMALL, "--rate-limit", "1")
    answers = [notion.http.get("/v1/users/me") for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.json()["code"] for answer in refused} == {"rate_limited"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


def test_only_its_token(start: Start, tmp_path: Path) -> None:
    notion = start(tmp_path, *SMALL, "--token", "ntn_other")
    assert notion.http.get("/v1/users/me").status_code == 401


FAULTS: list[dict[str, Any]] = [
    *({"kind": "status", "status": status} for status in (429, 500, 502, 503, 504, 529)),
    {"kind": "status", "status": 429, "retry_after": 0.01},
    {"kind": "html"},
    {"kind": "reset"},
    {"kind": "truncated"},
    {"kind": "slow", "seconds": 1.0},
    {"kind": "empty_page"},
    {"kind": "page_twice"},
    {"kind": "shuffled"},
    {"kind": "invalid_cursor", "after": 1, "times": 1},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.values())))
def test_each_fault_is_met_and_the_reader_loses_nothing(notion: StandIn, fault: dict[str, Any]) -> None:
    notion.http.delete("/_control/faults")
    asked = notion.http.post("/_control/faults", json=[{"path": "query", "times": 2, **fault}]).json()
    assert asked[0]["times"] == fault.get("times", 2)
    source = NotionSource("ntn_test", notion.address, IMPATIENT)
    found = {record.payload["id"] for page in source.read(source.find(DAILY)) for record in page.records}
    source.close()
    assert notion.http.get("/_control/faults").json() == []
    assert found == ids(notion.truth(DAILY))


def test_a_fault_of_no_kind_is_refused(notion: StandIn) -> None:
    answer = notion.http.post("/_control/faults", json=[{"kind": "earthquake"}])
    assert answer.status_code == 400
    assert "Use one of status" in answer.json()["error"]


def test_requests_are_counted(notion: StandIn) -> None:
    path = "GET /v1/users/me"
    before = notion.http.get("/_control/requests").json().get(path, 0)
    httpx.get(f"{notion.address}/v1/users/me", headers=notion.headers())
    assert notion.http.get("/_control/requests").json()[path] == before + 1
