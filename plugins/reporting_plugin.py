"""What the project adds to Airflow: the report and the pipelines with their entries in the menu, `/reporting/health`, and the guard
before all."""

from airflow.plugins_manager import AirflowPlugin

from reporting.web import guard, health, pipelines, site


class ReportingPlugin(AirflowPlugin):
    """Airflow mounts what is listed here as it is: nothing of its own sign-in stands before it."""

    name = "reporting"
    # The first that fits answers: what is below another one's prefix stands before it.
    fastapi_apps = [  # noqa: RUF012
        {"name": "site", "app": site.app(), "url_prefix": site.PREFIX},
        {"name": "pipelines", "app": pipelines.app(), "url_prefix": pipelines.PREFIX},
        {"name": "health", "app": health.app(), "url_prefix": health.PREFIX},
    ]
    fastapi_root_middlewares = [{"name": "guard", "middleware": guard.Guard}]  # noqa: RUF012
    # Framed at /plugin/reporting. Without a slash before it, the address also fits where Airflow is below another path.
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
