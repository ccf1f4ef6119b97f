"""A client of Airflow's REST API: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html"""

import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from reporting.deploy.errors import CommandError

ENDED = frozenset({"success", "failed"})
# Temporary errors, after which a request is sent again. Airflow answers with them if SQLite was locked for too long: it writes
# each change to its audit log and waits for that in its only event loop, which the request with the lock needs to go on.
PASSING = frozenset({500, 502, 503, 504})
# Seconds to wait before each retry.
PAUSES = (0.5, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Task:
    """One task of one run."""

    dag_id: str
    task_id: str
    state: str


class AirflowApi:
    """A client of Airflow at `address`. Raises `CommandError` if Airflow refuses a request or does not answer."""

    def __init__(self, address: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=f"{address}/api/v2",
            headers={"Authorization": f"Bearer {token}"},
            transport=httpx.HTTPTransport(retries=3),
            timeout=30,
        )
        self._pause = threading.Event().wait

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def await_dags(self, dag_ids: Iterable[str], seconds: float = 120) -> None:
        """Wait until all of `dag_ids` can be triggered.

        Airflow lists a DAG shortly before it stores the DAG's code, so this waits until the DAG has a version.
        """
        wanted = set(dag_ids)
        pause = threading.Event()
        for _ in range(int(seconds * 2)):
            stored = {version["dag_id"] for version in self._all("dags/~/dagVersions", "dag_versions")}
            known = {dag["dag_id"] for dag in self._all("dags", "dags")} & stored
            if wanted <= known:
                return
            if errors := self._all("importErrors", "import_errors"):
                text = "; ".join(
                    f"{error['filename']}: {_last_line(error['stack_trace'])}" for error in errors
                )
                raise CommandError(f"Airflow cannot read the DAGs: {text}")
            pause.wait(0.5)
        raise CommandError(
            f"Airflow has not loaded {', '.join(sorted(wanted - known))} within {seconds:.0f} s. Look at airflow.log in the "
            "state folder."
        )

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run with the parameters `conf` and return its id."""
        # We choose the id, so that a retry after a lost answer does not start a second run.
        run_id = f"manual__{datetime.now(UTC).isoformat()}__{secrets.token_hex(4)}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        self._call("POST", f"dags/{dag_id}/dagRuns", body, is_there=409)
        return run_id

    def is_paused(self, dag_id: str) -> bool:
        """Whether a DAG is paused."""
        return bool(self._call("GET", f"dags/{dag_id}")["is_paused"])

    def pause(self, dag_id: str, is_paused: bool) -> None:
        """Pause or resume a DAG. Events do not start runs of a paused DAG."""
        self._call("PATCH", f"dags/{dag_id}", {"is_paused": is_paused})

    def state(self, dag_id: str, run_id: str) -> str:
        """The state of a run: queued, running, success or failed."""
        return str(self._call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def runs(self, dag_id: str, since: datetime) -> list[dict[str, Any]]:
        """The runs of a DAG that were created at or after `since`."""
        after = since.astimezone(UTC).isoformat()
        return self._all(f"dags/{dag_id}/dagRuns", "dag_runs", run_after_gte=after)

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        """The tasks of a run."""
        found = self._all(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")
        return [Task(dag_id, each["task_id"], each["state"] or "none") for each in found]

    def error_of(self, dag_id: str, run_id: str, task_id: str) -> str:
        """The error in the log of a task's last attempt."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        attempt = self._call("GET", path)["try_number"]
        lines = self._call("GET", f"{path}/logs/{attempt}", query={"full_content": "true"})["content"]
        said = [line for line in lines if line.get("level") in ("error", "critical")]
        return (
            "\n".join(_said(line) for line in said[-5:])
            or "its log shows no error; read it in the web interface."
        )

    def _all(self, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = self._call("GET", path, query={**query, "limit": "100", "offset": str(len(found))})
            found.extend(answer[key])
            if len(found) >= answer["total_entries"] or not answer[key]:
                return found

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        is_there: int | None = None,
    ) -> dict[str, Any]:
        """Send a request, with retries, and return the answer. `is_there` is the status that means that an earlier try has
        already succeeded."""
        for seconds in (*PAUSES, None):
            try:
                answer = self._client.request(method, path, json=body, params=query)
            except httpx.TransportError as error:
                if seconds is None:
                    raise CommandError(
                        f"Airflow does not answer ({type(error).__name__}); airflow.log in the state folder says why."
                    ) from None
            else:
                if seconds is None or answer.status_code not in PASSING:
                    break
            self._pause(seconds)
        if answer.status_code == is_there:
            return {}
        if answer.is_error:
            raise CommandError(
                f"Airflow answered {answer.status_code} for {method} {path}; airflow.log in the state folder says why."
            )
        found: dict[str, Any] = answer.json()
        return found


def _said(line: dict[str, Any]) -> str:
    """The text of a log line with the exception that belongs to it."""
    errors = [f"{each.get('exc_type')}: {each.get('exc_value')}" for each in line.get("error_detail") or []]
    return "\n".join([str(line.get("event", "")), *errors])


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
