"""The page of pipelines: who sees what, who may do what, and what it asks of Airflow and of the warehouse."""

import asyncio
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import HTTPException, Request

from reporting.exports.marts import ExportError
from reporting.orchestration.pauses import KEEPER
from reporting.web.contents import Contents, Table, TooLargeError
from reporting.web.guard import App
from reporting.web.pipelines import endpoints as pipelines
from reporting.web.pipelines.listing import KEPT_SECONDS, Dag, Kept

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CONTACTS = "raw_hubspot__contacts__changed"
MARTS = "mart_personal__models__full"
HIDDEN = "ops_airflow__metadata__cleanup"
JSON = {"content-type": "application/json"}


class Rights:
    """A viewer sees all but one, and a user runs and changes what they see."""

    def __init__(self, who: str) -> None:
        self.is_user = who == "user"

    def may_read(self, dag_id: str) -> bool:
        return dag_id != HIDDEN

    def may_run(self, dag_id: str) -> bool:
        return self.is_user and self.may_read(dag_id)

    may_change = may_run


def rights_of(request: Request) -> Rights:
    """Stands for Airflow's own dependency."""
    who = request.headers.get("authorization")
    if who is None:
        raise HTTPException(401, "Not authenticated")
    if who == "public":
        raise HTTPException(403, "Forbidden")
    return Rights(who)


class Airflow:
    """Some DAGs, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, date | None, bool]] = []

    def dags(self) -> list[Dag]:
        return [
            Dag(
                dag_id=dag_id,
                description="What it does.",
                is_paused=False,
                paused_until=None,
                next_run_at=NOW,
            )
            for dag_id in (MARTS, HIDDEN, KEEPER, "not of this project")
        ] + [
            Dag(
                dag_id=CONTACTS,
                description=None,
                is_paused=True,
                paused_until=date(2026, 12, 1),
                next_run_at=None,
                run_id="scheduled__1",
                state="failed",
                started_at=NOW,
                ended_at=NOW,
                tasks=(("extract", "success"), ("load", "failed")),
            )
        ]

    def pause(self, dag_id: str, until: date | None) -> bool:
        self.asked.append((dag_id, until, True))
        return dag_id in {dag.dag_id for dag in self.dags()}

    def resume(self, dag_id: str) -> bool:
        self.asked.append((dag_id, None, False))
        return dag_id in {dag.dag_id for dag in self.dags()}


class Warehouse:
    """Two pipelines with tables; `error` is what happens instead of an answer."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked: list[tuple[str, int | None]] = []

    def contents(self) -> Mapping[str, Contents]:
        if self.error:
            raise self.error
        return {
            "raw_hubspot__contacts": Contents((Table("hubspot__contacts", 1200),), NOW),
            "mart_personal__models": Contents((Table("habits", None), Table("people", 7)), None),
        }

    def csv(self, table: str, most: int | None) -> Iterable[bytes]:
        self.asked.append((table, most))
        if self.error:
            raise self.error
        return [b"a,b\r\n", b"1,2\r\n"]


class Server:
    """The page over these."""

    def __init__(self) -> None:
        self.airflow, self.warehouse = Airflow(), Warehouse()
        self.app: App = pipelines.application(rights_of, self.airflow, self.warehouse, "Europe/Berlin")

    def ask(self, method: str, path: str, who: str | None = "user", **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)  # type: ignore[arg-type]  # its type of an app is narrower
            async with httpx.AsyncClient(transport=transport, base_url="http://reporting.example") as client:
                headers = ({"authorization": who} if who else {}) | more.pop("headers", {})
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(asked())

    def pause(self, who: str | None = "user", **body: Any) -> httpx.Response:
        return self.ask("POST", "/pause", who, json=body)


@pytest.fixture
def server() -> Server:
    return Server()


REQUESTS = [
    ("GET", "/"),
    ("GET", "/list"),
    ("GET", "/rows/people"),
    ("POST", "/pause"),
    ("GET", "/report.css"),
]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_nobody_gets_anything_without_signing_in(server: Server, method: str, path: str) -> None:
    body = {"json": {"dag_id": CONTACTS, "is_paused": True}} if method == "POST" else {}
    assert server.ask(method, path, None, **body).status_code == 401
    assert server.ask(method, path, "public", **body).status_code == 403
    assert server.airflow.asked == []
    assert server.warehouse.asked == []


@pytest.mark.parametrize("name", sorted(pipelines.FILES))
def test_the_page_and_what_it_loads_are_there(server: Server, name: str) -> None:
    answer = server.ask("GET", f"/{name}", "viewer")
    assert answer.status_code == 200
    assert answer.content == pipelines.FILES[name].read_bytes()
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_page_asks_no_other_machine() -> None:
    for path in pipelines.FILES.values():
        text = path.read_text()
        assert "https://" not in text
        assert not [
            line for line in text.splitlines() if "http://" in line and "www.w3.org/2000/svg" not in line
        ]


@pytest.mark.parametrize(
    "path",
    [
        "/../settings.py",
        "/%2e%2e/pipelines.py",
        "/..%2fpipelines.py",
        "/pipelines.html/",
        "/docs",
        "/openapi.json",
        "/rows/..%2fkeys",
        "/rows/alembic_version",
        "/rows/sync_runs",
        "/rows/people.exe",
        "/rows/people%60",
    ],
)
def test_no_path_leads_elsewhere(server: Server, path: str) -> None:
    assert server.ask("GET", path).status_code == 404
    assert server.warehouse.asked == []


def test_what_a_viewer_sees(server: Server) -> None:
    answer = server.ask("GET", "/list", "viewer")
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()
    assert [each["name"] for each in shown["pipelines"]] == [
        "raw_hubspot__contacts",
        "mart_personal__models",
        "ops_airflow__pauses",
    ]
    contacts, marts, _ = shown["pipelines"]
    (dag,) = contacts["dags"]
    assert (dag["state"], dag["run_id"], dag["paused_until"]) == ("failed", "scheduled__1", "2026-12-01")
    assert dag["tasks"] == [["extract", "success"], ["load", "failed"]]
    assert contacts["tables"] == [{"name": "hubspot__contacts", "row_count": 1200}]
    assert datetime.fromisoformat(contacts["fresh_at"]) == NOW
    assert datetime.fromisoformat(marts["dags"][0]["next_run_at"]) == NOW
    assert [each["row_count"] for each in marts["tables"]] == [None, 7]
    assert not contacts["may_take"]
    assert not any(dag["may_run"] or dag["may_change"] for each in shown["pipelines"] for dag in each["dags"])


def test_what_a_user_may_do(server: Server) -> None:
    shown = server.ask("GET", "/list").json()
    assert all(dag["may_run"] and dag["may_change"] for each in shown["pipelines"] for dag in each["dags"])
    assert all(each["may_take"] for each in shown["pipelines"])


def test_a_warehouse_that_is_away_leaves_what_airflow_knows(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.warehouse.error = ValueError("hush")
    answer = server.ask("GET", "/list").json()
    assert len(answer["pipelines"]) == 3
    assert not answer["is_warehouse_known"]
    assert "hush" not in caplog.text


def test_the_warehouse_is_asked_once_a_minute() -> None:
    warehouse, now = Warehouse(), [0.0]
    kept = Kept(warehouse, lambda: now[0])
    assert kept.contents()[1]
    warehouse.error = ValueError()
    now[0] = KEPT_SECONDS - 1
    assert kept.contents()[1]
    now[0] = KEPT_SECONDS
    assert kept.contents() == ({}, False)


def test_a_sample_or_all_rows_are_for_who_may_run_it(server: Server) -> None:
    assert server.ask("GET", "/rows/people.csv", "viewer").status_code == 403
    assert server.warehouse.asked == []
    answer = server.ask("GET", "/rows/people.csv")
    assert answer.content == b"a,b\r\n1,2\r\n"
    assert answer.headers["content-disposition"] == 'attachment; filename="people-first-300.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    answer = server.ask("GET", "/rows/hubspot__contacts.csv?all")
    assert answer.headers["content-disposition"] == 'attachment; filename="hubspot__contacts.csv"'
    assert server.warehouse.asked == [("people", 300), ("hubspot__contacts", None)]


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ExportError("no"), 404, "is not in the warehouse yet"),
        (TooLargeError(), 413, "script/export"),
        (ValueError("hush"), 503, "the server's log"),
    ],
)
def test_rows_that_cannot_be_read_are_said(
    server: Server, error: Exception, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.warehouse.error = error
    answer = server.ask("GET", "/rows/people.csv")
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert "hush" not in answer.text + caplog.text


def test_two_downloads_at_a_time_and_nobody_else_waits_for_them(server: Server) -> None:
    """Tasks say through the same server that they live."""
    go, begun = threading.Event(), threading.Semaphore(0)

    def slow(table: str, most: int | None) -> Iterable[bytes]:
        if most is None:
            begun.release()
            go.wait()
        return [b"a"]

    server.warehouse.csv = slow  # type: ignore[method-assign]

    async def asked() -> tuple[list[httpx.Response], list[httpx.Response], httpx.Response]:
        transport = httpx.ASGITransport(app=server.app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(
            transport=transport, base_url="http://reporting.example", headers={"authorization": "user"}
        ) as client:
            ask = client.get
            first = [asyncio.create_task(ask("/rows/people.csv?all")) for _ in range(2)]
            for _ in first:
                await asyncio.to_thread(begun.acquire)
            others = [await ask("/rows/habits.csv?all") for _ in range(45)]
            others += [await ask("/rows/people.csv"), await ask("/list")]
            go.set()
            return list(await asyncio.gather(*first)), others, await ask("/rows/people.csv?all")

    first, others, after = asyncio.run(asyncio.wait_for(asked(), 60))
    assert [each.status_code for each in first] == [200, 200]
    assert [each.status_code for each in others] == [503] * 45 + [200, 200]
    assert others[0].headers["retry-after"] == "30"
    assert "Try it again in 30 seconds" in others[0].json()["detail"]
    assert after.status_code == 200


@pytest.mark.parametrize("query", ["", "?all"])
def test_what_fails_leaves_its_place(server: Server, query: str) -> None:
    server.warehouse.error = ValueError("hush")
    for _ in range(9):
        assert server.ask("GET", f"/rows/people.csv{query}").status_code == 503
    server.warehouse.error = None
    assert server.ask("GET", f"/rows/people.csv{query}").status_code == 200


def test_a_user_pauses_until_a_day_and_resumes(server: Server) -> None:
    until = date.today() + timedelta(days=40)  # noqa: DTZ011  # any day far ahead
    assert server.pause(dag_id=CONTACTS, is_paused=True, until=until.isoformat()).status_code == 200
    assert server.pause(dag_id=CONTACTS, is_paused=True).status_code == 200
    assert server.pause(dag_id=CONTACTS, is_paused=False).json() == {"is_paused": False}
    assert server.airflow.asked == [(CONTACTS, until, True), (CONTACTS, None, True), (CONTACTS, None, False)]


@pytest.mark.parametrize(
    ("who", "body", "status", "said"),
    [
        ("viewer", {"dag_id": CONTACTS, "is_paused": True}, 403, "You may not pause raw_hubspot"),
        ("user", {"dag_id": HIDDEN, "is_paused": True}, 403, "You may not pause"),
        ("user", {"dag_id": "of_nobody", "is_paused": True}, 404, "There is no DAG of_nobody"),
        ("user", {"dag_id": CONTACTS, "is_paused": True, "until": "2020-01-01"}, 422, "is not after today"),
        ("user", {"dag_id": CONTACTS, "is_paused": True, "until": "soon"}, 422, None),
        ("user", {"dag_id": CONTACTS, "is_paused": False, "until": "2100-01-01"}, 422, "no day until"),
        ("user", {"dag_id": KEEPER, "is_paused": True, "until": "2100-01-01"}, 422, "cannot be paused until"),
        ("user", {"is_paused": True}, 422, None),
    ],
)
def test_a_pause_that_cannot_be_is_said(
    server: Server, who: str, body: dict[str, Any], status: int, said: str | None
) -> None:
    answer = server.pause(who, **body)
    assert answer.status_code == status
    if said is not None:
        assert said in answer.json()["detail"]
        assert not [each for each in server.airflow.asked if each[0] == CONTACTS]


def test_nothing_changes_by_what_another_site_can_send(server: Server) -> None:
    body = f'{{"dag_id": "{CONTACTS}", "is_paused": true}}'
    for headers, status in (
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({}, 415),
        (JSON | {"origin": "https://elsewhere.example"}, 403),
        (JSON | {"origin": "null"}, 403),
        (JSON | {"origin": "http://["}, 403),
        (JSON | {"origin": "https://reporting.example.elsewhere.example"}, 403),
    ):
        assert server.ask("POST", "/pause", content=body, headers=headers).status_code == status
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert server.ask(method, "/pause", content=body, headers=JSON).status_code in (404, 405)
    assert server.airflow.asked == []
    same = JSON | {"origin": "https://reporting.example"}
    assert server.ask("POST", "/pause", content=body, headers=same).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"1" * 5_000,
        b'{"dag_id": "\\ud800", "is_paused": true}',
        b'{"dag_id": "a\\u0000b", "is_paused": true}',
        b'{"dag_id": "a", "is_paused": true, "until": 1e400}',
        b'{"dag_id": "a", "is_paused": true, "until": NaN}',
        b'{"dag_id": "a", "is_paused": true, "until": 99999999999999999999}',
    ],
    ids=["empty", "utf-8", "deep", "long", "half", "nul", "infinite", "no-number", "late"],
)
def test_what_is_no_request_of_the_page_is_refused_without_an_error(server: Server, body: bytes) -> None:
    answer = server.ask("POST", "/pause", headers=JSON, content=body)
    assert answer.status_code in (400, 422)
    assert not server.airflow.asked
