"""Jobs of BigQuery that go on when the client that started them is gone."""

import io
from collections.abc import Callable
from typing import Any

from google.api_core.exceptions import Conflict
from google.cloud import bigquery


class Running:
    """A job that has not ended: it does when somebody waits for it."""

    state = "RUNNING"
    error_result = None

    def __init__(self, result: Callable[[], Any]) -> None:
        self.result = result


class Jobs:
    """A client, some of whose jobs are left running.

    The local BigQuery ends a job before it answers, so what the real one does meanwhile is done here: the id is
    taken, the job says that it runs, and its work is done later.
    """

    def __init__(self, client: bigquery.Client) -> None:
        self._client = client
        self._left: dict[str, Callable[[], Any]] = {}
        self._wanted: tuple[str, Callable[[], None]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def leave(self, name: str, die: Callable[[], None]) -> None:
        """Leave the next job that is called so running, and `die`."""
        self._wanted = (name, die)

    def finish(self) -> None:
        """Let the jobs that were left come to their end; the next one is watched again."""
        self._wanted = None
        for job_id in list(self._left):
            self._end(job_id)

    def query(self, *arguments: Any, job_id: str | None = None, **options: Any) -> Any:
        return self._started(job_id, lambda: self._client.query(*arguments, job_id=job_id, **options))

    def load_table_from_file(self, file: Any, *arguments: Any, job_id: str, **options: Any) -> Any:
        content = file.read()

        def start() -> Any:
            return self._client.load_table_from_file(
                io.BytesIO(content), *arguments, job_id=job_id, **options
            )

        return self._started(job_id, start)

    def get_job(self, job_id: str) -> Any:
        if job_id in self._left:
            return Running(lambda: self._end(job_id))
        return self._client.get_job(job_id)

    def _started(self, job_id: str | None, start: Callable[[], Any]) -> Any:
        if job_id in self._left:
            raise Conflict("Already Exists: Job")
        if job_id is not None and self._wanted and f"-{self._wanted[0]}-" in job_id:
            die, self._wanted = self._wanted[1], None
            self._left[job_id] = start
            die()
        return start()

    def _end(self, job_id: str) -> Any:
        return self._left.pop(job_id)().result()
