"""The fake API answers as HubSpot's reference says: lists, searches, batches, merges, deletes, associations, limits."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporting.local.serving import Served
from sandbox.serving import fake_api
from tests.support.control import client

MODIFIED = "lastmodifieddate"
SMALL = (
    "--contacts",
    "30",
    "--companies",
    "8",
    "--deals",
    "5",
    "--engagements",
    "60",
    "--today",
    "2026-03-15",
)
PATHS = ("/crm/v3/objects", "/crm/objects/2026-09")


class Portal:
    """A running fake API."""

    def __init__(self, served: Served) -> None:
        self.http = client(served, headers={"Authorization": "Bearer pat-test"})

    def get(self, path: str, **query: Any) -> Any:
        return self.http.get(path, params=query).raise_for_status().json()

    def post(self, path: str, body: Any) -> Any:
        return self.http.post(path, json=body).raise_for_status().json()

    def ids(self, kind: str = "contacts", **query: Any) -> list[str]:
        found, after = [], None
        while True:
            answer = self.get(
                f"/crm/v3/objects/{kind}", limit=7, **query, **({"after": after} if after else {})
            )
            found += [each["id"] for each in answer["results"]]
            if "paging" not in answer:
                return found
            after = answer["paging"]["next"]["after"]

    def search(self, kind: str = "contacts", **body: Any) -> Any:
        return self.post(f"/crm/v3/objects/{kind}/search", body)

    def truth(self, kind: str = "contacts") -> dict[str, dict[str, Any]]:
        return {each["id"]: each for each in self.get(f"/_control/truth/{kind}")}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The default sample, which nobody changes."""
    with fake_api("hubspot", tmp_path_factory.mktemp("hubspot"), None, "--today", "2026-03-15") as served:
        yield Portal(served)


@pytest.fixture
def start() -> Iterator[Callable[..., Portal]]:
    """Start a portal on a folder, with arguments; it ends with the test."""
    with ExitStack() as stack:

        def started(folder: Path, *arguments: str) -> Portal:
            return Portal(stack.enter_context(fake_api("hubspot", folder, None, *arguments)))

        yield started


def test_the_sample_is_a_small_consultancys_year(portal: Portal) -> None:
    records = portal.get("/_control/state")["records"]
    assert (records["contacts"], records["companies"], records["deals"]) == (300, 80, 40)
    assert (
        sum(records[kind] for kind in ("calls", "emails", "meetings", "notes", "tasks", "communications"))
        == 1500
    )


@pytest.mark.parametrize("path", PATHS)
def test_a_list_is_in_the_order_of_ids_to_the_end(portal: Portal, path: str) -> None:
    found = portal.ids()
    assert found == sorted(portal.truth(), key=int)
    answer = portal.get(f"{path}/contacts", limit=100, properties="email,no_such_property")
    assert "no_such_property" not in answer["results"][0]["properties"]
    assert set(answer["results"][0]["properties"]) == {"createdate", "email", "hs_object_id", MODIFIED}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    operator=st.sampled_from(["GT", "GTE", "LT", "LTE", "EQ"]),
    position=st.integers(0, 299),
    by_id=st.booleans(),
    as_iso=st.booleans(),
)
def test_a_search_finds_what_its_filter_says(
    portal: Portal, operator: str, position: int, by_id: bool, as_iso: bool
) -> None:
    every = list(portal.truth().values())
    name = "hs_object_id" if by_id else MODIFIED

    def value(record: dict[str, Any]) -> int:
        held = record["properties"][name]
        return int(held) if by_id else round(datetime.fromisoformat(held).timestamp() * 1000)

    bound = value(every[position])
    given_value = every[position]["properties"][name] if as_iso else str(bound)
    compared = {
        "GT": lambda at: at > bound,
        "GTE": lambda at: at >= bound,
        "LT": lambda at: at < bound,
        "LTE": lambda at: at <= bound,
        "EQ": lambda at: at == bound,
    }[operator]
    answer = portal.search(
        filterGroups=[{"filters": [{"propertyName": name, "operator": operator, "value": given_value}]}],
        sorts=[{"propertyName": name, "direction": "ASCENDING"}],
        limit=200,
    )
    expected = {each["id"] for each in every if compared(value(each))}
    assert answer["total"] == len(expected)
    assert {each["id"] for each in answer["results"]} <= expected


def test_other_properties_are_searched_too(portal: Portal) -> None:
    group = {
        "filters": [
            {"propertyName": "country", "operator": "EQ", "value": "Norway"},
            {"propertyName": "phone", "operator": "HAS_PROPERTY"},
        ]
    }
    answer = portal.search(filterGroups=[group], limit=200)
    expected = {
        key
        for key, each in portal.truth().items()
        if each["properties"]["country"] == "Norway" and each["properties"]["phone"]
    }
    assert {each["id"] for each in answer["results"]} == expected


def test_the_wrong_modified_property_is_an_empty_result(portal: Portal) -> None:
    group = {"filters": [{"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "0"}]}
    assert portal.search(filterGroups=[group])["total"] == 0
    assert portal.search("deals", filterGroups=[group])["total"] == 40


def test_a_search_ends_at_ten_thousand(start: Callable[..., Portal], tmp_path: Path) -> None:
    portal = start(tmp_path, "--contacts", "10050", "--engagements", "0")
    assert portal.search(limit=200, after=9800)["total"] == 10_050
    refused = portal.http.post("/crm/v3/objects/contacts/search", json={"limit": 200, "after": 9900})
    assert refused.status_code == 400
    assert "10000" in refused.json()["message"]


def test_a_search_lags(start: Callable[..., Portal], tmp_path: Path) -> None:
    portal = start(tmp_path, *SMALL, "--search-lag", "3600")
    key = portal.ids()[0]
    portal.http.patch(
        f"/crm/v3/objects/contacts/{key}", json={"properties": {"city": "Graz"}}
    ).raise_for_status()
    assert portal.get(f"/crm/v3/objects/contacts/{key}", properties="city")["properties"]["city"] == "Graz"
    made = portal.post("/crm/v3/objects/contacts", {"properties": {"city": "Graz"}})["id"]
    found = {each["id"]: each["properties"] for each in portal.search(limit=200)["results"]}
    assert made not in found
    # What is there already is found by its former date, and shown as it is.
    assert len(found) == 30
    between = (datetime.fromisoformat(found[key][MODIFIED]) - timedelta(seconds=1)).isoformat()
    recent = [{"filters": [{"propertyName": MODIFIED, "operator": "GTE", "value": between}]}]
    assert portal.search(limit=200, filterGroups=recent)["results"] == []


def test_archiving_is_no_modification_and_can_be_taken_back(
    start: Callable[..., Portal], tmp_path: Path
) -> None:
    portal = start(tmp_path, *SMALL)
    key = portal.ids()[3]
    before = portal.truth()[key]["properties"][MODIFIED]
    assert portal.http.delete(f"/crm/v3/objects/contacts/{key}").status_code == 204
    assert key not in portal.ids()
    assert portal.ids(archived="true") == [key]
    assert portal.search(limit=200)["total"] == 29
    assert portal.http.get(f"/crm/v3/objects/contacts/{key}").status_code == 404
    assert portal.truth()[key]["properties"][MODIFIED] == before
    portal.post(f"/_control/restore/contacts/{key}", {})
    assert key in portal.ids()


def test_a_merge_chain_leads_to_the_winner(start: Callable[..., Portal], tmp_path: Path) -> None:
    portal = start(tmp_path, *SMALL)
    first, second, third = portal.ids()[:3]
    path = "/crm/v3/objects/contacts"
    portal.post(f"{path}/merge", {"primaryObjectId": second, "objectIdToMerge": first})
    portal.post(f"{path}/merge", {"primaryObjectId": third, "objectIdToMerge": second})
    assert not {first, second} & set(portal.ids())
    for loser in (first, second):
        assert portal.get(f"{path}/{loser}")["id"] == third
    winner = portal.get(f"{path}/{third}", properties="hs_merged_object_ids")
    assert set(winner["properties"]["hs_merged_object_ids"].split(";")) == {first, second}
    batch = portal.post(f"{path}/batch/read", {"inputs": [{"id": first}, {"id": third}]})
    assert [each["id"] for each in batch["results"]] == [third]


def test_a_privacy_delete_leaves_only_an_absence(start: Callable[..., Portal], tmp_path: Path) -> None:
    portal = start(tmp_path, *SMALL)
    key = portal.ids()[0]
    assert portal.http.post("/crm/v3/objects/contacts/gdpr-delete", json={"objectId": key}).status_code == 204
    assert key not in portal.truth()
    assert key not in portal.ids(archived="true")
    answer = portal.http.post("/crm/v3/objects/contacts/batch/read", json={"inputs": [{"id": key}]})
    assert answer.status_code == 207
    assert answer.json()["numErrors"] == 1
    assert answer.json()["errors"][0]["context"]["ids"] == [key]


def test_associations_go_both_ways_and_touch_no_modified_date(
    start: Callable[..., Portal], tmp_path: Path
) -> None:
    portal = start(tmp_path, *SMALL)
    contact, deal = portal.ids()[0], portal.ids("deals")[0]
    before = portal.truth()[contact]["properties"][MODIFIED]
    path = f"/crm/v3/objects/contacts/{contact}/associations"
    assert portal.http.put(f"{path}/default/deals/{deal}").status_code == 204

    def linked(start_kind: str, key: str, end_kind: str) -> set[str]:
        answer = portal.http.post(
            f"/crm/v4/associations/{start_kind}/{end_kind}/batch/read", json={"inputs": [{"id": key}]}
        )
        return {str(to["toObjectId"]) for each in answer.json()["results"] for to in each["to"]}

    assert deal in linked("contacts", contact, "deals")
    assert contact in linked("deals", deal, "contacts")
    assert portal.truth()[contact]["properties"][MODIFIED] == before
    portal.http.delete(f"{path}/deals/{deal}")
    assert deal not in linked("contacts", contact, "deals")
    # An archived record has none.
    company = next(iter(linked("contacts", contact, "companies")))
    portal.http.delete(f"/crm/v3/objects/companies/{company}")
    assert linked("contacts", contact, "companies") == set()


def test_association_pages_have_a_cursor_for_each_record(
    start: Callable[..., Portal], tmp_path: Path
) -> None:
    portal = start(tmp_path, "--contacts", "620", "--companies", "1", "--engagements", "0")
    company = portal.ids("companies")[0]
    path, found, more = "/crm/v4/associations/companies/contacts/batch/read", set(), {}
    while True:
        (each,) = portal.http.post(path, json={"inputs": [{"id": company, **more}]}).json()["results"]
        found |= {to["toObjectId"] for to in each["to"]}
        if "paging" not in each:
            break
        more = {"after": each["paging"]["next"]["after"]}
    assert len(found) == sum(1 for _ in portal.ids()) - _unlinked(portal)
    assert len(found) > 500


def _unlinked(portal: Portal) -> int:
    answer = portal.http.post(
        "/crm/v4/associations/contacts/companies/batch/read",
        json={"inputs": [{"id": key} for key in portal.ids()]},
    )
    return int(answer.json().get("numErrors", 0))


def test_properties_can_change(start: Callable[..., Portal], tmp_path: Path) -> None:
    portal = start(tmp_path, *SMALL)
    path = "/crm/v3/properties/contacts"
    portal.post(path, {"name": "shoe_size", "label": "Shoe size", "type": "number", "fieldType": "number"})
    portal.http.patch(f"{path}/city", json={"type": "number"}).raise_for_status()
    assert portal.http.delete(f"{path}/country").status_code == 204
    types = {each["name"]: each["type"] for each in portal.get(path)["results"]}
    assert (types["shoe_size"], types["city"], "country" in types) == ("number", "number", False)
    refused = portal.http.patch(
        f"/crm/v3/objects/contacts/{portal.ids()[0]}", json={"properties": {"country": "x"}}
    )
    assert refused.json()["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"


def test_owners_and_pipelines(portal: Portal) -> None:
    assert len(portal.get("/crm/v3/owners")["results"]) == 2
    assert len(portal.get("/crm/v3/owners", archived="true")["results"]) == 1
    (pipeline,) = portal.get("/crm/pipelines/2026-09/deals")["results"]
    assert {stage["id"] for stage in pipeline["stages"]} >= {"closedwon", "closedlost"}
    (pipeline,) = portal.get("/crm/pipelines/2026-09/tickets")["results"]
    assert pipeline["stages"][-1]["metadata"] == {"ticketState": "CLOSED"}
    assert portal.get("/crm/pipelines/2026-09/products")["results"] == []


def test_histories_are_those_of_fifty_objects_and_end_with_what_is(portal: Portal) -> None:
    path = "/crm/objects/2026-09/deals"
    options = {"limit": 50, "properties": "dealstage", "propertiesWithHistory": "dealstage,amount,unknown"}
    found = portal.get(path, **options)["results"]
    assert len(found) == 40
    for each in found:
        assert each["propertiesWithHistory"].keys() == {"dealstage", "amount"}
        versions = each["propertiesWithHistory"]["dealstage"]
        assert versions[0]["value"] == each["properties"]["dealstage"]
        times = [version["timestamp"] for version in versions]
        assert times == sorted(times, reverse=True)
        assert each["createdAt"] == times[-1]
        assert times[0] <= each["updatedAt"]
    assert any(len(each["propertiesWithHistory"]["dealstage"]) > 2 for each in found)
    assert portal.http.get(path, params=options | {"limit": 51}).status_code == 400
    body = {"inputs": [{"id": "1"}] * 51, "propertiesWithHistory": ["dealstage"]}
    assert portal.http.post(f"{path}/batch/read", json=body).status_code == 400


def test_lists_have_their_members_in_pages(portal: Portal) -> None:
    found = portal.post("/crm/lists/2026-09/search", {"count": 2, "additionalProperties": ["hs_list_size"]})
    assert ([each["name"] for each in found["lists"]], found["hasMore"]) == (
        ["Customers", "Newsletter"],
        True,
    )
    size = int(found["lists"][0]["additionalProperties"]["hs_list_size"])
    path, members, after = "/crm/lists/2026-09/11/memberships", [], "0"
    while after:
        answer = portal.get(path, limit=7, after=after)
        members += [each["recordId"] for each in answer["results"]]
        after = answer.get("paging", {}).get("next", {}).get("after")
    customers = [
        key for key, each in portal.truth().items() if each["properties"]["lifecyclestage"] == "customer"
    ]
    assert members == customers
    assert len(members) == size > 7
    assert portal.http.get("/crm/lists/2026-09/99/memberships").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/crm/v3/objects/contacts?limit=101", None, 400),
        ("GET", f"/crm/v3/objects/contacts?properties={'x' * 9000}", None, 414),
        ("GET", "/crm/v3/objects/unicorns", None, 404),
        ("POST", "/crm/v3/objects/contacts/search", {"limit": 201}, 400),
        ("POST", "/crm/v3/objects/contacts/batch/read", {"inputs": [{"id": "1"}] * 101}, 400),
        ("POST", "/crm/v4/associations/contacts/deals/batch/read", {"inputs": [{"id": "1"}] * 1001}, 400),
        ("POST", "/crm/v3/objects/contacts/search", "{", 400),
    ],
)
def test_refusals(portal: Portal, method: str, path: str, body: Any, status: int) -> None:
    content = {"content": body} if isinstance(body, str) else {"json": body}
    assert portal.http.request(method, path, **content).status_code == status


def test_tokens_and_scopes(start: Callable[..., Portal], tmp_path: Path) -> None:
    portal = start(tmp_path, *SMALL, "--token", "pat-other", "--scopes", "crm.objects.contacts.read")
    assert portal.http.get("/crm/v3/objects/contacts").status_code == 401
    portal.http.headers["Authorization"] = "Bearer pat-other"
    assert portal.http.get("/crm/v3/objects/contacts").status_code == 200
    refused = portal.http.get("/crm/v3/objects/deals")
    assert (refused.status_code, refused.json()["category"]) == (403, "MISSING_SCOPES")
    assert refused.json()["errors"][0]["context"]["requiredGranularScopes"] == ["crm.objects.deals.read"]


def test_the_limits_name_their_policy(start: Callable[..., Portal], tmp_path: Path) -> None:
    portal = start(tmp_path, *SMALL, "--rate-limit", "12")
    path = "/crm/v3/objects/contacts/search"
    answers = [portal.http.post(path, json={}) for _ in range(7)] + [
        portal.http.get("/crm/v3/owners") for _ in range(12)
    ]
    policies = {answer.json()["policyName"] for answer in answers if answer.status_code == 429}
    assert policies == {"SECONDLY", "TEN_SECONDLY_ROLLING"}
    assert not any("retry-after" in answer.headers for answer in answers)


def test_faults_and_a_restart(tmp_path: Path) -> None:
    with fake_api("hubspot", tmp_path, None, *SMALL) as served:
        portal = Portal(served)
        portal.post("/_control/faults", [{"kind": "status", "status": 503, "times": 1, "path": "contacts"}])
        assert portal.http.get("/crm/v3/objects/contacts").status_code == 503
        made = portal.post("/crm/v3/objects/contacts", {"properties": {"email": "new@example.com"}})
        before = portal.truth()
        assert portal.get("/_control/requests")["GET /crm/v3/objects/contacts"] == 1
    with fake_api("hubspot", tmp_path) as served:
        assert Portal(served).truth() == before
        assert before[made["id"]]["properties"]["email"] == "new@example.com"
    with (
        pytest.raises(RuntimeError, match="was filled with seed 1 and not 2"),
        fake_api("hubspot", tmp_path, None, "--seed", "2"),
    ):
        pass
