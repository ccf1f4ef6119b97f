"""Enrols webhooks and makes the tokens of streams for `script/connect`."""

import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography.fernet import MultiFernet
from rich.console import Console

from reporting.deploy import configuration, event_store, metadata, production, stream_store
from reporting.deploy.errors import CommandError
from reporting.sources.base import Source

POLL_SECONDS = 1.0
ADDRESS = "/reporting/events"


def forget(console: Console, data: Path, source: Source) -> None:
    """Remove the key that was enrolled. Raises `CommandError` if there is none."""
    variable = variable_of(source)
    path = configuration.owner_file()
    kept = configuration.read_owner_file(path)
    if kept.get(variable):
        configuration.write_owner_file(path, {variable: ""})
    else:
        with event_store.connected(metadata.address_of(data, kept | dict(os.environ))) as connection:
            if not event_store.forget_key(connection, source.name):
                raise CommandError(f"{source.title} has no webhook that was enrolled here.")
    console.print(f"The key is removed: events of {source.title} are refused from now on.")


def enrol(
    console: Console,
    data: Path,
    source: Source,
    ask: Callable[[str, str], str],
    ask_secret: Callable[[], str],
) -> None:
    """Enrol the webhook of `source`. Raises `CommandError`, and nothing is stored then."""
    if source.events is None:
        raise CommandError(f"{source.title} sends no events.")
    path = configuration.owner_file()
    variables = configuration.read_owner_file(path) | dict(os.environ)
    _print_address(console, source, variables)
    if hasattr(source.events, "handshake_in"):
        _take_key(console, data, source, variables, ask)
    else:
        console.print("Paste the key with which it signs them: of a HubSpot app, its client secret.")
        configuration.write_owner_file(path, {variable_of(source): ask_secret()})
        console.print(f"Stored in {path}. It counts after the next start.", soft_wrap=True, markup=False)


def stream(console: Console, data: Path, source: Source, name: str | None, is_revoked: bool) -> int:
    """Make a token for a stream and show it, or revoke all of its tokens. Raises `CommandError`."""
    names = [each.name for each in source.entities]
    if name not in names:
        known = (
            f"Use one of {', '.join(names)}."
            if names
            else "None is declared; docs/guides/events.md says how."
        )
        raise CommandError(f"'{name or ''}' is no stream. {known}")
    variables = configuration.read_owner_file(configuration.owner_file()) | dict(os.environ)
    with event_store.connected(metadata.address_of(data, variables)) as connection:
        if is_revoked:
            count = stream_store.revoke(connection, name)
            console.print(f"{count} tokens of {name} are revoked, within five seconds.")
            return 0
        token = stream_store.make_token(connection, name, datetime.now(UTC))
    base = variables.get(production.BASE_URL, "").rstrip("/") or "http://127.0.0.1:8080"
    console.print(
        f"Token of {name}, which is shown only now:\n\n    {token}\n\nPush records with it:\n\n"
        f"    curl {base}/reporting/stream/{name} -H 'Authorization: Bearer {token}' -d '{{...}}'",
        soft_wrap=True,
        markup=False,
    )
    return 0


def variable_of(source: Source) -> str:
    """The name of the variable with the key of a source that does not send it."""
    return f"REPORTING_{source.name.upper()}_WEBHOOK_SECRET"


def _print_address(console: Console, source: Source, variables: Mapping[str, str]) -> None:
    base = variables.get(production.BASE_URL, "").rstrip("/")
    said = (
        f"Address for the webhook of {source.title}: {base or 'https://YOUR-SERVER'}{ADDRESS}/{source.name}"
    )
    console.print(said, soft_wrap=True, markup=False)
    if not base.startswith("https://"):
        console.print(
            f"It must be reachable from outside by https; {production.BASE_URL} says by which name.",
            soft_wrap=True,
        )


def _take_key(
    console: Console,
    data: Path,
    source: Source,
    variables: Mapping[str, str],
    ask: Callable[[str, str], str],
) -> None:
    address = metadata.address_of(data, variables)
    if address is None:
        raise CommandError("there is no installation yet. Start it once with script/server or script/start.")
    keys = variables if variables.get(event_store.FERNET_KEYS) else configuration.keys(data)
    cipher = event_store.cipher_of(keys)
    with event_store.connected(address) as connection:
        until = event_store.open_enrolment(connection, source.name, datetime.now(UTC))
    if until is None:
        raise CommandError(
            f"{source.title} has an active key already, which stays. To take another one, first remove it with "
            f"script/connect {source.name} --webhook --forget."
        )
    is_confirmed = False
    try:
        console.print(
            f"Open until {until:%H:%M} UTC. Create the webhook in {source.title} now, with that address ...",
            soft_wrap=True,
        )
        key = _await_key(address, source, cipher, until)
        console.print(f"\n{source.title} has sent this token. Paste it there:\n\n    {key}\n", markup=False)
        is_confirmed = ask(f"Has {source.title} taken it (yes or no)", "no").lower() in ("y", "yes")
    finally:
        with event_store.connected(address) as connection:
            event_store.close_enrolment(connection, source.name, confirmed=is_confirmed)
    if not is_confirmed:
        raise CommandError(
            "nothing was stored. Somebody else may have sent a token of their own; try it again."
        )
    console.print(f"Events of {source.title} are taken from now on. script/doctor says when one came last.")


def _await_key(address: str, source: Source, cipher: MultiFernet, until: datetime) -> str:
    pause = threading.Event()
    while datetime.now(UTC) < until:
        with event_store.connected(address) as connection:
            sender = event_store.senders(connection, cipher).get(source.name)
        if sender is not None and sender.pending_key:
            return sender.pending_key
        pause.wait(POLL_SECONDS)
    raise CommandError(f"{source.title} has sent nothing within ten minutes; nothing was stored.")
