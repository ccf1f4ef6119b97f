"""The address of events: `POST /reporting/events/SOURCE`, for sources that say when something in them changes.

| Answer | When |
|---|---|
| 200 | the events are noted, or were before; or a key was taken that the owner had asked for |
| 400 | the signature is right, but the body is not what the source sends |
| 401 | the signature is wrong, old or missing |
| 404 | the source has no key here, so that nothing is taken from it |
| 405, 408, 413 | it is no POST; the body takes more than five seconds; it has more than 1 MB |
| 503 | the metadata database is away, or too much comes at once: the source sends it again |

Nobody signs in here: the signature, which the source makes over each body with a key that only it and this server have, says who is
asking. What is refused is counted, and a line a minute says how often; neither has anything of the request.
"""

from reporting.web.guard import App
from reporting.web.site import Lazy

PREFIX = "/reporting/events"


def app() -> Lazy:
    """The application for this server."""
    return Lazy(_with_airflow)


def _with_airflow() -> App:
    # Every process of Airflow loads the plugins, and only its web server needs this.
    from reporting.web.events.server import application_of_server

    return application_of_server()
