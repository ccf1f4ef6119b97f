"""What Airflow says over its API, as the scripts read it."""

import httpx
import pytest

from reporting.commands.airflow_api import AirflowApi
from reporting.commands.errors import CommandError


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


def test_a_dag_that_is_listed_and_not_stored_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = [["a"], ["a", "b"], ["never asked for"]]
    api(monkeypatch, stored, []).await_dags(["a", "b"])
    assert stored == [["never asked for"]]


def test_a_dag_that_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [{"filename": "dags/b.py", "stack_trace": "Traceback\nNameError: gone"}]
    with pytest.raises(CommandError, match=r"dags/b\.py: NameError: gone"):
        api(monkeypatch, [["a"]], errors).await_dags(["a", "b"])


def test_a_dag_that_never_comes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="does not know b after 1 s"):
        api(monkeypatch, [["a"], ["a"]], []).await_dags(["a", "b"], seconds=1)
