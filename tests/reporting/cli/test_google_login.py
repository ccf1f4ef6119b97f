"""The login against the fake API's consent page, which consents to everything unless told not to."""

import json
import logging
import threading
import webbrowser
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from reporting.cli.command import call
from reporting.cli.google_login import log_in
from reporting.deploy import checks, configuration
from reporting.deploy.errors import CommandError
from reporting.monitoring.expiry import login_ends_at
from reporting.orchestration import connections
from reporting.settings import read_settings
from reporting.sources.google_calendar.api import CALENDAR
from reporting.sources.google_calendar.entities import GOOGLE_CALENDAR
from reporting.sources.google_contacts.api import PEOPLE
from reporting.sources.registry import SOURCES
from tests.support.google_account import (
    ENTITIES,
    SECRETS,
    USER,
    AddressBook,
    address_book,
    assert_no_secret,
    ids,
)

CALENDARS = GOOGLE_CALENDAR[0]
CLIENT = {name: USER[name] for name in ("client_id", "client_secret")}


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddressBook]:
    """An account; what the owner keeps is a file of the test's own."""
    monkeypatch.setenv("REPORTING_CONFIG", str(tmp_path / "environment"))
    # The command sets it for a fake API, which has no certificate.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "")
    with address_book(tmp_path / "account") as running:
        monkeypatch.setenv("REPORTING_GOOGLE_HOST", running.address)
        yield running


class Browser:
    """Goes where it is sent; `bent` changes where Google sends it to, and `scope` what is consented to."""

    def __init__(self, bent: Callable[[str], str], scope: str = PEOPLE.scope) -> None:
        self.bent, self.scope = bent, scope
        self.addresses: list[str] = []

    def open(self, address: str, **_: Any) -> bool:
        self.addresses.append(address)
        threading.Thread(target=self._go, args=(address,), daemon=True).start()
        return True

    def _go(self, address: str) -> None:
        answer = httpx.get(httpx.URL(address).copy_set_param("scope", self.scope))
        httpx.get(self.bent(answer.headers["location"]))


@pytest.fixture
def browse(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Browser]:
    def made(bent: Callable[[str], str] = lambda address: address, scope: str = PEOPLE.scope) -> Browser:
        browser = Browser(bent, scope)
        monkeypatch.setattr(webbrowser, "get", lambda *_: browser)
        return browser

    return made


def answer(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    given = iter(lines)

    def typed(_: str) -> str:
        try:
            return next(given)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr("getpass.getpass", typed)


def test_a_login_is_kept_and_reads(
    book: AddressBook,
    browse: Callable[..., Browser],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = browse()
    path = tmp_path / "client.json"
    path.write_text(
        json.dumps({"installed": {**CLIENT, "auth_uri": "https://accounts.google.com/o/oauth2/auth"}})
    )
    answer(monkeypatch, "xx", "de")
    assert call("google-login", [str(path)]) == 0
    shown = capsys.readouterr()
    assert "The login works; it can read 30 contacts." in shown.out
    assert "'xx' is not the two letters of a country." in shown.out
    assert_no_secret(shown.out + shown.err + caplog.text)

    asked = httpx.URL(browser.addresses[0]).params
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert asked["code_challenge_method"] == "S256"
    assert asked["code_challenge"]
    assert len(asked["state"]) > 20
    assert (asked["access_type"], asked["prompt"], asked["scope"]) == ("offline", "consent", PEOPLE.scope)

    kept = configuration.read_owner_file(tmp_path / "environment")
    assert (tmp_path / "environment").stat().st_mode & 0o777 == 0o600
    assert kept["REPORTING_DEFAULT_REGION"] == "DE"
    user = json.loads(json.loads(kept["AIRFLOW_CONN_GOOGLE"])["extra"]["credential_config_file"])
    assert login_ends_at(user) is None
    assert user["refresh_token"] != USER["refresh_token"]
    findings = list(checks.check_source(SOURCES["google"], kept))
    assert [(each.subject, each.is_well) for each in findings] == [("Google Contacts", True)]
    assert "30 contacts" in findings[0].text

    # As Airflow's tasks read it, and as its own hook does.
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", kept["AIRFLOW_CONN_GOOGLE"])
    reader = connections.reader(read_settings(kept), ENTITIES["contacts"])
    assert len(ids(list(reader.read(None)))) == 30
    reader.close()
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook

    credentials = GoogleBaseHook(gcp_conn_id="google").get_credentials()
    assert credentials.refresh_token == user["refresh_token"]
    assert credentials.scopes == [PEOPLE.scope]


def test_an_id_and_a_secret_can_be_typed(
    book: AddressBook,
    browse: Callable[..., Browser],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    browse()
    answer(monkeypatch, CLIENT["client_id"], CLIENT["client_secret"], "")
    assert call("google-login", []) == 0
    shown = capsys.readouterr().out
    assert "Publish app" in shown
    assert_no_secret(shown)
    kept = configuration.read_owner_file(tmp_path / "environment")
    assert "REPORTING_DEFAULT_REGION" not in kept
    assert [each.is_well for each in checks.check_source(SOURCES["google"], kept)] == [True, True]


def test_a_login_for_calendars_is_another_beside_that_of_contacts(
    book: AddressBook,
    browse: Callable[..., Browser],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REPORTING_GOOGLE_CALENDAR_HOST", book.address)
    browser = browse(scope=CALENDAR.scope)
    configuration.write_owner_file(tmp_path / "environment", {"AIRFLOW_CONN_GOOGLE": "kept"})
    answer(monkeypatch, CLIENT["client_id"], CLIENT["client_secret"])
    assert call("connect", ["google_calendar"]) == 0
    shown = capsys.readouterr().out
    assert "enable the Google Calendar API in it" in " ".join(shown.split())
    assert "the login works; it can read 5 calendars." in shown
    assert_no_secret(shown)
    assert httpx.URL(browser.addresses[0]).params["scope"] == CALENDAR.scope
    kept = configuration.read_owner_file(tmp_path / "environment")
    assert kept["AIRFLOW_CONN_GOOGLE"] == "kept"
    assert "REPORTING_DEFAULT_REGION" not in kept
    assert [each.is_well for each in checks.check_source(SOURCES["google_calendar"], kept)] == [True]
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CALENDAR", kept["AIRFLOW_CONN_GOOGLE_CALENDAR"])
    reader = connections.reader(read_settings({}), CALENDARS)
    assert len(ids(list(reader.read(None)))) == 5
    reader.close()
    # Contacts cannot be read with it, and whoever has that login alone lacks this one.
    monkeypatch.delenv("AIRFLOW_CONN_GOOGLE", raising=False)
    with pytest.raises(connections.NotConfiguredError, match="Run script/google-login"):
        connections.reader(read_settings({}), ENTITIES["contacts"])
    monkeypatch.delenv("AIRFLOW_CONN_GOOGLE_CALENDAR")
    with pytest.raises(connections.NotConfiguredError, match="Run script/connect google_calendar"):
        connections.reader(read_settings({}), CALENDARS)


def test_the_end_of_a_login_of_an_app_in_testing_is_noted(
    browse: Callable[..., Browser], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "")
    browse()
    with address_book(tmp_path / "account", "--refresh-token-lifetime", "604800") as book:
        user = log_in(CLIENT, [PEOPLE.scope], book.address, opens_browser=True, seconds=20)
    ends_at = login_ends_at(user)
    assert ends_at is not None
    assert timedelta(days=6) < ends_at - datetime.now(UTC) <= timedelta(days=7)


def test_without_a_browser_the_address_is_printed(
    book: AddressBook, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(*_: object) -> None:
        raise webbrowser.Error("none")

    monkeypatch.setattr(webbrowser, "get", none)
    with pytest.raises(CommandError, match=r"nobody consented within 0 seconds\. Nothing was stored"):
        log_in(CLIENT, [PEOPLE.scope], book.address, opens_browser=True, seconds=0.2)
    assert f"{book.address}/o/oauth2/v2/auth?" in capsys.readouterr().out


def test_a_consent_that_is_denied(book: AddressBook, browse: Callable[..., Browser]) -> None:
    browse()
    book.control("POST", "consent/deny")
    with pytest.raises(CommandError, match=r"the consent was denied\. Nothing was stored"):
        log_in(CLIENT, [PEOPLE.scope], book.address, opens_browser=True, seconds=20)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("state", "of-another", "answer of another login"),
        ("code", "4/0A-of-another", r"refused the login \(invalid_grant\)"),
    ],
)
def test_an_answer_of_another_login_is_refused(
    book: AddressBook, browse: Callable[..., Browser], name: str, value: str, said: str
) -> None:
    browse(lambda address: str(httpx.URL(address).copy_set_param(name, value)))
    with pytest.raises(CommandError, match=said) as raised:
        log_in(CLIENT, [PEOPLE.scope], book.address, opens_browser=True, seconds=20)
    assert raised.value.__cause__ is None
    assert_no_secret(str(raised.value))


def test_a_code_is_worth_nothing_without_its_verifier(
    book: AddressBook, browse: Callable[..., Browser]
) -> None:
    """Whoever sees the browser's address has the code, and not what this process made up."""
    stolen: list[httpx.URL] = []

    def seen(address: str) -> str:
        stolen.append(httpx.URL(address))
        return str(httpx.URL(address).copy_set_param("state", "stopped"))

    browse(seen)
    with pytest.raises(CommandError):
        log_in(CLIENT, [PEOPLE.scope], book.address, opens_browser=True, seconds=20)
    body = {
        **CLIENT,
        "grant_type": "authorization_code",
        "code": stolen[0].params["code"],
        "redirect_uri": str(stolen[0].copy_with(query=None)),
    }
    refused = book.http.post("/token", data=body)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_a_consent_to_something_else(book: AddressBook, browse: Callable[..., Browser]) -> None:
    browse(scope="openid")
    with pytest.raises(CommandError, match="the consent does not include https://"):
        log_in(CLIENT, [PEOPLE.scope], book.address, opens_browser=True, seconds=20)


def test_an_app_with_another_secret(book: AddressBook, browse: Callable[..., Browser]) -> None:
    browse()
    with pytest.raises(CommandError, match=r"refused the login \(invalid_client\)"):
        log_in(
            {**CLIENT, "client_secret": "other"}, [PEOPLE.scope], book.address, opens_browser=True, seconds=20
        )


def test_a_login_that_may_read_nothing_is_not_stored(
    book: AddressBook, browse: Callable[..., Browser], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browse()
    book.fault(kind="status", status=404, path="connections")
    answer(monkeypatch, CLIENT["client_id"], CLIENT["client_secret"])
    with pytest.raises(CommandError, match=r"404 .* Nothing was stored"):
        call("google-login", [])
    assert not (tmp_path / "environment").exists()


def test_an_input_that_ends_stores_nothing(
    book: AddressBook, browse: Callable[..., Browser], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browse()
    answer(monkeypatch, CLIENT["client_id"], CLIENT["client_secret"])
    with pytest.raises(CommandError, match="the input ended"):
        call("google-login", [])
    assert not (tmp_path / "environment").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"is not the JSON file of an OAuth client \(FileNotFoundError\)"),
        ("{", r"JSONDecodeError"),
        (json.dumps({"web": CLIENT}), "holds web instead of an OAuth client of the type Desktop app"),
        (json.dumps({"installed": {"client_id": "1"}}), "has no id or no secret"),
    ],
)
def test_a_file_of_another_kind_is_said(
    book: AddressBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, said: str
) -> None:
    path = tmp_path / "client.json"
    if content is not None:
        path.write_text(content)
    answer(monkeypatch)
    with pytest.raises(CommandError, match=said):
        call("google-login", [str(path)])


def test_the_doctor_says_what_is_wrong(book: AddressBook, monkeypatch: pytest.MonkeyPatch) -> None:
    (absent,) = checks.check_source(SOURCES["google"], {})
    assert absent.is_well
    connection = configuration.google_connection(USER, [PEOPLE.scope], book.address)
    good = {"AIRFLOW_CONN_GOOGLE": connection, "REPORTING_DEFAULT_REGION": "DE"}
    assert [each.is_well for each in checks.check_source(SOURCES["google"], good)] == [True]
    for wrong, said in (
        ({"AIRFLOW_CONN_GOOGLE": "1//0-hidden"}, "script/google-login"),
        ({"AIRFLOW_CONN_GOOGLE": "{}"}, "does not hold an authorized user"),
        ({"REPORTING_DEFAULT_REGION": "UK"}, "not a country with a telephone plan"),
        ({"REPORTING_DEFAULT_REGION": "Germany"}, "the two letters of a country"),
    ):
        (finding,) = checks.check_source(SOURCES["google"], good | wrong)
        assert not finding.is_well
        assert said in finding.text
        assert_no_secret(finding.text)
    book.http.post("/revoke", data={"token": USER["refresh_token"]})
    (finding,) = checks.check_source(SOURCES["google"], good)
    assert "publish the app" in finding.text
    assert SECRETS[1] not in finding.text


def test_without_a_connection_airflow_is_told_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, json.dumps({"conn_type": "google_cloud_platform", "extra": {"scope": PEOPLE.scope}})):
        monkeypatch.delenv("AIRFLOW_CONN_GOOGLE", raising=False)
        if value:
            monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", value)
        with pytest.raises(connections.NotConfiguredError, match="Run script/google-login"):
            connections.reader(read_settings({}), ENTITIES["contacts"])
