"""Guides through connecting one's own data, checks it, and keeps it in a file outside the repository.

Everything that it asks can be set in the environment instead; a variable there wins.
"""

import argparse
import getpass
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console

from reporting.commands import checks, configuration
from reporting.commands.errors import CommandError, run
from reporting.entities import HUBSPOT, HUBSPOT_OBJECTS, NOTION, NotionDatabase
from reporting.settings import SWITCHED_OFF, read_settings
from reporting.sources import notion
from reporting.sources.base import NotFoundError, SourceError

NOTION_STEPS = """
1. Make an integration at https://www.notion.so/profile/integrations (type: internal; capability: read content).
2. Open each habits database in Notion and choose ··· → Connections → the integration's name.
3. Copy the integration's secret (it begins with ntn_) and paste it here; it is not shown.
"""
HUBSPOT_STEPS = """
1. In HubSpot, open Settings → Integrations → Private Apps, and create one (you must be a super admin).
2. Give it these scopes, all for reading: crm.objects.contacts, .companies, .deals and .owners; for engagements
   crm.objects.contacts covers calls, meetings, notes, tasks and communications; e-mails need sales-email-read.
3. Copy the app's access token (it begins with pat-) and paste it here; it is not shown.
"""
BIGQUERY_STEPS = """
1. Make a project at https://console.cloud.google.com and note its id.
2. Link a billing account to it: without one BigQuery takes no INSERT or MERGE. The free tier stays free.
3. Make a service account with the roles BigQuery Data Editor and BigQuery Job User, and a JSON key for it.
"""


def main() -> int:
    """Connect one source or the warehouse."""
    parser = argparse.ArgumentParser("script/connect", description=__doc__)
    parser.add_argument("what", choices=("notion", "hubspot", "bigquery"))
    options = parser.parse_args()
    console = Console(highlight=False)
    path = configuration.owner_file()
    try:
        if options.what == "notion":
            _notion(console, path)
        elif options.what == "hubspot":
            _hubspot(console, path)
        else:
            _bigquery(console, path)
    except EOFError:
        raise CommandError("the input ended before everything was answered; nothing was stored.") from None
    except SourceError as error:
        raise CommandError(f"{error} Nothing was stored.") from None
    return 0


def _notion(console: Console, path: Path) -> None:
    console.print(NOTION_STEPS)
    # For a stand-in; the real one needs no host.
    host = os.environ.get("REPORTING_NOTION_HOST")
    token = _ask_token()
    connection = configuration.token_connection(token, host)
    source = checks.notion_source(connection)
    try:
        found = list(source.data_sources())
        if not found:
            raise CommandError(
                "the token is good, but no database is shared with the integration yet. Do step 2 and run it again."
            )
        console.print("It sees these databases:")
        for number, each in enumerate(found, 1):
            console.print(f"  {number}. {notion.title_of(each)}", markup=False)
        changes = {"AIRFLOW_CONN_NOTION": connection}
        for entity in NOTION:
            changes |= _choose(console, source, found, entity)
    finally:
        source.close()
    changes["REPORTING_TIMEZONE"] = _timezone(configuration.read_owner_file(path))
    configuration.write_owner_file(path, changes)
    console.print(
        f"\nStored in {path}. Next: script/server, or script/round for a single round.",
        soft_wrap=True,
        markup=False,
    )


def _hubspot(console: Console, path: Path) -> None:
    console.print(HUBSPOT_STEPS, markup=False)
    # For a stand-in; the real one needs no host.
    connection = configuration.token_connection(_ask_token(), os.environ.get("REPORTING_HUBSPOT_HOST"))
    version = read_settings(configuration.read_owner_file(path) | dict(os.environ)).hubspot_version
    portal = checks.hubspot_portal(connection, version)
    changes = {"AIRFLOW_CONN_HUBSPOT": connection}
    try:
        refusals = {entity: checks.hubspot_refusal(portal, entity) for entity in HUBSPOT}
    finally:
        portal.close()
    if all(refusals[entity] for entity in HUBSPOT_OBJECTS):
        raise CommandError(f"{refusals[HUBSPOT_OBJECTS[0]]} Nothing was stored.")
    for entity, refusal in refusals.items():
        # What was switched off for want of a scope is on again when the scope is there.
        name = f"REPORTING_NAME_{entity.table.upper()}"
        changes[name] = ""
        if refusal:
            console.print(f"\n{refusal}", markup=False)
            if _ask(f"Go on without {entity.name} (yes or no)", "yes").lower() not in ("y", "yes"):
                raise CommandError("add the scope and run it again; nothing was stored.")
            changes[name] = SWITCHED_OFF
    kept = configuration.read_owner_file(path)
    if "REPORTING_TIMEZONE" not in kept:
        changes["REPORTING_TIMEZONE"] = _timezone(kept)
    configuration.write_owner_file(path, changes)
    console.print(
        f"\nStored in {path}. Next: script/server, or script/round for a single round.",
        soft_wrap=True,
        markup=False,
    )


def _ask_token() -> str:
    token = getpass.getpass("Token: ").strip()
    if not token:
        raise CommandError("no token was given; nothing was stored.")
    return token


def _choose(
    console: Console, source: notion.NotionSource, found: list[dict[str, Any]], entity: NotionDatabase
) -> dict[str, str]:
    """Which database an entity is read from, by id so that renaming it changes nothing."""
    named = [n for n, each in enumerate(found, 1) if notion.title_of(each) == entity.default_name]
    default = str(named[0]) if len(named) == 1 else SWITCHED_OFF
    console.print(f"\n{entity.description}", markup=False)
    while True:
        answer = _ask(f"Number of the database for {entity.name.replace('_', ' ')}, or none", default)
        if answer == "none":
            # A name that matches nothing would be an error at every run.
            return {
                f"REPORTING_NAME_{entity.table.upper()}": "none",
                f"REPORTING_DATE_PROPERTY_{entity.table.upper()}": "",
            }
        if answer.isdecimal() and 1 <= int(answer) <= len(found):
            break
        console.print(f"'{answer}' is none of them.", markup=False)
    chosen = source.find(found[int(answer) - 1]["id"])
    date = _date_property(console, chosen) if entity.is_dated else ""
    table = entity.table.upper()
    return {f"REPORTING_NAME_{table}": chosen["id"], f"REPORTING_DATE_PROPERTY_{table}": date}


def _date_property(console: Console, chosen: Mapping[str, Any]) -> str:
    """Empty when the database has one date property; else the id of the one that dates a row."""
    try:
        notion.date_property(chosen)
    except NotFoundError:
        dates = [each for each in chosen["properties"].values() if each["type"] == "date"]
    else:
        return ""
    if not dates:
        raise CommandError(
            f"'{notion.title_of(chosen)}' has no date property, so its rows belong to no day. Add one in Notion; "
            "nothing was stored."
        )
    for number, each in enumerate(dates, 1):
        console.print(f"  {number}. {each['name']}", markup=False)
    while True:
        answer = _ask("Number of the property that dates a row", "1")
        if answer.isdecimal() and 1 <= int(answer) <= len(dates):
            return str(dates[int(answer) - 1]["id"])


def _timezone(kept: Mapping[str, str]) -> str:
    default = kept.get("REPORTING_TIMEZONE") or _machine_timezone()
    while True:
        answer = _ask("Your time zone (days begin and end by it)", default)
        try:
            ZoneInfo(answer)
        except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
            default = "UTC"
        else:
            return answer


def _machine_timezone() -> str:
    parts = Path("/etc/localtime").resolve().parts
    return "/".join(parts[parts.index("zoneinfo") + 1 :]) if "zoneinfo" in parts else "UTC"


def _bigquery(console: Console, path: Path) -> None:
    console.print(BIGQUERY_STEPS)
    kept = configuration.read_owner_file(path)
    project = _ask("Project id", kept.get("REPORTING_BIGQUERY_PROJECT", ""))
    location = _ask(
        "Location of the datasets (cannot change later)", kept.get("REPORTING_BIGQUERY_LOCATION", "US")
    )
    key = _ask("Path of the service account's key, or none for this machine's own credentials", "none")
    extra: dict[str, Any] = {"project": project}
    if key != "none":
        try:
            extra["keyfile_dict"] = json.dumps(json.loads(Path(key).expanduser().read_text()))
        except (OSError, ValueError) as error:
            raise CommandError(
                f"{key} is not a key file ({type(error).__name__}); nothing was stored."
            ) from None
    changes = {
        "REPORTING_BIGQUERY_PROJECT": project,
        "REPORTING_BIGQUERY_LOCATION": location,
        "AIRFLOW_CONN_BIGQUERY": json.dumps({"conn_type": "gcpbigquery", "extra": extra}),
    }
    wrong = [each for each in checks.check_bigquery(kept | changes) if not each.is_well]
    if wrong:
        said = " ".join(f"{each.subject}: {each.text}" for each in wrong)
        raise CommandError(f"{said} Nothing was stored.")
    configuration.write_owner_file(path, changes)
    console.print(
        f"\nStored in {path}. script/server and script/round load there now.", soft_wrap=True, markup=False
    )


def _ask(question: str, default: str) -> str:
    return input(f"{question} [{default}]: ").strip() or default


if __name__ == "__main__":
    run("script/connect", main)
