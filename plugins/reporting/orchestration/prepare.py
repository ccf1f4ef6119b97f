"""Makes Airflow's metadata database ready, in one process: `python -m reporting.orchestration.prepare`.

Migrates it, makes the pools, makes the first admin if there is none, and signs a token for the program that
called. Prints one line of JSON: `token`, and `password` if an admin was made or asked for one. Repeating it
changes nothing else.
"""

import argparse
import json
import os
import secrets
import sys

ADMIN = "admin"
TOKEN_SECONDS = 24 * 3600


def main() -> int:
    """Prepare, and print the answer; whatever Airflow says goes to standard error."""
    parser = argparse.ArgumentParser("reporting.orchestration.prepare", description=__doc__)
    parser.add_argument("--new-password", action="store_true", help="give the admin a new random password")
    options = parser.parse_args()
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    _migrate()
    _make_pools()
    password, token = _admin(options.new_password)
    json.dump({"token": token, "password": password}, answer)
    answer.close()
    return 0


def _migrate() -> None:
    from airflow.utils import db

    try:
        db.check_migrations(0)  # type: ignore[no-untyped-call]
    except TimeoutError:
        db.upgradedb()


def _make_pools() -> None:
    from airflow.models.pool import Pool

    from reporting.entities import ENTITIES
    from reporting.orchestration.dbt import POOL

    for source in sorted({entity.source for entity in ENTITIES}):
        Pool.create_or_update_pool(
            source, 1, f"One reader of {source} at a time, so that one rate budget is enough.", False
        )
    Pool.create_or_update_pool(POOL, 1, "One dbt at a time: two would write the same tables.", False)


def _admin(new_password: bool) -> tuple[str | None, str]:
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    password = secrets.token_urlsafe(12)
    with get_application_builder() as builder:
        manager = builder.sm
        user = manager.find_user(username=ADMIN)
        if user is None:
            made = manager.add_user(
                ADMIN, ADMIN, ADMIN, f"{ADMIN}@localhost", manager.find_role("Admin"), password
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
