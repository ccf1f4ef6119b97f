"""The page of pipelines: `/reporting/pipelines/`, for whoever is signed in, with what each may see and do.

| Request            | Who                                  | What                                                      |
|--------------------|--------------------------------------|-----------------------------------------------------------|
| GET `/`, an asset  | who may read DAGs                    | the page, which asks for the rest                         |
| GET `/list`        | the same                             | the pipelines whose DAGs they may read                    |
| GET `/rows/TABLE`  | who may run a DAG of its pipeline    | its first 300 rows by key as CSV, all of them with `?all`; |
|                    |                                      | two such at a time, and 503 for whoever comes then        |
| POST `/pause`      | who may change that DAG              | pauses a DAG until a day, or for good, or resumes it      |

Airflow mounts an application of a plugin without its own sign-in, so its own dependency and its own auth manager decide here.
Runs are started by the page through Airflow's own API. Whatever changes a state is a POST of JSON from the same address: a
form of another site can send neither JSON nor the cookie.
"""

from reporting.web.guard import App
from reporting.web.site import Lazy

PREFIX = "/reporting/pipelines"


def app() -> Lazy:
    """The application for this server."""
    return Lazy(_with_airflow)


def _with_airflow() -> App:
    # Every process of Airflow loads the plugins, and only its web server needs this.
    from reporting.web.pipelines.server import application_of_server

    return application_of_server()
