"""Google's own client reads from the fake API, and what it accepts is what Google's discovery document lists."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import Resource, build_from_document
from googleapiclient.errors import HttpError

from tests.sandbox.google.account import DOCUMENT, FIELDS, Account, violations

Start = Callable[..., Account]


def client_of(address: str, **other: str) -> Resource:
    given = {
        "refresh_token": "1//invented-refresh-token",
        "client_id": "1-invented.apps.googleusercontent.com",
        "client_secret": "invented-client-secret",
        "token_uri": f"{address}/token",
    }
    credentials = Credentials(None, **given | other)
    options = {"api_endpoint": address}
    return build_from_document(DOCUMENT, credentials=credentials, client_options=options)


def test_the_client_pages_syncs_and_batches(google: Account) -> None:
    people = client_of(google.address).people()
    request = people.connections().list(
        resourceName="people/me", pageSize=90, requestSyncToken=True, **FIELDS
    )
    found = []
    while request is not None:
        answer = request.execute()
        found += answer["connections"]
        request = people.connections().list_next(request, answer)
    assert [each["resourceName"] for each in found] == [
        each["resourceName"] for each in google.listed(pageSize=1000)[0]
    ]
    token = answer["nextSyncToken"]
    query = {**FIELDS, "pageSize": 90, "requestSyncToken": True, "syncToken": token}
    assert "connections" not in people.connections().list(resourceName="people/me", **query).execute()
    # So many names make an address that the client sends as the form of a POST.
    names = [each["resourceName"] for each in found[:200]]
    responses = people.getBatchGet(resourceNames=names, **FIELDS).execute()["responses"]
    assert [each["person"]["resourceName"] for each in responses] == names
    with pytest.raises(HttpError, match="Requested entity was not found"):
        people.get(resourceName="people/c5", **FIELDS).execute()
    groups = client_of(google.address).contactGroups().list(pageSize=1000).execute()["contactGroups"]
    assert len(groups) == 13


def test_the_client_renews_its_access_token(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    client = client_of(account.address)
    client.contactGroups().list().execute()
    account.pass_time(4000)
    client.contactGroups().list().execute()
    assert account.control("GET", "requests")["POST /token"] == 3


def test_the_client_retries_quotas(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    client = client_of(account.address)
    for status in (429, 403, 503):
        account.control("POST", "faults", [{"kind": "status", "status": status, "path": "contactGroups"}])
        request = client.contactGroups().list()
        request._sleep = lambda _: None
        assert request.execute(num_retries=1)["contactGroups"]


def test_the_client_says_what_is_wrong(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    connections = client_of(account.address).people().connections()
    query = {**FIELDS, "resourceName": "people/me", "requestSyncToken": True}
    token = connections.list(**query).execute()["nextSyncToken"]
    account.control("POST", "sync_tokens/expire")
    with pytest.raises(HttpError) as caught:
        connections.list(**query, syncToken=token).execute()
    assert caught.value.status_code == 400
    assert caught.value.error_details[0]["reason"] == "EXPIRED_SYNC_TOKEN"
    account.http.post("/revoke", data={"token": "1//invented-refresh-token"})
    with pytest.raises(RefreshError, match="invalid_grant: Token has been expired or revoked"):
        client_of(account.address).contactGroups().list().execute()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"connections": {}}, ".connections: {} is no array"),
        ({"connections": [{"emails": []}]}, ".connections[0]: emails is unknown"),
        (
            {"connections": [{"names": [{"givenName": 1}]}]},
            ".connections[0].names[0].givenName: 1 is no string",
        ),
        (
            {"connections": [{"metadata": {"objectType": "DOG"}}]},
            ".connections[0].metadata.objectType: DOG is none",
        ),
        ({"totalItems": True}, ".totalItems: True is no integer"),
        ({"totalItems": 2**31}, ".totalItems: 2147483648 is no int32"),
        (
            {"connections": [{"metadata": {"sources": [{"updateTime": "2026-03-15"}]}}]},
            ".connections[0].metadata.sources[0].updateTime: 2026-03-15 is no date and time",
        ),
    ],
)
def test_answers_are_checked_against_the_document(answer: dict[str, Any], said: str) -> None:
    (found,) = violations(answer, {"$ref": "ListConnectionsResponse"})
    assert found.startswith(said)


def test_masks_and_parameters_are_those_of_the_document(google: Account) -> None:
    parameters = DOCUMENT["resources"]["people"]["resources"]["connections"]["methods"]["list"]["parameters"]
    valid = re.findall(r"\* (\w+)", parameters["personFields"]["description"])
    google.get("/v1/people/me/connections", personFields=",".join(valid), pageSize=1000)
    for order in parameters["sortOrder"]["enum"]:
        google.get("/v1/people/me/connections", **FIELDS, sortOrder=order)
    answered = {
        name for each in google.listed(personFields=",".join(valid))[0] for name in each if name in valid
    }
    assert answered >= {
        *("addresses", "biographies", "birthdays", "emailAddresses", "events", "memberships", "metadata"),
        *("names", "nicknames", "organizations", "phoneNumbers", "photos", "relations", "urls"),
        "userDefined",
    }
    listed = DOCUMENT["resources"]["contactGroups"]["methods"]["list"]["parameters"]
    valid = re.findall(r"\* (\w+)", listed["groupFields"]["description"])
    google.get("/v1/contactGroups", groupFields=",".join(valid))
