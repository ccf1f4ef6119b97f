"""What the project adds to Airflow: `/reporting/health`, and the guard before every request."""

from airflow.plugins_manager import AirflowPlugin

from reporting.web import guard, health


class ReportingPlugin(AirflowPlugin):
    """Airflow mounts what is listed here as it is: nothing of its own sign-in stands before it."""

    name = "reporting"
    fastapi_apps = [{"name": "health", "app": health.app(), "url_prefix": health.PREFIX}]  # noqa: RUF012
    fastapi_root_middlewares = [{"name": "guard", "middleware": guard.Guard}]  # noqa: RUF012
