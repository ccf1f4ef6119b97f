"""The address of streams: `POST /reporting/stream/ENTITY`, for programs that push records.

| Answer | When |
|---|---|
| 202 | records are accepted: they are on the disk or in the bucket, and are loaded soon; `refused` has those that are not |
| 401 | the token is wrong, missing, revoked, or of another stream; or there is no such stream |
| 405, 408 | it is no POST; the body takes more than five seconds |
| 409 | the `Idempotency-Key` was used for another body |
| 413 | the body has more than 1 MB, or more than 1,000 records |
| 422 | no record is accepted; `refused` says why |
| 429 | more than 60 requests within a minute with this token; `Retry-After` has the seconds |
| 503 | the metadata database or the landing is away, or too much comes at once: send it again |
"""

from reporting.web.guard import App
from reporting.web.site import Lazy

PREFIX = "/reporting/stream"


def app() -> Lazy:
    """The application for this server."""
    return Lazy(_with_airflow)


def _with_airflow() -> App:
    # Every process of Airflow loads the plugins, and only its web server needs this.
    from reporting.web.stream.server import application_of_server

    return application_of_server()
