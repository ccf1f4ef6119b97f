"""The readers of Google Contacts against its fake API: a test for each trap of the People API."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reporting.settings import read_settings
from reporting.sources.base import (
    AccessDeniedError,
    IncompleteReadError,
    Record,
    SourceError,
    SyncReader,
    Tombstone,
)
from reporting.sources.google_api import Api, GoogleAccount, RefusedError, authorized_user, is_rate_limited
from reporting.sources.google_contacts import reader as google_contacts
from reporting.sources.google_contacts import rows
from reporting.sources.google_contacts.api import Account
from reporting.sources.google_contacts.lists import ContactsReader, content_hash
from reporting.sources.http import Policy, PoliteTransport
from tests.support.google_account import (
    ENTITIES,
    LONG_AGO,
    UNPACED,
    USER,
    AddressBook,
    address_book,
    assert_no_secret,
    ids,
    read,
    tombstones,
)

KINDS = ("contacts", "contact_groups")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AddressBook]:
    """An account that no test changes."""
    with address_book(tmp_path_factory.mktemp("sample")) as running:
        yield running


@pytest.fixture
def small(tmp_path: Path) -> Iterator[AddressBook]:
    """An account of the test's own."""
    with address_book(tmp_path / "small") as running:
        yield running


def refreshed(book: AddressBook, kind: str = "contacts", **options: Any) -> str:
    """The sync token of a full refresh."""
    reader = book.reader(kind, **options)
    read(reader)
    assert reader.sync_token
    return reader.sync_token


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_refresh_reads_everything_and_its_last_page_has_the_token(
    sample: AddressBook, kind: str
) -> None:
    reader = sample.reader(kind, page_size=4)
    assert isinstance(reader, SyncReader)
    pages = []
    for page in reader.read(None):
        assert reader.sync_token is None
        assert reader.is_full_refresh
        pages.append(page)
    assert sorted(ids(pages)) == sorted(sample.truth(kind))
    assert len(pages) > 3
    assert reader.sync_token
    reader.close()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_new_costs_one_request_and_an_access_token(sample: AddressBook, kind: str) -> None:
    token = refreshed(sample, kind)
    reader = sample.reader(kind)
    assert ids(read(reader, token)) == []
    assert reader.request_count == 2
    assert not reader.is_full_refresh
    assert reader.sync_token


def test_a_full_refresh_costs_a_request_for_a_thousand(sample: AddressBook) -> None:
    before = sample.requests()
    for kind in KINDS:
        read(sample.reader(kind))
    after = sample.requests()
    sent = {path: count - before.get(path, 0) for path, count in after.items() if count > before.get(path, 0)}
    assert sent == {"POST /token": 2, "GET /v1/people/me/connections": 1, "GET /v1/contactGroups": 1}


def test_a_sync_brings_what_changed_and_what_was_deleted(small: AddressBook) -> None:
    token = refreshed(small)
    edited, gone = list(small.truth())[:2]
    small.change(edited, nicknames=[{"value": "Ed"}])
    small.delete(gone)
    made = small.create(names=[{"givenName": "New"}])
    reader = small.reader(page_size=1000)
    pages = read(reader, token)
    assert sorted(ids(pages)) == sorted([edited, made])
    assert tombstones(pages) == {Tombstone(gone, "trashed")}
    assert not reader.is_full_refresh
    assert ids(read(small.reader(), reader.sync_token)) == []


def test_a_sync_of_groups_brings_names_and_what_was_deleted(small: AddressBook) -> None:
    token = refreshed(small, "contact_groups")
    renamed, gone = list(small.truth("contact_groups"))[-2:]
    small.change(renamed, name="Other")
    small.delete(gone)
    made = small.create_group("Choir")
    pages = read(small.reader("contact_groups"), token)
    assert sorted(ids(pages)) == sorted([renamed, made])
    assert tombstones(pages) == {Tombstone(gone, "trashed")}


def test_a_sync_of_many_changes_has_pages(small: AddressBook) -> None:
    token = refreshed(small, page_size=4)
    names = list(small.truth())[:11]
    for name in names:
        small.change(name, nicknames=[{"value": "Ed"}])
    reader = small.reader(page_size=4)
    assert sorted(ids(read(reader, token))) == sorted(names)
    assert reader.request_count == 3 + 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_expired_sync_token_makes_the_read_a_full_refresh(
    small: AddressBook, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = refreshed(small, kind)
    small.control("POST", "sync_tokens/expire")
    reader = small.reader(kind)
    assert sorted(ids(read(reader, token))) == sorted(small.truth(kind))
    assert reader.is_full_refresh
    assert reader.request_count == 3
    assert "EXPIRED_SYNC_TOKEN" in caplog.text
    # Its token is good again.
    following = small.reader(kind)
    assert ids(read(following, reader.sync_token)) == []
    assert not following.is_full_refresh


def test_a_sync_token_ends_seven_days_after_its_full_refresh(small: AddressBook) -> None:
    token = refreshed(small)
    small.pass_time(6.9 * 86400)
    renewed = small.reader()
    read(renewed, token)
    assert not renewed.is_full_refresh
    small.pass_time(0.2 * 86400)
    late = small.reader()
    assert len(ids(read(late, renewed.sync_token))) == 30
    assert late.is_full_refresh


def test_an_expired_sync_token_may_be_a_410(small: AddressBook) -> None:
    token = refreshed(small)
    small.fault(kind="status", status=410, path="connections")
    reader = small.reader()
    assert len(ids(read(reader, token))) == 30
    assert reader.is_full_refresh


@pytest.mark.parametrize("kind", KINDS)
def test_a_sync_token_of_other_parameters_makes_the_read_a_full_refresh(
    sample: AddressBook, kind: str
) -> None:
    token = refreshed(sample, kind, page_size=20)
    reader = sample.reader(kind, page_size=30)
    assert sorted(ids(read(reader, token))) == sorted(sample.truth(kind))
    assert reader.is_full_refresh


def test_a_sync_token_of_nobody_makes_the_read_a_full_refresh(sample: AddressBook) -> None:
    reader = sample.reader()
    assert len(ids(read(reader, "of another account"))) == 30
    assert reader.is_full_refresh


def test_a_request_that_is_wrong_in_itself_is_an_error(sample: AddressBook) -> None:
    for token in (None, refreshed(sample)):
        with pytest.raises(RefusedError, match=r"400 \(without a reason\) for contacts: Page size"):
            read(sample.reader(page_size=2000), token)


def test_a_page_token_that_ends_in_the_middle_loads_nothing(tmp_path: Path) -> None:
    with address_book(tmp_path, "--page-token-lifetime", "60") as slow:
        reader = slow.reader(page_size=10)
        pages = reader.read(None)
        next(pages)
        slow.pass_time(61)
        with pytest.raises(IncompleteReadError, match="nothing was loaded"):
            next(pages)
        reader.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_sync_sees_late_is_in_the_next(tmp_path: Path, kind: str) -> None:
    with address_book(tmp_path, "--propagation", "300") as late:
        token = refreshed(late, kind)
        edited, gone = list(late.truth(kind))[-2:]
        late.change(edited, **({"nicknames": [{"value": "Ed"}]} if kind == "contacts" else {"name": "Other"}))
        late.delete(gone)
        reader = late.reader(kind)
        assert ids(read(reader, token)) == []
        # A full refresh in between is as old as a sync, and its token leads to the same.
        tokens = [reader.sync_token, refreshed(late, kind)]
        late.pass_time(301)
        for each in tokens:
            pages = read(late.reader(kind), each)
            assert ids(pages) == [edited]
            assert tombstones(pages) == {Tombstone(gone, "trashed")}


def test_a_sync_names_the_former_resource_names(small: AddressBook) -> None:
    token = refreshed(small)
    first = next(iter(small.truth()))
    third = small.rename(small.rename(first))
    pages = read(small.reader(), token)
    assert ids(pages) == [third]
    assert {each.id for each in tombstones(pages)} >= {first}
    assert {(each.reason, each.merged_into_id) for each in tombstones(pages)} == {("merged", third)}


def test_what_a_full_refresh_did_not_meet_is_asked_for_by_its_name(small: AddressBook) -> None:
    there, gone, renamed = list(small.truth())[:3]
    small.delete(gone)
    name = small.rename(renamed)
    reader = small.reader()
    strangers = [f"people/c{number}" for number in range(1, 250)]
    pages = list(reader.ask_about([there, gone, renamed, *strangers]))
    reader.close()
    # Of two hundred names each, and the first of them asks for an access token.
    assert reader.request_count == 2 + 1
    assert ids(pages) == [there, name]
    assert tombstones(pages) == {
        Tombstone(renamed, "merged", name),
        *(Tombstone(each, "missing") for each in (gone, *strangers)),
    }


def test_groups_that_a_full_refresh_did_not_meet_are_missing(sample: AddressBook) -> None:
    reader = sample.reader("contact_groups")
    assert tombstones(list(reader.ask_about(["contactGroups/1"]))) == {
        Tombstone("contactGroups/1", "missing")
    }
    assert list(reader.ask_about([])) == []
    reader.close()


def test_an_endpoint_makes_no_difference_to_the_content(small: AddressBook) -> None:
    token = refreshed(small)
    name = small.rename(next(iter(small.truth())))

    def of(pages: Any) -> Record:
        return next(record for page in pages for record in page.records if record.id == name)

    reader = small.reader()
    asked, listed, synced = (
        of(list(reader.ask_about([name]))),
        of(read(small.reader())),
        of(read(small.reader(), token)),
    )
    reader.close()
    assert synced.payload["metadata"]["previousResourceNames"]
    assert content_hash(asked, None) == content_hash(listed, None) == content_hash(synced, None)
    changed = Record({**listed.payload, "nicknames": [{"value": "Ed"}]})
    assert content_hash(changed, None) != content_hash(listed, None)
    # The region of its numbers is content.
    with_phone = Record({**listed.payload, "phoneNumbers": [{"value": "030 123456"}]})
    assert content_hash(with_phone, "DE") != content_hash(with_phone, "AT")
    without = Record({name: value for name, value in listed.payload.items() if name != "phoneNumbers"})
    assert content_hash(without, "DE") == content_hash(without, "AT")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 429, "retry_after": 0.01},
        {"kind": "status", "status": 403},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 503},
        {"kind": "html"},
        {"kind": "reset"},
        {"kind": "truncated"},
        {"kind": "empty_page"},
        {"kind": "page_twice"},
        {"kind": "shuffled"},
    ],
    ids=lambda fault: f"{fault['kind']}{fault.get('status', '')}",
)
def test_a_fault_in_the_middle_loses_nothing(sample: AddressBook, fault: dict[str, Any]) -> None:
    sample.fault(**fault, path="connections", after=1, times=2)
    reader = sample.reader(page_size=10)
    assert set(ids(read(reader))) == set(sample.truth())
    assert reader.sync_token


@pytest.mark.parametrize("kind", ["html", "reset", "truncated", "status"])
def test_a_fault_of_the_token_endpoint_passes(sample: AddressBook, kind: str) -> None:
    sample.fault(kind=kind, status=503, path="^/token$", times=2)
    assert len(ids(read(sample.reader()))) == 30


def test_a_quota_of_the_first_page_is_waited_for(tmp_path: Path) -> None:
    with address_book(tmp_path, "--full-sync-quota", "1") as limited:
        reader = limited.reader()
        read(reader)
        assert reader.request_count == 2
        waiting = limited.reader()
        waited: list[float] = []

        def wait(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 2:
                limited.pass_time(61)

        waiting.account.transport._sleep = wait
        assert len(ids(read(waiting))) == 30
        assert len(waited) == 2


def test_a_list_that_never_ends_is_an_error(sample: AddressBook) -> None:
    sample.fault(kind="empty_page", path="connections", times=100)
    with pytest.raises(IncompleteReadError, match="nothing was loaded"):
        read(sample.reader(page_size=10))
    sample.control("DELETE", "faults")


def test_an_access_token_that_ends_in_the_middle_is_renewed(tmp_path: Path) -> None:
    with address_book(tmp_path, "--token-lifetime", "60") as small:
        reader = small.reader(page_size=10)
        pages = reader.read(None)
        found = ids([next(pages)])
        small.pass_time(61)
        found += ids(list(pages))
        assert len(found) == 30
        assert reader.request_count == 3 + 2 + 1
        reader.close()


def test_a_revoked_refresh_token_is_explained(small: AddressBook, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    small.http.post("/revoke", data={"token": USER["refresh_token"]})
    with pytest.raises(
        AccessDeniedError, match=r"invalid_grant.*'Testing' expires after seven days"
    ) as raised:
        read(small.reader())
    assert "script/google-login" in str(raised.value)
    assert_no_secret(str(raised.value) + caplog.text)


def test_a_refresh_token_of_a_testing_app_ends(tmp_path: Path) -> None:
    with address_book(tmp_path, "--refresh-token-lifetime", str(7 * 86400)) as testing:
        refreshed(testing)
        testing.pass_time(7 * 86400 + 1)
        with pytest.raises(AccessDeniedError, match="publish the app"):
            read(testing.reader())


@pytest.mark.parametrize(
    ("field", "said"), [("client_id", "invalid_client"), ("client_secret", "invalid_client")]
)
def test_an_app_that_google_does_not_know_is_said(sample: AddressBook, field: str, said: str) -> None:
    with pytest.raises(AccessDeniedError, match=said):
        read(sample.reader(user={**USER, field: "other-hidden"}))


def test_a_missing_scope_is_named(small: AddressBook) -> None:
    query = {
        "client_id": USER["client_id"],
        "redirect_uri": "http://127.0.0.1:1/",
        "response_type": "code",
        "scope": "https://www.googleapis.com/auth/calendar.readonly",
    }
    answer = small.http.get("/o/oauth2/v2/auth", params=query)
    code = httpx.URL(answer.headers["location"]).params["code"]
    body = {
        **{name: USER[name] for name in ("client_id", "client_secret")},
        "grant_type": "authorization_code",
        "redirect_uri": query["redirect_uri"],
        "code": code,
    }
    other = small.http.post("/token", data=body).json()["refresh_token"]
    with pytest.raises(AccessDeniedError, match=r"lacks the scope https://.*/contacts\.readonly \(403\)"):
        read(small.reader(user={**USER, "refresh_token": other}))


def test_nothing_secret_is_logged(small: AddressBook, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    small.fault(kind="status", status=503, path="token")
    small.fault(kind="status", status=429, path="connections")
    token = refreshed(small)
    small.control("POST", "sync_tokens/expire")
    read(small.reader(), token)
    assert "attempt 2 follows" in caplog.text
    assert_no_secret(caplog.text)


def over(answer: Callable[[httpx.Request], httpx.Response], sent: list[httpx.Request]) -> ContactsReader:
    """A reader over an account in this process, which has given its access token."""

    def answered(request: httpx.Request) -> httpx.Response:
        if request.url.host == "oauth2.googleapis.com":
            return httpx.Response(200, json={"access_token": "ya29.any", "expires_in": 3600})
        sent.append(request)
        return answer(request)

    transport = PoliteTransport(
        UNPACED, httpx.MockTransport(answered), sleep=lambda _: None, is_passing=is_rate_limited
    )
    return ContactsReader(Account(USER, transport=transport), ENTITIES["contacts"])


def refusal(status: int, reason: str, message: str = "no") -> httpx.Response:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return httpx.Response(status, json={"error": {"code": status, "message": message, "details": details}})


def test_the_real_addresses_are_googles() -> None:
    sent: list[httpx.Request] = []
    read(over(lambda _: httpx.Response(200, json={"nextSyncToken": "t"}), sent))
    (request,) = sent
    assert str(request.url).startswith("https://people.googleapis.com/v1/people/me/connections?")
    assert request.headers["authorization"] == "Bearer ya29.any"
    assert request.url.params["requestSyncToken"] == "true"
    assert request.url.params["pageSize"] == "1000"


def test_an_api_that_is_not_enabled_is_said() -> None:
    with pytest.raises(AccessDeniedError, match="the People API is not enabled"):
        read(over(lambda _: refusal(403, "SERVICE_DISABLED"), []))


def test_another_refusal_is_not_asked_again() -> None:
    sent: list[httpx.Request] = []
    with pytest.raises(SourceError, match=r"403 \(dailyLimitExceeded\) for contacts: no"):
        read(over(lambda _: refusal(403, "dailyLimitExceeded"), sent))
    assert len(sent) == 1


def test_a_refusal_of_every_access_token_ends() -> None:
    sent: list[httpx.Request] = []
    with pytest.raises(AccessDeniedError, match="401"):
        read(over(lambda _: httpx.Response(401, json={}), sent))
    # Google's own client asks again with a new access token, and each of its tries is asked twice.
    assert len(sent) == 6


def test_a_last_page_without_a_token_keeps_the_one_there_was() -> None:
    reader = over(lambda _: httpx.Response(200, json={}), [])
    read(reader, "good")
    assert reader.sync_token == "good"
    assert not reader.is_full_refresh


def test_a_profile_is_no_contact_any_more() -> None:
    """Whoever deletes a contact that is linked with a profile can still get the profile by the same name."""
    profile = {"resourceName": "people/9", "metadata": {"sources": [{"type": "PROFILE", "id": "9"}]}}
    answer = {"responses": [{"httpStatusCode": 200, "requestedResourceName": "people/9", "person": profile}]}
    reader = over(lambda _: httpx.Response(200, json=answer), [])
    assert tombstones(list(reader.ask_about(["people/9"]))) == {Tombstone("people/9", "missing")}


@pytest.mark.parametrize("responses", [[], [{"httpStatusCode": 503, "requestedResourceName": "people/9"}]])
def test_a_batch_that_leaves_somebody_out_is_not_taken_for_whole(responses: list[Any]) -> None:
    reader = over(lambda _: httpx.Response(200, json={"responses": responses}), [])
    with pytest.raises(IncompleteReadError, match="people/9"):
        list(reader.ask_about(["people/9"]))


def test_a_name_that_comes_back_is_no_former_one() -> None:
    metadata = {"previousResourceNames": ["people/c1", "people/9"]}
    person = {"resourceName": "people/c1", "metadata": metadata}
    pages = read(over(lambda _: httpx.Response(200, json={"connections": [person]}), []), "token")
    assert tombstones(pages) == {Tombstone("people/9", "merged", "people/c1")}


def test_a_person_without_a_name_of_its_own_has_no_key() -> None:
    pages = read(over(lambda _: httpx.Response(200, json={"connections": [{"etag": "x"}]}), []))
    assert [record.id for page in pages for record in page.records] == [None]


def test_an_authorized_user_is_found_where_airflow_keeps_it(tmp_path: Path) -> None:
    text = json.dumps(USER)
    path = tmp_path / "user.json"
    path.write_text(text)
    for extra in (
        {"credential_config_file": text},
        {"credential_config_file": USER},
        {"credential_config_file": str(path)},
        {"keyfile_dict": text},
    ):
        assert authorized_user(extra) == USER
    for extra in ({}, {"keyfile_dict": json.dumps({"type": "service_account"})}, {"keyfile_dict": "{"}):
        assert authorized_user(extra) is None
    with pytest.raises(AccessDeniedError, match="cannot be read"):
        authorized_user({"credential_config_file": str(tmp_path / "none.json")})
    path.write_bytes(b"\xff" + text.encode())
    for named in (str(path), "no\0file"):
        with pytest.raises(AccessDeniedError, match=r"cannot be read \(it is no text\)"):
            authorized_user({"credential_config_file": named})
    with pytest.raises(AccessDeniedError, match=r"lacks client_secret.*script/google-login"):
        Account({**USER, "client_secret": ""})


def test_an_api_whose_description_was_not_kept_is_named() -> None:
    calendar = Api("calendar", "v0", "Calendar API", "https://scope.example", Policy(1.0))
    with pytest.raises(SourceError, match=r"the line calendar\.v0 to requirements/google-apis\.txt"):
        GoogleAccount(calendar, USER)


def test_the_reader_of_an_entity(sample: AddressBook) -> None:
    for kind in KINDS:
        reader = google_contacts.reader_of(Account(USER, sample.address, UNPACED), ENTITIES[kind])
        assert len(list(reader.read(LONG_AGO))) == 1
        reader.close()


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ({"year": 1990, "month": 2, "day": 29}, (1990, 2, 29)),
        ({"year": 0, "month": 6, "day": 30}, (None, 6, 30)),
        ({"year": 10_000, "month": 13, "day": 32}, (None, None, None)),
        ({"year": -1, "month": "12", "day": -5}, (None, 12, None)),
        ({"year": [], "month": 1e300, "day": None}, (None, None, None)),
    ],
)
def test_a_part_of_a_date_that_no_calendar_has_is_not_known(
    date: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    # A month of 13 would stop the mart, and everybody in it.
    payload = {"resourceName": "people/c1", "birthdays": [{"date": date}]}
    made = rows.row(ENTITIES["contacts"], Record(payload), {}, read_settings({}))
    assert tuple(made["birthdays"][0][part] for part in ("year", "month", "day")) == expected
