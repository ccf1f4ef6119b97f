"""What Airflow says over its API, as the scripts read it."""

import json

import httpx
import pytest

from reporting.deploy.airflow_api import AirflowApi
from reporting.deploy.errors import CommandError


def api(monkeypatch: pytest.MonkeyPatch, stored: list[list[str]], errors: list[dict[str, str]]) -> AirflowApi:
    """An Airflow that lists `a` and `b` from the start; `stored` are the DAGs with a version, one element an answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2/")
        if path == "dags":
            found, key = [{"dag_id": name} for name in "ab"], "dags"
        elif path == "dags/~/dagVersions":
            found, key = [{"dag_id": name} for name in (stored.pop(0) if stored else [])], "dag_versions"
        else:
            found, key = errors, "import_errors"
        return httpx.Response(200, json={key: found, "total_entries": len(found)})

    made = AirflowApi("http://127.0.0.1:1", "token")
    monkeypatch.setattr(
        made, "_client", httpx.Client(base_url="http://a/api/v2", transport=httpx.MockTransport(answer))
    )
    return made


def flaky(
    monkeypatch: pytest.MonkeyPatch, answers: list[int | Exception]
) -> tuple[AirflowApi, list[httpx.Request], list[float]]:
    """An Airflow that gives these statuses in turn, or fails so; what it was asked, and the pauses in between."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        given = answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return httpx.Response(given, json={"is_paused": True})

    made, paused = AirflowApi("http://127.0.0.1:1", "token"), list[float]()
    client = httpx.Client(base_url="http://a/api/v2", transport=httpx.MockTransport(answer))
    monkeypatch.setattr(made, "_client", client)
    monkeypatch.setattr(made, "_pause", paused.append)
    return made, asked, paused


@pytest.mark.parametrize("passing", [500, 503, httpx.ReadTimeout("slow"), httpx.ConnectError("refused")])
def test_a_run_is_triggered_once_whatever_becomes_of_the_answer(
    monkeypatch: pytest.MonkeyPatch, passing: int | Exception
) -> None:
    """The second try finds the run that the first has made, whose answer was lost."""
    made, asked, paused = flaky(monkeypatch, [passing, passing, 409])
    run_id = made.trigger("a", {"days": 1})
    bodies = [json.loads(each.content) for each in asked]
    assert bodies == [{"dag_run_id": run_id, "logical_date": None, "conf": {"days": 1}}] * 3
    assert run_id.startswith("manual__")
    assert paused == [0.5, 2.0]


def test_patience_ends_and_a_refusal_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    made, asked, _ = flaky(monkeypatch, [500] * 4)
    with pytest.raises(CommandError, match="Airflow answered 500 for GET dags/a"):
        made.is_paused("a")
    assert len(asked) == 4
    made, asked, paused = flaky(monkeypatch, [404])
    with pytest.raises(CommandError, match="Airflow answered 404"):
        made.trigger("a")
    assert (len(asked), paused) == (1, [])
    made, _, _ = flaky(monkeypatch, [httpx.ConnectError("refused")] * 4)
    with pytest.raises(CommandError, match=r"does not answer \(ConnectError\)"):
        made.pause("a", True)


def test_a_dag_that_is_listed_and_not_stored_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = [["a"], ["a", "b"], ["never asked for"]]
    api(monkeypatch, stored, []).await_dags(["a", "b"])
    assert stored == [["never asked for"]]


def test_a_dag_that_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [{"filename": "dags/b.py", "stack_trace": "Traceback\nNameError: gone"}]
    with pytest.raises(CommandError, match=r"dags/b\.py: NameError: gone"):
        api(monkeypatch, [["a"]], errors).await_dags(["a", "b"])


def test_a_dag_that_never_comes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="has not loaded b within 1 s"):
        api(monkeypatch, [["a"], ["a"]], []).await_dags(["a", "b"], seconds=1)
