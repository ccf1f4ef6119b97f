"""The fake API lists, syncs and gets people and groups as the reference of the People API says."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.google.account import CONNECTIONS, FIELDS, GROUPS, SYNC, Account

DAY = 86400
EXPIRED = {
    "code": 400,
    "message": "Sync token is expired. Clear local cache and retry call without the sync token.",
    "status": "INVALID_ARGUMENT",
    "details": [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "EXPIRED_SYNC_TOKEN",
            "domain": "people.googleapis.com",
        }
    ],
}

Start = Callable[..., Account]


def names(found: list[dict[str, Any]]) -> list[str]:
    return [each["resourceName"] for each in found]


def test_pages_have_everybody_once(google: Account) -> None:
    answer = google.get(CONNECTIONS, **FIELDS)
    assert (len(answer["connections"]), answer["totalItems"], answer["totalPeople"]) == (100, 250, 250)
    found, token = google.listed(pageSize=70)
    assert sorted(names(found)) == sorted(google.people())
    assert token is None
    assert len(google.get(CONNECTIONS, **FIELDS, pageSize=1000)["connections"]) == 250


def test_only_the_fields_asked_for_come_back(google: Account) -> None:
    found, _ = google.listed(personFields="emailAddresses", pageSize=1000)
    assert set().union(*found) == {"resourceName", "etag", "emailAddresses"}
    found, _ = google.listed(personFields="names,metadata", pageSize=1000)
    assert set().union(*found) == {"resourceName", "etag", "names", "metadata"}
    assert all(source["type"] != "CONTACT" or source["updateTime"] for source in sources(found))


def sources(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [source for each in found for source in each["metadata"]["sources"]]


def test_sources_are_asked_for(google: Account) -> None:
    both, _ = google.listed(pageSize=1000)
    assert Counter(each["type"] for each in sources(both))["PROFILE"] > 10
    contacts, _ = google.listed(pageSize=1000, sources="READ_SOURCE_TYPE_CONTACT")
    assert Counter(each["type"] for each in sources(contacts)) == {"CONTACT": 250}
    linked = next(each for each in both if len(each["metadata"]["sources"]) == 2)
    first, second = linked["names"]
    assert first["metadata"]["primary"]
    assert "primary" not in second["metadata"]
    assert google.refusal(CONNECTIONS, **FIELDS, sources="READ_SOURCE_TYPE_OTHER_CONTACT")[0] == 400


def test_sort_orders(google: Account) -> None:
    def key(order: str, name: str) -> list[str]:
        found, _ = google.listed(sortOrder=order, pageSize=60)
        assert len(found) == 250
        return [each.get("names", [{}])[0].get(name, "").lower() for each in found]

    assert key("FIRST_NAME_ASCENDING", "givenName") == sorted(key("LAST_NAME_ASCENDING", "givenName"))
    assert key("LAST_NAME_ASCENDING", "familyName") == sorted(key("FIRST_NAME_ASCENDING", "familyName"))
    oldest, _ = google.listed()
    newest, _ = google.listed(sortOrder="LAST_MODIFIED_DESCENDING")
    assert names(oldest) == names(newest)[::-1]
    times = [each["metadata"]["sources"][0]["updateTime"] for each in oldest]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        (CONNECTIONS, {}, "personFields mask is required"),
        (CONNECTIONS, {"personFields": "names,etag"}, 'Invalid personFields mask path: "etag"'),
        (CONNECTIONS, {**FIELDS, "pageSize": 1001}, "between 1 and 1000"),
        (CONNECTIONS, {**FIELDS, "pageSize": "ten"}, "TYPE_INT32"),
        (CONNECTIONS, {**FIELDS, "sortOrder": "BY_AGE"}, "sort_order"),
        (CONNECTIONS, {**FIELDS, "pageToken": "x"}, "invalid argument"),
        (CONNECTIONS, {**FIELDS, "syncToken": "Y29mZmVlLi4uLi4uLi4"}, "invalid argument"),
        (CONNECTIONS, {**FIELDS, "updatedMin": "2026"}, 'Unknown name "updatedMin"'),
        ("/v1/people/c1/connections", FIELDS, "people/me"),
        ("/v1/people:batchGet", FIELDS, "resource names"),
        (GROUPS, {"groupFields": "members"}, "groupFields"),
    ],
)
def test_refusals(google: Account, path: str, query: dict[str, Any], said: str) -> None:
    status, error = google.refusal(path, **query)
    assert (status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert said in error["message"]


def test_the_sync_token_is_on_the_last_page_only(google: Account) -> None:
    first = google.get(CONNECTIONS, **SYNC, pageSize=200)
    assert "nextSyncToken" not in first
    last = google.get(CONNECTIONS, **SYNC, pageSize=200, pageToken=first["nextPageToken"])
    assert "nextPageToken" not in last
    assert last["nextSyncToken"]
    # An incremental sync without changes has no connections, and another token if one is asked for.
    quiet = google.get(CONNECTIONS, **SYNC, pageSize=200, syncToken=last["nextSyncToken"])
    assert set(quiet) == {"nextSyncToken"}
    assert google.get(CONNECTIONS, **FIELDS, pageSize=200, syncToken=last["nextSyncToken"]) == {}


@pytest.mark.parametrize(
    "other",
    [{"personFields": "metadata,names"}, {"pageSize": "20"}, {"sources": "READ_SOURCE_TYPE_CONTACT"}],
)
def test_tokens_are_bound_to_their_parameters(google: Account, other: dict[str, str]) -> None:
    page = google.get(CONNECTIONS, **SYNC)["nextPageToken"]
    _, sync = google.listed(requestSyncToken="true")
    for token in ({"pageToken": page}, {"syncToken": sync}):
        status, error = google.refusal(CONNECTIONS, **SYNC | other, **token)
        assert (status, error["status"]) == (400, "INVALID_ARGUMENT")
        assert "must match" in error["message"]
        google.get(CONNECTIONS, **SYNC, **token)
    # The order of a mask's fields is no difference, and the second page of a sync is one of that sync.
    google.get(CONNECTIONS, **SYNC | {"personFields": "names,emailAddresses,metadata"}, syncToken=sync)
    assert google.refusal(CONNECTIONS, **SYNC, syncToken=sync, pageToken=page)[0] == 400
    assert google.refusal(CONNECTIONS, **FIELDS, pageToken=page)[0] == 400


def test_a_list_without_a_sync_is_live(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    before = names(account.listed()[0])
    first = account.get(CONNECTIONS, **FIELDS, pageSize=10)
    account.control("PATCH", before[0], {"nicknames": [{"value": "Moved"}]})
    account.control("DELETE", before[12])
    rest, _ = account.listed(pageSize=10, pageToken=first["nextPageToken"])
    # Who was changed after being read comes again, at the end.
    assert names(rest) == [*before[10:12], *before[13:], before[0]]


def test_an_incremental_sync_has_what_changed(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    before, token = account.listed(requestSyncToken="true")
    edited, gone = names(before)[3], names(before)[5]
    assert account.listed(requestSyncToken="true", syncToken=token)[0] == []
    account.control("PATCH", edited, {"emailAddresses": [{"value": "new@example.com"}]})
    account.control("DELETE", gone)
    made = account.control("POST", "people", {"names": [{"givenName": "Ada", "familyName": "New"}]})
    changed, following = account.listed(requestSyncToken="true", syncToken=token)
    by_name = {each["resourceName"]: each for each in changed}
    assert list(by_name) == [edited, gone, made["resourceName"]]
    assert by_name[edited]["emailAddresses"][0]["value"] == "new@example.com"
    assert by_name[edited]["etag"] != next(each["etag"] for each in before if each["resourceName"] == edited)
    assert set(by_name[gone]) == {"resourceName", "etag", "metadata"}
    assert by_name[gone]["metadata"]["deleted"]
    assert account.listed(requestSyncToken="true", syncToken=following)[0] == []
    # The earlier token still gives all of it, page by page.
    again, _ = account.listed(requestSyncToken="true", syncToken=token)
    assert again == changed
    # A full list has no deleted people, and a mask without metadata hides it only for those who exist.
    assert gone not in names(account.listed()[0])
    bare = {"personFields": "names", "requestSyncToken": "true"}
    _, bare_token = account.listed(**bare)
    account.control("DELETE", edited)
    account.control("PATCH", made["resourceName"], {"nicknames": [{"value": "A"}]})
    changed, _ = account.listed(**bare, syncToken=bare_token)
    assert [set(each) for each in changed] == [
        {"resourceName", "etag", "metadata"},
        {"resourceName", "etag", "names"},
    ]


def test_an_incremental_sync_has_pages(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    query = {**SYNC, "pageSize": 4}
    before, token = account.listed(**query)
    for name in names(before)[:10]:
        account.control("PATCH", name, {"nicknames": [{"value": "Renamed"}]})
    first = account.get(CONNECTIONS, **query, syncToken=token)
    assert (len(first["connections"]), first["totalItems"]) == (4, 10)
    # What is written meanwhile belongs to the next sync.
    account.control("DELETE", names(before)[0])
    found, following = account.listed(**query, syncToken=token, pageToken=first["nextPageToken"])
    assert names(found) == names(before)[4:10]
    changed, _ = account.listed(**query, syncToken=following)
    assert [each["metadata"]["deleted"] for each in changed] == [True]
    # Without the sync token, its page token is one of another call.
    assert account.refusal(CONNECTIONS, **query, pageToken=first["nextPageToken"])[0] == 400


def test_sync_tokens_expire_seven_days_after_the_full_sync(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    _, token = account.listed(**SYNC)
    _, groups_token = account.pages(GROUPS, "contactGroups")
    account.pass_time(6.5 * DAY)
    account.sign_in()
    _, renewed = account.listed(**SYNC, syncToken=token)
    account.pass_time(0.6 * DAY)
    account.sign_in()
    # A renewed token is no younger than the full sync that it goes back to.
    for each in (token, renewed):
        assert account.refusal(CONNECTIONS, **SYNC, syncToken=each) == (400, EXPIRED)
    assert account.refusal(GROUPS, syncToken=groups_token) == (400, EXPIRED)
    _, token = account.listed(**SYNC)
    account.listed(**SYNC, syncToken=token)
    account.control("POST", "sync_tokens/expire")
    assert account.refusal(CONNECTIONS, **SYNC, syncToken=token) == (400, EXPIRED)
    _, token = account.listed(**SYNC)
    assert account.listed(**SYNC, syncToken=token)[0] == []


def test_page_tokens_expire(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path, "--page-token-lifetime", "60")
    token = account.get(CONNECTIONS, **SYNC, pageSize=10)["nextPageToken"]
    account.pass_time(50)
    token = account.get(CONNECTIONS, **SYNC, pageSize=10, pageToken=token)["nextPageToken"]
    account.pass_time(70)
    status, error = account.refusal(CONNECTIONS, **SYNC, pageSize=10, pageToken=token)
    assert (status, error["message"].startswith("Page token is expired")) == (400, True)


def test_writes_reach_syncs_after_the_propagation_delay(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path, "--propagation", "300")
    before, token = account.listed(**SYNC)
    assert len(before) == 30
    name = names(before)[0]
    account.control("PATCH", name, {"names": [{"givenName": "Later"}]})
    # Whoever gets the person, or lists without a sync, sees it at once.
    assert account.get(f"/v1/{name}", **FIELDS)["names"][0]["displayName"] == "Later"
    assert names(account.listed()[0])[-1] == name
    found, token = account.listed(**SYNC, syncToken=token)
    assert found == []
    assert account.listed(**SYNC)[0] == before
    account.pass_time(301)
    found, token = account.listed(**SYNC, syncToken=token)
    assert [each["names"][0]["displayName"] for each in found] == ["Later"]
    assert account.listed(**SYNC, syncToken=token)[0] == []


def test_a_person_keeps_former_resource_names(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    before, token = account.listed(**SYNC)
    first = names(before)[2]
    second = account.control("POST", f"{first}/rename")["resourceName"]
    third = account.control("POST", f"{second}/rename")["resourceName"]
    (changed,), _ = account.listed(**SYNC, syncToken=token)
    assert changed["resourceName"] == third
    assert changed["metadata"]["previousResourceNames"] == [first, second]
    # The contact is the same, which its source says; elsewhere there are no former names.
    assert changed["metadata"]["sources"][0]["id"] == before[2]["metadata"]["sources"][0]["id"]
    for name in (first, second, third):
        got = account.get(f"/v1/{name}", **FIELDS)
        assert got["resourceName"] == third
        assert "previousResourceNames" not in got["metadata"]
    found = names(account.listed()[0])
    assert third in found
    assert not {first, second} & set(found)
    assert account.people()[third]["previousResourceNames"] == [first, second]
    account.control("DELETE", third)
    assert account.refusal(f"/v1/{first}", **FIELDS)[0] == 404


def test_people_are_got_one_by_one_and_in_batches(google: Account) -> None:
    some = list(google.people())[:3]
    person = google.get(f"/v1/{some[0]}", **FIELDS)
    assert person["resourceName"] == some[0]
    answer = google.get("/v1/people:batchGet", **FIELDS, resourceNames=[*some, "people/c5"])
    assert [each["httpStatusCode"] for each in answer["responses"]] == [200, 200, 200, 404]
    assert answer["responses"][0]["person"] == person
    missing = answer["responses"][3]
    assert (missing["requestedResourceName"], missing["status"]["code"]) == ("people/c5", 5)
    assert "person" not in missing
    status, error = google.refusal("/v1/people/c5", **FIELDS)
    assert (status, error["status"]) == (404, "NOT_FOUND")
    assert google.refusal("/v1/people:batchGet", **FIELDS, resourceNames=some[:1] * 201)[0] == 400
    me = google.get("/v1/people/me", **FIELDS)
    assert [each["type"] for each in me["metadata"]["sources"]] == ["PROFILE"]


def test_groups_have_names_and_no_members(google: Account) -> None:
    found, token = google.pages(GROUPS, "contactGroups", pageSize=5)
    assert token
    assert names(found)[:2] == ["contactGroups/myContacts", "contactGroups/starred"]
    assert Counter(each["groupType"] for each in found) == {
        "SYSTEM_CONTACT_GROUP": 8,
        "USER_CONTACT_GROUP": 5,
    }
    assert not any("memberResourceNames" in each for each in found)
    counted: Counter[str] = Counter()
    for each in google.people().values():
        for held in each["fields"]["memberships"]:
            counted[held["contactGroupMembership"]["contactGroupResourceName"]] += 1
    shown = {each["resourceName"]: each["memberCount"] for each in found if "memberCount" in each}
    assert shown == {**counted, "contactGroups/all": 250}
    # An empty group has no count at all.
    assert "memberCount" not in next(each for each in found if each["name"] == "Former clients")
    (bare,) = google.get(GROUPS, groupFields="name", pageSize=1)["contactGroups"]
    assert set(bare) == {"resourceName", "name", "formattedName"}
    assert len(google.get(GROUPS)["contactGroups"]) == 13


def test_groups_sync(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    found, token = account.pages(GROUPS, "contactGroups")
    own = [each for each in found if each["groupType"] == "USER_CONTACT_GROUP"]
    gone = next(each["resourceName"] for each in own if "memberCount" in each)
    renamed = next(each["resourceName"] for each in own if each["resourceName"] != gone)
    made = account.control("POST", "contactGroups", {"name": "Choir"})["resourceName"]
    account.control("PATCH", renamed, {"name": "Clients"})
    _, people_token = account.listed(**SYNC, pageSize=1000)
    before = account.people()
    account.control("DELETE", gone)
    changed, following = account.pages(GROUPS, "contactGroups", syncToken=token)
    by_resource = {each["resourceName"]: each for each in changed}
    assert set(by_resource) == {made, renamed, gone}
    assert by_resource[renamed]["name"] == "Clients"
    assert by_resource[gone]["metadata"]["deleted"]
    assert account.pages(GROUPS, "contactGroups", syncToken=following)[0] == []
    assert gone not in names(account.pages(GROUPS, "contactGroups")[0])
    # Its members have changed: the membership is gone.
    members = [name for name, each in before.items() if gone in str(each["fields"]["memberships"])]
    query = {**SYNC, "pageSize": 1000, "syncToken": people_token}
    assert sorted(names(account.listed(**query)[0])) == sorted(members)
    assert not any(gone in str(each["fields"]) for each in account.people().values())
    twice = account.http.post("/_control/contactGroups", json={"name": "Choir"})
    assert (twice.status_code, twice.json()["error"]["status"]) == (409, "ALREADY_EXISTS")
