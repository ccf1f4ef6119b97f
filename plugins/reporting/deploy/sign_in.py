"""The settings of sign-in to Airflow's web interface, for Flask-AppBuilder, from the environment.

People sign in with local accounts, or with Microsoft Entra if its three variables are set (`reporting.settings.SignIn`).
An app role in the registration gives the role of the same name here. A person without a role can sign in but sees nothing.
Settings: https://flask-appbuilder.readthedocs.io/en/latest/config.html
App roles: https://learn.microsoft.com/en-us/entra/identity-platform/howto-add-app-roles-in-apps
"""

import os
from collections.abc import Mapping
from typing import Any

from reporting.settings import ENTRA, SignIn, read

ROLES = ("Admin", "Op", "User", "Viewer")
# Flask-AppBuilder creates this role without any permission.
NO_ROLE = "Public"
AUTHORITY = "https://login.microsoftonline.com"
# Flask-AppBuilder's constants for the types of sign-in. Its module is not imported, since that takes a second.
AUTH_DB = 1
AUTH_OAUTH = 4


def is_entra(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether people sign in with Microsoft Entra."""
    return all(environment.get(name, "").strip() for name in ENTRA)


def settings(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The settings for `webserver_config.py`. Raises `SettingError`."""
    given = read(SignIn, environment)
    common = {
        # `reporting.web.guard` limits the form and the tokens together. Flask-AppBuilder's own limit counts per full address,
        # of which a client with IPv6 has many.
        "AUTH_RATE_LIMITED": False,
        "WTF_CSRF_ENABLED": True,
        "SESSION_COOKIE_HTTPONLY": True,
        # With Strict the session would be lost on the way back from Microsoft.
        "SESSION_COOKIE_SAMESITE": "Lax",
    }
    return common | (_entra(given) if given.tenant else _local())


def _local() -> dict[str, Any]:
    return {"AUTH_TYPE": AUTH_DB, "AUTH_USER_REGISTRATION": False}


def _entra(given: SignIn) -> dict[str, Any]:
    base = f"{AUTHORITY}/{given.tenant}/oauth2"
    return {
        "AUTH_TYPE": AUTH_OAUTH,
        # The first sign-in creates the account. The app roles decide at each sign-in what it may do.
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
                    "client_id": given.client,
                    "client_secret": given.secret.get_secret_value() if given.secret else None,
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
