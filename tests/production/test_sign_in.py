"""Who may do what on the running server, asked directly and as a front end asks."""

import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from reporting.deploy import configuration
from reporting.deploy.airflow_api import ENDED, AirflowApi
from reporting.orchestration.pauses import KEEPER, variable_of
from reporting.reports.site import Site
from reporting.web.attempts import NETWORK_LIMIT as LIMIT
from tests.support import postgres
from tests.support.production_server import ADMIN_PASSWORD, FROM_FORM, FRONT_END, Production

PASSWORD = "a long password of a user 1"
DAG = "ops_warehouse__schema__upgrade"
PAUSED = "ops_warehouse__sources__freshness"
REPORT = b"<h1>The report</h1>"
ROLES = ("Viewer", "User", "Admin", "Public")


@pytest.fixture(scope="module", autouse=True)
def report(production: Production) -> None:
    """A report of one page."""
    Site(str(production.folder / "state" / "site")).write({"index.html": REPORT})


@pytest.fixture(scope="module")
def people(production: Production) -> Iterator[dict[str, httpx.Client]]:
    """A client for each role, and `nobody`, who has not signed in."""
    clients = {"nobody": httpx.Client(base_url=production.address, timeout=120)}
    admin = {"Authorization": f"Bearer {production.token()}"}
    for role in ROLES:
        # Names are compared without case, and `admin` is there.
        name = f"a_{role.lower()}"
        body = {"username": name, "first_name": role, "last_name": role, "email": f"{role}@example.org"}
        body |= {"password": PASSWORD, "roles": [{"name": role}]}  # type: ignore[dict-item]
        made = httpx.post(f"{production.address}/auth/fab/v1/users", json=body, headers=admin)
        assert made.status_code in (200, 201), made.text
        token = production.token(name, PASSWORD)
        clients[role] = httpx.Client(
            base_url=production.address, headers={"Authorization": f"Bearer {token}"}, timeout=120
        )
    yield clients
    for client in clients.values():
        client.close()


CASES = [
    # What is asked                        nobody Public Viewer User Admin
    ("GET", "/api/v2/dags", (401, 403, 200, 200, 200)),
    ("GET", f"/api/v2/dags/{DAG}/dagRuns", (401, 403, 200, 200, 200)),
    ("POST", f"/api/v2/dags/{DAG}/dagRuns", (401, 403, 403, 200, 200)),
    ("GET", "/api/v2/connections", (401, 403, 403, 403, 200)),
    ("GET", "/api/v2/variables", (401, 403, 403, 403, 200)),
    ("GET", "/auth/fab/v1/users", (401, 403, 403, 403, 200)),
    # Not even an admin reads the configuration, which holds the secrets.
    ("GET", "/api/v2/config", (401, 403, 403, 403, 403)),
    ("GET", "/reporting/health", (200, 200, 200, 200, 200)),
    ("GET", "/reporting/site/", (401, 403, 200, 200, 200)),
    ("GET", "/reporting/site/none.html", (401, 403, 404, 404, 404)),
    ("GET", "/reporting/pipelines/", (401, 403, 200, 200, 200)),
    ("GET", "/reporting/pipelines/pipelines.js", (401, 403, 200, 200, 200)),
    ("GET", "/reporting/pipelines/list", (401, 403, 200, 200, 200)),
    # It was never built; who may not take its rows does not hear so.
    ("GET", "/reporting/pipelines/rows/people.csv", (401, 403, 403, 404, 404)),
    ("POST", "/reporting/pipelines/pause", (401, 403, 403, 200, 200)),
    # It holds the entries in the menu.
    ("GET", "/api/v2/plugins", (401, 403, 200, 200, 200)),
]


@pytest.mark.parametrize(("method", "path", "expected"), CASES)
def test_each_role_may_do_what_it_may(
    people: dict[str, httpx.Client], method: str, path: str, expected: tuple[int, ...]
) -> None:
    body: dict[str, Any] | None = None
    if method == "POST":
        body = {"dag_id": DAG, "is_paused": False} if path.endswith("/pause") else {"logical_date": None}
    found = [
        people[name].request(method, path, json=body).status_code
        for name in ("nobody", "Public", "Viewer", "User", "Admin")
    ]
    assert tuple(found) == expected


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "localhost"])
def test_execution_is_there_for_tasks_and_for_nobody_else(
    production: Production, people: dict[str, httpx.Client]
) -> None:
    """Another address of this machine stands for the one that the network reaches."""
    way = configuration.execution_url(
        production.port, production.environment["AIRFLOW__API_AUTH__JWT_SECRET"]
    )
    # Airflow takes seconds for the first request of a task.
    assert httpx.get(f"{way}health", timeout=120).status_code == 200
    assert urlsplit(way).path.strip("/") not in production.log.read_text()
    # A proxy on this machine that adds no header asks as nobody else does.
    assert httpx.get(f"{production.address}/execution/health", timeout=120).status_code == 404
    outside = production.address.replace("127.0.0.1", "127.0.0.2")
    assert httpx.get(f"{way.replace('127.0.0.1', '127.0.0.2')}health", timeout=120).status_code == 404
    assert httpx.get(f"{outside}/reporting/health", timeout=120).status_code == 200
    for path in ("/execution/health", "/execution/", "/execution", "/execution%2Fhealth"):
        assert httpx.get(f"{outside}{path}", timeout=120).status_code == 404
    # No path of the task API's, so the web interface answers with its page.
    page = httpx.get(f"{outside}//execution/health", timeout=120)
    assert page.headers["content-type"].startswith("text/html")
    for client in people.values():
        assert client.get("/execution/health", headers=FRONT_END).status_code == 404


def test_the_form_and_its_cookies(production: Production, cluster: postgres.Cluster) -> None:
    with httpx.Client(base_url=production.address, headers=FRONT_END, timeout=120) as browser:
        page = browser.get("/auth/login/")
        assert page.status_code == 200
        assert page.headers["strict-transport-security"]
        assert page.headers["x-content-type-options"] == "nosniff"
        session = page.headers["set-cookie"]
        assert session.startswith("session=")
        assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(session.split("; "))
        # The client goes by http, so it keeps no cookie that is for https: this does what a browser does.
        cookie = {"Cookie": session.split(";")[0]}
        token = page.text.partition('name="csrf_token" type="hidden" value="')[2].partition('"')[0]
        form = {"username": "admin", "password": ADMIN_PASSWORD}
        assert browser.post("/auth/login/", data=form, headers={**cookie, **FROM_FORM}).status_code == 400
        done = browser.post(
            "/auth/login/", data={**form, "csrf_token": token}, headers={**cookie, **FROM_FORM}
        )
        assert done.status_code == 302
        assert urlsplit(done.headers["location"]).scheme in ("", "https")
        cookies = done.headers.get_list("set-cookie")
        assert {each.partition("=")[0] for each in cookies} == {"session", "_token"}
        assert all("Secure" in each.split("; ") for each in cookies)
        signed_in = {"Cookie": "; ".join(each.split(";")[0] for each in cookies)}
        assert browser.get("/auth/users/list/", headers=signed_in).status_code == 200
        assert browser.get("/api/v2/connections", headers=signed_in).status_code == 200
        # In the frame of the web interface, the cookie is all that there is.
        framed = browser.get("/reporting/site/", headers=signed_in)
        assert (framed.content, framed.headers["x-frame-options"]) == (REPORT, "SAMEORIGIN")

        # Eight days later, though it was used all the time.
        with cluster.connect() as cursor:
            cursor.execute("SELECT id, data FROM session ORDER BY id DESC")
            for number, data in cursor.fetchall():
                content = msgspec.msgpack.decode(bytes(data))
                if "_login_at" in content:
                    content["_login_at"] -= 8 * 24 * 3600
                    changed = msgspec.msgpack.encode(content)
                    cursor.execute("UPDATE session SET data = %s WHERE id = %s", (changed, number))
        later = browser.get("/auth/users/list/", headers=signed_in)
        assert later.status_code == 302
        assert "login" in later.headers["location"]


def test_a_dag_is_paused_until_a_day_and_each_sees_what_they_may_do(people: dict[str, httpx.Client]) -> None:
    def shown(who: str) -> dict[str, Any]:
        pipelines = people[who].get("/reporting/pipelines/list").json()["pipelines"]
        dags = {dag["dag_id"]: dag for each in pipelines for dag in each["dags"]}
        found: dict[str, Any] = dags[PAUSED]
        return found

    def pause(who: str, **body: Any) -> int:
        path = "/reporting/pipelines/pause"
        return people[who].post(path, json={"dag_id": PAUSED, **body}).status_code

    assert (shown("Viewer")["may_run"], shown("Viewer")["may_change"]) == (False, False)
    assert (shown("User")["may_run"], shown("User")["may_change"]) == (True, True)
    assert pause("User", is_paused=True, until="2099-12-31") == 200
    assert (shown("Viewer")["is_paused"], shown("Viewer")["paused_until"]) == (True, "2099-12-31")
    assert people["Admin"].get(f"/api/v2/dags/{PAUSED}").json()["is_paused"]
    variable = f"/api/v2/variables/{variable_of(PAUSED)}"
    assert people["Admin"].get(variable).json()["value"] == "2099-12-31"
    assert pause("Viewer", is_paused=False) == 403
    assert pause("User", is_paused=False) == 200
    assert (shown("User")["is_paused"], shown("User")["paused_until"]) == (False, None)
    assert people["Admin"].get(variable).status_code == 404


def test_the_day_has_come_and_the_dag_runs_again(
    production: Production, people: dict[str, httpx.Client]
) -> None:
    admin = people["Admin"]
    assert admin.post(
        "/reporting/pipelines/pause", json={"dag_id": PAUSED, "is_paused": True, "until": "2099-12-31"}
    ).is_success
    # Years later.
    changed = {"key": variable_of(PAUSED), "value": "2026-01-01"}
    assert admin.patch(f"/api/v2/variables/{variable_of(PAUSED)}", json=changed).is_success
    api = AirflowApi(production.address, production.token())
    run_id = api.trigger(KEEPER)
    pause = threading.Event()
    for _ in range(600):
        if (state := api.state(KEEPER, run_id)) in ENDED:
            break
        pause.wait(0.2)
    assert state == "success"
    assert not admin.get(f"/api/v2/dags/{PAUSED}").json()["is_paused"]
    assert admin.get(f"/api/v2/variables/{variable_of(PAUSED)}").status_code == 404


def test_there_is_nothing_to_register_with(production: Production) -> None:
    assert httpx.get(f"{production.address}/auth/register/form").status_code == 404


def test_signing_in_is_limited_by_the_address_that_the_front_end_has_seen(production: Production) -> None:
    """What the client writes into the header itself comes before it, and counts for nothing."""

    def wrong(address: str) -> int:
        return httpx.post(
            f"{production.address}/auth/token",
            json={"username": "admin", "password": "wrong"},
            headers={"X-Forwarded-For": address},
        ).status_code

    assert [wrong(f"198.51.100.{number}, 203.0.113.50:4{number}") for number in range(LIMIT)] == [401] * LIMIT
    assert wrong("198.51.100.99, 203.0.113.50:49") == 429
    assert wrong("203.0.113.51:40") == 401


def test_the_form_is_limited(production: Production) -> None:
    headers = {**FRONT_END, "X-Forwarded-For": "203.0.113.60:4"}
    with httpx.Client(base_url=production.address, headers=headers) as browser:
        page = browser.get("/auth/login/")
        token = page.text.partition('name="csrf_token" type="hidden" value="')[2].partition('"')[0]
        cookie = {"Cookie": page.headers["set-cookie"].split(";")[0]}
        form = {"username": "admin", "password": "wrong", "csrf_token": token}
        found = [
            browser.post("/auth/login/", data=form, headers={**cookie, **FROM_FORM}).status_code
            for _ in range(11)
        ]
    assert found[-1] == 429
    assert 429 not in found[:10]


def test_a_user_who_was_switched_off_is_out_at_once(
    production: Production, people: dict[str, httpx.Client]
) -> None:
    admin = people["Admin"]
    body = {"username": "leaver", "first_name": "a", "last_name": "b", "email": "l@example.org"}
    body |= {"password": PASSWORD, "roles": [{"name": "Viewer"}]}  # type: ignore[dict-item]
    assert admin.post("/auth/fab/v1/users", json=body).is_success
    headers = {**FRONT_END, "X-Forwarded-For": "203.0.113.70"}
    answer = httpx.post(
        f"{production.address}/auth/token", json={"username": "leaver", "password": PASSWORD}, headers=headers
    )
    token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert admin.delete("/auth/fab/v1/users/leaver").is_success
    assert httpx.get(f"{production.address}/api/v2/dags", headers=token).status_code in (401, 403)


def test_no_secret_is_in_what_the_server_shows_an_admin(
    production: Production, people: dict[str, httpx.Client]
) -> None:
    shown = json.dumps(
        [
            people["Admin"].get(path).text
            for path in ("/api/v2/config", "/api/v2/plugins", "/api/v2/variables")
        ]
    )
    for name, secret in production.secrets().items():
        assert secret not in shown, name
