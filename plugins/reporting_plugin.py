"""The Airflow plugin: adds the report, the page of pipelines, `/reporting/health`, the addresses of events and
streams, and a guard that checks
every request.

In the scheduler it imports what tasks need.
"""

from airflow.plugins_manager import AirflowPlugin

from reporting.orchestration import preload
from reporting.web import events, guard, health, pipelines, site, stream


class ReportingPlugin(AirflowPlugin):
    """Airflow mounts these applications without its own sign-in; the guard and the applications check who is asking."""

    name = "reporting"
    # The first prefix that matches wins, so a longer prefix comes before a shorter one that it begins with.
    fastapi_apps = [  # noqa: RUF012
        {"name": "site", "app": site.app(), "url_prefix": site.PREFIX},
        {"name": "pipelines", "app": pipelines.app(), "url_prefix": pipelines.PREFIX},
        {"name": "events", "app": events.app(), "url_prefix": events.PREFIX},
        {"name": "stream", "app": stream.app(), "url_prefix": stream.PREFIX},
        {"name": "health", "app": health.app(), "url_prefix": health.PREFIX},
    ]
    listeners = [preload]  # noqa: RUF012
    fastapi_root_middlewares = [{"name": "guard", "middleware": guard.Guard}]  # noqa: RUF012
    # Shown in a frame at /plugin/reporting. The address is relative, so that it also works if Airflow runs below a path.
    external_views = [  # noqa: RUF012
        {
            "name": "Reporting",
            "href": f"{site.PREFIX.lstrip('/')}/",
            "destination": "nav",
            "url_route": "reporting",
            "nav_top_level": True,
        },
        {
            "name": "Pipelines",
            "href": f"{pipelines.PREFIX.lstrip('/')}/",
            "destination": "nav",
            "url_route": "reporting-pipelines",
            "nav_top_level": True,
        },
    ]
