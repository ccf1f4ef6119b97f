"""Who may sign in to Airflow's web interface: Flask-AppBuilder's settings from the environment.

Local accounts, or Microsoft Entra when its three variables are set:

| Variable                        | What it is                                     |
|---------------------------------|------------------------------------------------|
| `REPORTING_ENTRA_TENANT_ID`     | id of the tenant, whose people alone may enter |
| `REPORTING_ENTRA_CLIENT_ID`     | id of the registered application               |
| `REPORTING_ENTRA_CLIENT_SECRET` | its secret                                     |
| `REPORTING_ENTRA_EXPIRES_ON`    | when that secret ends, an ISO date, if wanted  |

An app role of the registration gives the role of that name here. Whoever has none may sign in and see nothing.
Settings: https://flask-appbuilder.readthedocs.io/en/latest/config.html
App roles: https://learn.microsoft.com/en-us/entra/identity-platform/howto-add-app-roles-in-apps
"""

import os
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

TENANT = "REPORTING_ENTRA_TENANT_ID"
CLIENT = "REPORTING_ENTRA_CLIENT_ID"
SECRET = "REPORTING_ENTRA_CLIENT_SECRET"  # noqa: S105  # the variable's name
VARIABLES = (TENANT, CLIENT, SECRET)
# Microsoft tells it to nobody who may only sign people in, so whoever makes the secret notes it.
EXPIRES_ON = "REPORTING_ENTRA_EXPIRES_ON"
ROLES = ("Admin", "Op", "User", "Viewer")
# Flask-AppBuilder makes this role without a permission.
NO_ROLE = "Public"
AUTHORITY = "https://login.microsoftonline.com"
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Flask-AppBuilder's numbers for its ways of signing in; its own module costs a second of import.
AUTH_DB = 1
AUTH_OAUTH = 4


def is_entra(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether people sign in with Microsoft Entra."""
    return all(environment.get(name, "").strip() for name in VARIABLES)


def problems(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each variable that cannot be used, and why."""
    given = {name: environment.get(name, "").strip() for name in VARIABLES}
    if expires_on := environment.get(EXPIRES_ON, "").strip():
        try:
            date.fromisoformat(expires_on)
        except ValueError:
            yield EXPIRES_ON, f"is '{expires_on}'; it takes a date such as 2027-11-30"
    if not any(given.values()):
        return
    for name, value in given.items():
        if not value:
            yield name, "is not set, though others of Microsoft Entra's are; it takes all three or none"
        elif name != SECRET and not GUID.fullmatch(value):
            yield name, "is no id of the form 00000000-0000-0000-0000-000000000000"


def settings(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The settings for `webserver_config.py`."""
    common = {
        # Per client address, and for the form alone: tokens have their own limit in `reporting.web.guard`.
        "AUTH_RATE_LIMITED": True,
        "AUTH_RATE_LIMIT": "10 per minute",
        "RATELIMIT_STORAGE_URI": "memory://",
        "WTF_CSRF_ENABLED": True,
        "SESSION_COOKIE_HTTPONLY": True,
        # Strict would drop the session on the way back from Microsoft.
        "SESSION_COOKIE_SAMESITE": "Lax",
    }
    return common | (_entra(environment) if is_entra(environment) else _local())


def _local() -> dict[str, Any]:
    return {"AUTH_TYPE": AUTH_DB, "AUTH_USER_REGISTRATION": False}


def _entra(environment: Mapping[str, str]) -> dict[str, Any]:
    tenant = environment[TENANT].strip()
    base = f"{AUTHORITY}/{tenant}/oauth2"
    return {
        "AUTH_TYPE": AUTH_OAUTH,
        # A first sign-in makes the account; what it may do is decided by the app roles, anew each time.
        "AUTH_USER_REGISTRATION": True,
        "AUTH_USER_REGISTRATION_ROLE": NO_ROLE,
        "AUTH_ROLES_SYNC_AT_LOGIN": True,
        "AUTH_ROLES_MAPPING": {role: [role] for role in ROLES},
        "OAUTH_PROVIDERS": [
            {
                "name": "azure",
                "icon": "fa-windows",
                "token_key": "access_token",
                "remote_app": {
                    "client_id": environment[CLIENT].strip(),
                    "client_secret": environment[SECRET].strip(),
                    "api_base_url": base,
                    "access_token_url": f"{base}/v2.0/token",
                    "authorize_url": f"{base}/v2.0/authorize",
                    "request_token_url": None,
                    "client_kwargs": {
                        "scope": "openid profile email",
                        "code_challenge_method": "S256",
                        "verify_signature": True,
                    },
                },
            }
        ],
    }
