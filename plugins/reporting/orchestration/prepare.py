"""Prepares Airflow's metadata database, in one process: `python -m reporting.orchestration.prepare`.

It migrates the database, creates the project's own tables in it, the pools, and the first admin if there is none, and signs a
token for the program that started it. It prints one line of JSON: `token`, and `password` if an admin was created or got a new
password. Repeating it changes nothing else.

With `--production` the first admin gets the password in REPORTING_ADMIN_PASSWORD (with Microsoft Entra no admin is created),
the channels of alerts are tested if their configuration is new, and nothing is signed or printed.
"""

import argparse
import hmac
import json
import os
import secrets
import sys
from typing import Any

from reporting.deploy import sign_in, stream_store
from reporting.monitoring import alerts
from reporting.settings import ADMIN_PASSWORD

ADMIN = "admin"
# An Airflow variable with a digest of the channels' configuration for which the last test succeeded.
CHANNELS_TRIED = "reporting_channels_tried"
ADMIN_ROLE = "Admin"
# Roles that may read DAGs but not plugins; higher roles may read plugins already.
PLUGIN_READERS = ("Viewer", "User")
TOKEN_SECONDS = 24 * 3600


def main() -> int:
    """Prepare the database and print the answer. Airflow's own output goes to standard error."""
    parser = argparse.ArgumentParser("reporting.orchestration.prepare", description=__doc__)
    parser.add_argument("--new-password", action="store_true", help="give the admin a new random password")
    parser.add_argument(
        "--production", action="store_true", help="use the configured password, and sign no token"
    )
    options = parser.parse_args()
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    _migrate()
    _make_pools()
    if options.production:
        _production_admin()
        _try_channels()
        return 0
    password, token = _admin(options.new_password)
    json.dump({"token": token, "password": password}, answer)
    answer.close()
    return 0


def _migrate() -> None:
    from airflow import settings
    from airflow.providers.fab.auth_manager.models.db import _get_flask_db
    from airflow.utils import db

    try:
        db.check_migrations(0)  # type: ignore[no-untyped-call]
    except TimeoutError:
        db.upgradedb()
    # Airflow does these steps after it recorded the revision. If a start was killed in between, the next one finds nothing
    # to migrate and would never do them.
    db.add_default_pool_if_not_exists()
    db.synchronize_log_template()
    stream_store.create(settings.get_engine())  # type: ignore[no-untyped-call]
    sessions, flask_app = _get_flask_db(settings.SQL_ALCHEMY_CONN)  # type: ignore[no-untyped-call]
    with flask_app.app_context():
        sessions.create_all()


def _make_pools() -> None:
    from airflow.models.pool import Pool

    from reporting.orchestration.dbt import POOL
    from reporting.sources.registry import ENTITIES

    for source in sorted({entity.source for entity in ENTITIES}):
        Pool.create_or_update_pool(
            source,
            1,
            f"One reader of {source} at a time, so that readers need not share the rate limit.",
            False,
        )
    Pool.create_or_update_pool(
        POOL, 1, "One dbt process at a time, because two would write the same tables.", False
    )


def _show_plugins(manager: Any) -> None:
    """Give roles that may read DAGs the right to read plugins, without which Airflow hides the report in its menu."""
    may_read = manager.create_permission("can_read", "Plugins")
    for name in PLUGIN_READERS:
        role = manager.find_role(name)
        if role is not None and may_read not in role.permissions:
            manager.add_permission_to_role(role, may_read)


def _production_admin() -> None:
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        _show_plugins(manager)
        role = manager.find_role(ADMIN_ROLE)
        # Creating the app builder also updates the roles to this version, so this is needed with Entra, too.
        if sign_in.is_entra() or any(role in user.roles for user in manager.get_all_users()):
            return
        password = os.environ.get(ADMIN_PASSWORD)
        if not password:
            raise SystemExit(
                f"there is no admin yet, and {ADMIN_PASSWORD} is not set. Set it for the first start. You can remove it "
                "afterwards."
            )
        if not manager.add_user(ADMIN, ADMIN, ADMIN, f"{ADMIN}@localhost", role, password):
            raise SystemExit("the first admin could not be made; the lines above say why.")


def _try_channels() -> None:
    """Test every channel with one message, and the ping, once per configuration."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    values = [os.environ.get(name, "") for name in alerts.VARIABLES]
    key = os.environ["AIRFLOW__API__SECRET_KEY"].encode()
    mark = hmac.new(key, json.dumps(values).encode(), "sha256").hexdigest()
    with create_session() as session:
        kept = session.scalar(select(Variable).where(Variable.key == CHANNELS_TRIED))
        if kept is not None and kept.get_val() == mark:
            return
    channels = alerts.read_channels()
    text = "This is the test of a new channel. Alerts of personal-reporting will be sent here."
    errors = channels.send(alerts.Message("personal-reporting: test of this channel", text))
    try:
        channels.ping()
    except alerts.AlertError as error:
        errors.append(error)
    if errors:
        said = "; ".join(map(str, errors))
        raise SystemExit(
            f"an alert would not arrive: {said}. Correct the variable of that channel, or set it to none."
        )
    Variable.set(CHANNELS_TRIED, mark)


def _admin(new_password: bool) -> tuple[str | None, str]:
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    password = secrets.token_urlsafe(12)
    with get_application_builder() as builder:
        manager = builder.sm
        _show_plugins(manager)
        user = manager.find_user(username=ADMIN)
        if user is None:
            made = manager.add_user(
                ADMIN, ADMIN, ADMIN, f"{ADMIN}@localhost", manager.find_role(ADMIN_ROLE), password
            )
            if not made:
                raise SystemExit("the first admin could not be made; the lines above say why.")
            user = manager.find_user(username=ADMIN)
        elif new_password:
            manager.reset_password(user.id, password)
        else:
            password = ""
        token = create_auth_manager().generate_jwt(user, expiration_time_in_seconds=TOKEN_SECONDS)
    return password or None, token


if __name__ == "__main__":
    sys.exit(main())
