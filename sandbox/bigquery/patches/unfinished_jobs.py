"""A job is written to the disk once, when it has ended, and what is asked about a new one is answered from memory.

local-bigquery 0.4.0 writes each job three times, as pending, running and done, and reads it back as often, which is a
quarter of what a small statement costs. A job that has not ended when the server does is lost either way: compaction deletes
it at the next start. Drop it when upstream writes less.
"""

import json
import threading
from collections import OrderedDict
from typing import Any

from local_bigquery.jobs import store
from local_bigquery.models import Job

# What clients wait for is among the newest; older ones are read from the disk.
REMEMBERED = 500


class Memory:
    """Jobs as text: all that have not ended, which are nowhere else, and the newest of those that have."""

    def __init__(self) -> None:
        self._unfinished: dict[tuple[str, str], str] = {}
        self._ended: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, job: Any, has_ended: bool) -> None:
        key, text = (job.jobReference.projectId, job.jobReference.jobId), json.dumps(job.dump())
        with self._lock:
            if not has_ended:
                self._unfinished[key] = text
                return
            self._unfinished.pop(key, None)
            self._ended[key] = text
            if len(self._ended) > REMEMBERED:
                self._ended.popitem(last=False)

    def find(self, key: tuple[str, str]) -> str | None:
        with self._lock:
            return self._unfinished.get(key) or self._ended.get(key)

    def forget(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._unfinished.pop(key, None)
            self._ended.pop(key, None)

    def unfinished(self) -> list[Any]:
        with self._lock:
            texts = list(self._unfinished.values())
        return [Job.model_validate_json(text) for text in texts]


def apply() -> None:
    """Replace how jobs are saved, loaded, listed and deleted."""
    memory = Memory()
    save_any, load_any, list_any, delete_any = store.save, store.load, store.list_, store.delete

    def save(job: Any) -> Any:
        has_ended = job.status.state == "DONE"
        if has_ended:
            save_any(job)
        memory.keep(job, has_ended)
        return job

    def load(project_id: str, job_id: str) -> Any:
        text = memory.find((project_id, job_id))
        return load_any(project_id, job_id) if text is None else Job.model_validate_json(text)

    def list_(
        project_id: str,
        states: list[str] | None = None,
        parent_job_id: str | None = None,
        min_creation_time: int | None = None,
        max_creation_time: int | None = None,
    ) -> list[Any]:
        def is_asked_for(job: Any) -> bool:
            created = int(job.statistics.creationTime)
            return (
                job.jobReference.projectId == project_id
                and job.statistics.parentJobId == parent_job_id
                and (states is None or job.status.state in states)
                and (min_creation_time is None or created >= min_creation_time)
                and (max_creation_time is None or created <= max_creation_time)
            )

        # Asked first: a job that ends meanwhile is listed as it was, and not left out.
        unfinished = {job.jobReference.jobId: job for job in memory.unfinished() if is_asked_for(job)}
        ended = list_any(project_id, states, parent_job_id, min_creation_time, max_creation_time)
        jobs = unfinished | {job.jobReference.jobId: job for job in ended}
        return sorted(
            jobs.values(), key=lambda job: (-int(job.statistics.creationTime), job.jobReference.jobId)
        )

    def delete(project_id: str, job_id: str) -> None:
        memory.forget((project_id, job_id))
        delete_any(project_id, job_id)

    store.save, store.load, store.list_, store.delete = save, load, list_, delete
