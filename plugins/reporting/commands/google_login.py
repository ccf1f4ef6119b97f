"""Gets leave to read one's own Google contacts, and sheets where one is configured, in a browser on one's own machine, and keeps it for Airflow.

Google leads the browser back to this machine with a code that is worth nothing elsewhere (a loopback address, PKCE, and
a state): https://developers.google.com/identity/protocols/oauth2/native-app. What is kept is the refresh token.
"""

import argparse
import getpass
import json
import logging
import os
import webbrowser
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from reporting.commands import checks, configuration
from reporting.commands.errors import CommandError, run
from reporting.settings import SettingError
from reporting.sources.base import SourceError
from reporting.sources.google_api import TOKEN_ADDRESS
from reporting.warehouse.phones import check_region

AUTHORIZATION_ADDRESS = "https://accounts.google.com/o/oauth2/v2/auth"
LOOPBACK = "127.0.0.1"
STEPS = """
1. Make a project at https://console.cloud.google.com, and enable the People API in it (APIs & Services, Library).
2. Under Google Auth Platform, give the app a name (Branding), choose External (Audience), and publish it there
   ("Publish app"). While it is in Testing, the login ends after seven days. Nobody needs to verify it for yourself:
   Google warns once that it has not, and lets you go on (Advanced, Go to ...).
3. Make a client there (Clients, Create client) of the type Desktop app, and download its JSON.
"""


def main() -> int:
    """Log in, check that contacts can be read, and keep the connection."""
    parser = argparse.ArgumentParser("script/google-login", description=__doc__)
    parser.add_argument(
        "client", nargs="?", help="path of the client's JSON, or its id (asked for if not given)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    parser.add_argument(
        "--port", type=int, default=0, help="where the browser comes back to (default: any free)"
    )
    parser.add_argument("--seconds", type=int, default=300, help="longest wait for the browser (%(default)s)")
    options = parser.parse_args()
    console = Console(highlight=False)
    path = configuration.owner_file()
    kept = configuration.read_owner_file(path)
    # For a stand-in; the real one needs no host.
    host = os.environ.get("REPORTING_GOOGLE_HOST")
    try:
        if not options.client:
            console.print(STEPS)
        client = _client(options.client or input("Path of the client's JSON, or its id: ").strip())
        scopes = configuration.google_scopes(kept | dict(os.environ))
        user = log_in(
            client,
            scopes,
            host,
            opens_browser=not options.no_browser,
            port=options.port,
            seconds=options.seconds,
        )
        connection = configuration.google_connection(user, scopes, host)
        count = _count(connection)
        console.print(f"The login may read {count} contacts.")
        region = _region(kept)
    except EOFError:
        raise CommandError("the input ended before everything was answered; nothing was stored.") from None
    changes = {"AIRFLOW_CONN_GOOGLE": connection, "REPORTING_DEFAULT_REGION": region}
    configuration.write_owner_file(path, changes)
    console.print(
        f"\nStored in {path}. Next: script/server, or script/round for a single round.",
        soft_wrap=True,
        markup=False,
    )
    return 0


def log_in(
    client: Mapping[str, str],
    scopes: Sequence[str],
    host: str | None = None,
    *,
    opens_browser: bool,
    port: int = 0,
    seconds: float,
) -> dict[str, str]:
    """The authorized user of a client (`client_id`, `client_secret`) that the owner lets have `scopes` within `seconds`.

    `host` is a stand-in's address. Raises `CommandError`.
    """
    # Heavy, and not for the other commands.
    import requests
    from google_auth_oauthlib.flow import InstalledAppFlow, WSGITimeoutError
    from oauthlib.oauth2 import MismatchingStateError, OAuth2Error

    # They log codes and tokens below this level.
    for name in ("google_auth_oauthlib", "requests_oauthlib", "oauthlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if host and host.startswith("http://"):
        os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    addresses = {
        "auth_uri": f"{host}/o/oauth2/v2/auth" if host else AUTHORIZATION_ADDRESS,
        "token_uri": f"{host}/token" if host else TOKEN_ADDRESS,
    }
    flow = InstalledAppFlow.from_client_config({"installed": {**client, **addresses}}, scopes=list(scopes))
    # Outside of the handlers: what they caught may quote the code.
    try:
        credentials = flow.run_local_server(
            host=LOOPBACK,
            port=port,
            open_browser=opens_browser and _has_browser(),
            authorization_prompt_message="Consent in a browser on this machine:\n\n{url}\n",
            success_message="That was all: you can close this window.",
            timeout_seconds=seconds,
            # A refresh token is given with a consent, and not with a login that was consented to before.
            prompt="consent",
        )
    except WSGITimeoutError:
        wrong = f"nobody consented within {seconds:.0f} seconds"
    except MismatchingStateError:
        wrong = "the browser brought the answer to another login; close its other windows"
    except OAuth2Error as error:
        code = str(error.error)
        wrong = "the consent was denied" if code == "access_denied" else f"Google refused the login ({code})"
    except requests.RequestException as error:
        wrong = f"Google could not be reached ({type(error).__name__})"
    except OSError as error:
        wrong = f"port {port} cannot be used ({error.strerror})"
    except Warning:
        wrong = f"the consent was to something else than {' and '.join(scopes)}; leave that access ticked"
    else:
        if credentials.refresh_token:
            user = {"type": "authorized_user", **client, "refresh_token": credentials.refresh_token}
            return user | _end_of(flow.oauth2session.token)
        wrong = "Google gave no refresh token; remove the app at https://myaccount.google.com/connections"
    raise CommandError(f"{wrong}. Nothing was stored; run it again.")


def _end_of(token: Mapping[str, Any]) -> dict[str, str]:
    """When the refresh token ends, so that a person is told before; nothing for an app that is published.

    https://developers.google.com/identity/protocols/oauth2/web-server#exchange-authorization-code
    """
    seconds = token.get("refresh_token_expires_in")
    if not isinstance(seconds, int | float) or seconds <= 0:
        return {}
    ends_at = datetime.now(UTC) + timedelta(seconds=seconds)
    return {"refresh_token_expires_at": ends_at.isoformat(timespec="seconds")}


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _client(given: str) -> dict[str, str]:
    """The id and secret of the OAuth client: from its JSON, or typed."""
    if given.endswith(".apps.googleusercontent.com"):
        secret = getpass.getpass("The client's secret: ").strip()
        found: Any = {"client_id": given, "client_secret": secret}
    else:
        try:
            found = json.loads(Path(given).expanduser().read_text())
        except (OSError, ValueError) as error:
            raise CommandError(
                f"'{given}' is no JSON file of an OAuth client ({type(error).__name__}); nothing was stored."
            ) from None
        if isinstance(found, dict) and "installed" not in found:
            kind = ", ".join(found) or "nothing"
            raise CommandError(
                f"'{given}' holds {kind}, and not an OAuth client of the type Desktop app. Make one (Clients, Create "
                "client) and download its JSON; nothing was stored."
            )
        found = found["installed"] if isinstance(found, dict) else {}
    client = {name: str(found.get(name) or "") for name in ("client_id", "client_secret")}
    if not all(client.values()):
        raise CommandError("the OAuth client has no id or no secret; nothing was stored.")
    return client


def _count(connection: str) -> int:
    account = checks.google_account(connection)
    try:
        return account.count()
    except SourceError as error:
        raise CommandError(f"{error} Nothing was stored.") from None
    finally:
        account.close()


def _region(kept: Mapping[str, str]) -> str:
    """The country of numbers that name none; empty for none."""
    default = kept.get("REPORTING_DEFAULT_REGION") or "none"
    while True:
        asked = "Country of telephone numbers that name none (two letters such as DE, or none)"
        answer = input(f"{asked} [{default}]: ").strip() or default
        if answer == "none":
            return ""
        try:
            check_region(answer.upper())
        except SettingError:
            print(f"'{answer}' is no country's letters.")
        else:
            return answer.upper()


if __name__ == "__main__":
    run("script/google-login", main)
