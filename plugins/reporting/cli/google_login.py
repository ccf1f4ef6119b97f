"""Logs in to Google, so that your contacts, a sheet, or your calendars can be read.

Calendars have a consent of their own, and contacts share theirs with the sheet if one is configured.

A browser on this machine asks for your consent. Google then sends the browser back with a code that nobody else can use (loopback
address, PKCE and state): https://developers.google.com/identity/protocols/oauth2/native-app. The refresh token is stored for
Airflow.

Examples:

    script/google-login ~/Downloads/client_secret.json
    script/google-login --source google_calendar ~/Downloads/client_secret.json
"""

import getpass
import json
import logging
import os
import webbrowser
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from reporting.cli.command import CALLER, Terminal, one_of, print_steps, starting_with
from reporting.deploy import checks, configuration
from reporting.deploy.errors import CommandError
from reporting.settings import Commands, read, read_settings
from reporting.sources.base import SourceError
from reporting.sources.google_api import TOKEN_ADDRESS
from reporting.sources.registry import SOURCES

# The sources with a login of their own.
LOGINS = tuple(name for name, each in SOURCES.items() if each.is_login and each.connection == name)
AUTHORIZATION_ADDRESS = "https://accounts.google.com/o/oauth2/v2/auth"
LOOPBACK = "127.0.0.1"
STEPS = """
1. Make a project at https://console.cloud.google.com, and enable the {apis} in it (APIs & Services, Library).
2. Under Google Auth Platform, give the app a name (Branding), choose External (Audience), and publish it there
   ("Publish app"). While it is in Testing, logins end after seven days. For your own use it need not be verified:
   Google shows a warning once, and lets you continue (Advanced, Go to ...).
3. Make a client there (Clients, Create client) of the type Desktop app, and download its JSON.
"""


def main(
    client: Annotated[
        str | None,
        typer.Argument(
            metavar="CLIENT",
            help="path of the client's JSON, or its id (asked for if not given)",
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="print the address and do not open a browser")
    ] = False,
    port: Annotated[
        int,
        typer.Option(metavar="PORT", help="port for the browser's return (any free one)", show_default=False),
    ] = 0,
    seconds: Annotated[int, typer.Option(help="seconds to wait for the browser")] = 300,
    source: Annotated[
        str,
        typer.Option(
            parser=one_of(LOGINS),
            autocompletion=starting_with(LOGINS),
            metavar="SOURCE",
            help=f"what to read with it: {', '.join(LOGINS)}",
        ),
    ] = "google",
) -> int:
    """Log in, check that the source can be read, and store the connection."""
    console = Console(highlight=False)
    path = configuration.owner_file()
    kept = configuration.read_owner_file(path)
    # Only set for a fake API.
    host = read(Commands).hosts.get(source)
    wanted = SOURCES[source]
    apis = wanted.checks.login(kept | dict(os.environ))
    try:
        if not client:
            print_steps(console, STEPS.format(apis=" and the ".join(each.title for each in apis)))
        chosen = _client(client or input("Path of the client's JSON, or its id: ").strip())
        scopes = [each.scope for each in apis]
        user = log_in(
            chosen,
            scopes,
            host,
            opens_browser=not no_browser,
            port=port,
            seconds=seconds,
        )
        changes = {checks.variable_of(wanted): configuration.google_connection(user, scopes, host)}
        token, _ = checks.token_of(changes[checks.variable_of(wanted)], wanted)
        changes |= wanted.checks.connect(
            Terminal(console), read_settings(kept | dict(os.environ)), token, host
        )
    except SourceError as error:
        raise CommandError(f"{error} Nothing was stored.") from None
    except EOFError:
        raise CommandError("the input ended before everything was answered; nothing was stored.") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was stored") from None
    configuration.write_owner_file(path, changes)
    console.print(
        f"\nStored in {path}. Next: script/server, or script/sync for a single sync.",
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
    """Let the owner grant `scopes` to an OAuth client (`client_id`, `client_secret`) within `seconds`, and return the
    authorized user.

    `host` is a fake API's address. Raises `CommandError`.
    """
    # Imported here, because it is slow to import and no other command needs it.
    import requests
    from google_auth_oauthlib.flow import InstalledAppFlow, WSGITimeoutError
    from oauthlib.oauth2 import MismatchingStateError, OAuth2Error

    # At lower levels these libraries log codes and tokens.
    for name in ("google_auth_oauthlib", "requests_oauthlib", "oauthlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if host and host.startswith("http://"):
        os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    addresses = {
        "auth_uri": f"{host}/o/oauth2/v2/auth" if host else AUTHORIZATION_ADDRESS,
        "token_uri": f"{host}/token" if host else TOKEN_ADDRESS,
    }
    flow = InstalledAppFlow.from_client_config({"installed": {**client, **addresses}}, scopes=list(scopes))
    # The error is raised outside the handlers, because the handled errors may quote the code.
    try:
        credentials = flow.run_local_server(
            host=LOOPBACK,
            port=port,
            open_browser=opens_browser and _has_browser(),
            authorization_prompt_message="Open this address in a browser on this machine, and give your consent:\n\n{url}\n",
            success_message="The login is complete. You can close this window.",
            timeout_seconds=seconds,
            # Google only returns a refresh token with a new consent, and not if it was given before.
            prompt="consent",
        )
    except WSGITimeoutError:
        wrong = f"nobody consented within {seconds:.0f} seconds"
    except MismatchingStateError:
        wrong = "the browser returned the answer of another login; close its other windows"
    except OAuth2Error as error:
        code = str(error.error)
        wrong = "the consent was denied" if code == "access_denied" else f"Google refused the login ({code})"
    except requests.RequestException as error:
        wrong = f"Google could not be reached ({type(error).__name__})"
    except OSError as error:
        wrong = f"port {port} cannot be used ({error.strerror})"
    except Warning:
        wrong = f"the consent does not include {' and '.join(scopes)}; leave that access ticked"
    else:
        if credentials.refresh_token:
            user = {"type": "authorized_user", **client, "refresh_token": credentials.refresh_token}
            return user | _end_of(flow.oauth2session.token)
        wrong = "Google gave no refresh token; remove the app at https://myaccount.google.com/connections"
    raise CommandError(f"{wrong}. Nothing was stored; run it again.")


def _end_of(token: Mapping[str, Any]) -> dict[str, str]:
    """When the refresh token expires, so that an alert can be sent before; empty for a published app.

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
    """The id and the secret of the OAuth client, from its JSON file or typed by the user."""
    if given.endswith(".apps.googleusercontent.com"):
        secret = getpass.getpass("The client's secret: ").strip()
        found: Any = {"client_id": given, "client_secret": secret}
    else:
        try:
            found = json.loads((CALLER / Path(given).expanduser()).read_text())
        except (OSError, ValueError) as error:
            raise CommandError(
                f"'{given}' is not the JSON file of an OAuth client ({type(error).__name__}); nothing was stored."
            ) from None
        if isinstance(found, dict) and "installed" not in found:
            kind = ", ".join(found) or "nothing"
            raise CommandError(
                f"'{given}' holds {kind} instead of an OAuth client of the type Desktop app. Make one (Clients, Create "
                "client) and download its JSON; nothing was stored."
            )
        found = found["installed"] if isinstance(found, dict) else {}
    client = {name: str(found.get(name) or "") for name in ("client_id", "client_secret")}
    if not all(client.values()):
        raise CommandError("the OAuth client has no id or no secret; nothing was stored.")
    return client
