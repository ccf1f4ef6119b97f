"""What script/connect and script/doctor ask HubSpot, and which scopes they name."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reporting.settings import read_settings
from reporting.sources.base import AccessDeniedError, SourceError
from reporting.sources.http import PoliteTransport
from reporting.sources.hubspot import checks
from reporting.sources.hubspot.api import HubSpot
from tests.support.hubspot_portal import SMALL, UNPACED, Portal, portal

BASE = ("crm.objects.contacts.read", "crm.objects.companies.read")
SETTINGS = read_settings({})


class Owner:
    """Somebody who answers each question alike, and hears what is said."""

    def __init__(self, answer: str = "") -> None:
        self.answer, self.said, self.asked = answer, "", ""

    def say(self, text: str) -> None:
        self.said += text

    def ask(self, question: str, default: str) -> str:
        self.asked += question
        return self.answer or default


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal whose key has the scopes of contacts and companies alone."""
    with portal(tmp_path_factory.mktemp("limited"), *SMALL, "--scopes", ",".join(BASE)) as running:
        yield running


def test_connect_names_each_missing_scope_once_with_what_needs_it(limited: Portal) -> None:
    owner = Owner()
    changes = checks.connect(owner, SETTINGS, "a-key", limited.address)
    assert owner.said.startswith(
        "\nThe key lacks 3 scopes: crm.objects.deals.read (for deals, pipelines); sales-email-read (for emails); "
        "crm.objects.owners.read (for owners). Add what is missing to it: in HubSpot under Development → Keys → Service keys"
    )
    off = {name for name, value in changes.items() if value == "none"}
    assert off == {f"REPORTING_NAME_HUBSPOT__{name}" for name in ("DEALS", "EMAILS", "OWNERS", "PIPELINES")}
    # What can be read is switched on again.
    assert changes["REPORTING_NAME_HUBSPOT__CONTACTS"] == ""
    with pytest.raises(SourceError, match="add the scope to the key"):
        checks.connect(Owner("no"), SETTINGS, "a-key", limited.address)


def test_doctor_names_them_and_what_can_be_read(limited: Portal) -> None:
    settings = SETTINGS.model_copy(update={"names": {"hubspot__emails": "none"}})
    found = {each.subject: each for each in checks.check(settings, "a-key", limited.address)}
    assert found["hubspot__contacts"].text == "can be read."
    assert "lacks the scope crm.objects.deals.read" in found["hubspot__deals"].text
    assert found["hubspot__emails"].is_well
    assert not found["HubSpot's scopes"].is_well
    assert found["HubSpot's scopes"].text.startswith(
        "lacks 2 scopes: crm.objects.deals.read (for deals, pipelines); crm.objects.owners.read (for owners)."
    )


class Shopkeeper(Owner):
    """Somebody who wants more, and mistypes it first."""

    answers = ("tickets, unicorns", "tickets, line items, lists")

    def ask(self, question: str, default: str) -> str:
        super().ask(question, default)
        return self.answers["unicorns" in self.said] if question.startswith("What else") else default


def test_a_key_with_every_scope_is_asked_only_what_else_is_wanted(tmp_path: Path) -> None:
    with portal(tmp_path, *SMALL) as whole:
        owner = Owner()
        assert set(checks.connect(owner, SETTINGS, "a-key", whole.address).values()) == {""}
        assert owner.said == ""
        assert "Go on without" not in owner.asked
        found = {each.subject: each for each in checks.check(SETTINGS, "a-key", whole.address)}
        assert all(each.is_well for each in found.values())
        assert (
            found["hubspot__tickets"].text
            == "is not read. REPORTING_NAME_HUBSPOT__TICKETS=tickets switches it on."
        )

        shopkeeper = Shopkeeper()
        changes = checks.connect(shopkeeper, SETTINGS, "a-key", whole.address)
        assert shopkeeper.said == "unicorns is none of these."
        on = {name.rpartition("__")[2]: value for name, value in changes.items() if value}
        assert on == {
            "TICKETS": "tickets",
            "LINE_ITEMS": "line_items",
            "LISTS": "all",
            "LIST_MEMBERSHIPS": "all",
        }


def test_what_is_wanted_and_needs_another_scope_is_named(limited: Portal) -> None:
    shopkeeper = Shopkeeper()
    changes = checks.connect(shopkeeper, SETTINGS, "a-key", limited.address)
    assert "tickets (for tickets); crm.objects.line_items.read (for line_items)" in shopkeeper.said
    assert "crm.lists.read (for lists, list_memberships)" in shopkeeper.said
    assert changes["REPORTING_NAME_HUBSPOT__TICKETS"] == ""


def test_a_key_without_any_scope_is_not_stored(tmp_path: Path) -> None:
    with (
        portal(tmp_path, *SMALL, "--scopes", "content") as none,
        pytest.raises(
            SourceError, match=r"may not read contacts: it lacks the scope crm\.objects\.contacts\.read"
        ),
    ):
        checks.connect(Owner(), SETTINGS, "a-key", none.address)


def test_service_keys_come_first_and_private_apps_second() -> None:
    assert 0 < checks.STEPS.index("Service keys") < checks.STEPS.index("private app")


def refusal(errors: object) -> AccessDeniedError:
    """The error for a refusal with these details."""
    body = {"status": "error", "category": "MISSING_SCOPES", "errors": errors}
    transport = PoliteTransport(UNPACED, httpx.MockTransport(lambda _: httpx.Response(403, json=body)))
    source = HubSpot("a-key", transport=transport)
    with pytest.raises(AccessDeniedError) as caught:
        source.call("contacts", "GET", "/crm/v3/objects/contacts")
    source.close()
    return caught.value


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ([{"context": {"requiredGranularScopes": ["b", "a"]}}], "it lacks one of the scopes a, b (403)"),
        ([{"context": {"requiredScopes": ["a"]}}], "it lacks the scope a (403)"),
        (["odd", {"context": "odd"}, {"context": {"requiredScopes": "odd"}}], "it lacks a scope (403)"),
        (None, "it lacks a scope (403)"),
    ],
)
def test_a_refusal_may_say_anything(errors: object, words: str) -> None:
    assert words in str(refusal(errors))
