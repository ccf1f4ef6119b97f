"""What an application that may only read cannot do to the account, for tests: /_control."""

import json

from starlette.requests import Request

from sandbox.google import schema
from sandbox.google.errors import ApiError
from sandbox.google.oauth import Authorization
from sandbox.google.schema import GROUPS, PEOPLE, Json
from sandbox.google.store import Store


class Control:
    """What an application that may only read cannot do: changes, and what became of everybody."""

    def __init__(self, store: Store, authorization: Authorization) -> None:
        self.store, self.authorization = store, authorization

    async def state(self, _: Request) -> Json:
        """How many there are, and what the clock says."""
        return {
            "parameters": self.store.parameters(),
            "people": self.store.count(PEOPLE),
            "groups": self.store.count(GROUPS),
            "now": schema.iso(self.store.now()),
        }

    async def truth(self, _: Request) -> Json:
        """Every person and group with what became of it, deleted ones too."""
        members = self.store.member_counts()
        return {
            "people": [
                {
                    "resourceName": each.record["name"],
                    "previousResourceNames": each.record["previous"],
                    "contactId": f"{each.record['id']:x}",
                    "deleted": each.record["deleted"],
                    "updateTime": schema.iso(each.record["updated"]),
                    "origin": each.record["origin"],
                    "fields": each.record["fields"],
                }
                for each in self.store.every(PEOPLE)
            ],
            "groups": [
                {
                    "resourceName": each.record["name"],
                    "deleted": each.record["deleted"],
                    "updateTime": schema.iso(each.record["updated"]),
                    "memberCount": members.get(each.record["name"], 0),
                    "fields": each.record["fields"],
                }
                for each in self.store.every(GROUPS)
            ],
        }

    async def create(self, request: Request) -> Json:
        """POST a person's fields, as `people.createContact` takes them."""
        key = self.store.next_id(PEOPLE)
        fields = {"memberships": [schema.membership(f"{GROUPS}/myContacts")]} | await _body(request)
        made: Json = {
            "id": key,
            "name": f"{PEOPLE}/c{key}",
            "previous": [],
            "deleted": False,
            "fields": schema.completed(fields),
            "profile": None,
            "origin": {"case": "created", "human": f"google:{key}"},
        }
        self.store.put(PEOPLE, made)
        return self._shown(made["name"])

    async def edit(self, request: Request) -> Json:
        """PATCH a person: each field given replaces the one there is, and an empty one removes it."""
        record = self._known(PEOPLE, request)
        fields = schema.completed(record["fields"] | await _body(request))
        self.store.put(PEOPLE, {**record, "fields": fields})
        return self._shown(record["name"])

    async def delete(self, request: Request) -> Json:
        """DELETE a person."""
        record = self._known(PEOPLE, request)
        self.store.put(PEOPLE, {**record, "deleted": True})
        return {}

    async def rename(self, request: Request) -> Json:
        """POST: give a person another resource name, as linking a contact with a profile can do."""
        record = self._known(PEOPLE, request)
        number = len(record["previous"]) + 1
        name = f"{PEOPLE}/c{record['id']}{number:02d}"
        self.store.put(PEOPLE, {**record, "name": name, "previous": [*record["previous"], record["name"]]})
        return self._shown(name)

    async def create_group(self, request: Request) -> Json:
        """POST a group's name."""
        key = self.store.next_id(GROUPS)
        made = schema.user_group(key, self._group_name(await _body(request)), 0)
        self.store.put(GROUPS, made)
        return {"resourceName": made["name"]}

    async def rename_group(self, request: Request) -> Json:
        """PATCH a group's name."""
        record = self._known(GROUPS, request)
        name = self._group_name(await _body(request))
        self.store.put(GROUPS, {**record, "fields": record["fields"] | {"name": name, "formattedName": name}})
        return {"resourceName": record["name"]}

    async def delete_group(self, request: Request) -> Json:
        """DELETE a group; its members stay, without the membership."""
        record = self._known(GROUPS, request)
        gone = schema.membership(record["name"])
        left = [
            {**each.record, "fields": fields | {"memberships": [one for one in held if one != gone]}}
            for each in self.store.select(PEOPLE, "LAST_MODIFIED_ASCENDING")
            if gone in (held := (fields := each.record["fields"]).get("memberships", ()))
        ]
        self.store.put(GROUPS, {**record, "deleted": True})
        if left:
            self.store.put(PEOPLE, *left)
        return {}

    async def expire(self, _: Request) -> Json:
        """POST: every sync token given so far is expired."""
        self.store.set("sync_tokens_expired", str(self.store.now()))
        return {}

    async def move_clock(self, request: Request) -> Json:
        """POST seconds: so much time passes at once."""
        self.store.move_clock(float((await _body(request))["seconds"]))
        return {"now": schema.iso(self.store.now())}

    async def deny(self, _: Request) -> Json:
        """POST: the user denies the next consent."""
        self.authorization.is_denied_next = True
        return {}

    def _known(self, kind: str, request: Request) -> Json:
        found = self.store.named(f"{kind}/{request.path_params['key']}")
        if found is None or found.record["deleted"]:
            raise ApiError(404, "Requested entity was not found.")
        if kind == GROUPS and found.record["fields"]["groupType"] == "SYSTEM_CONTACT_GROUP":
            raise ApiError(400, "A system group cannot be changed.")
        return found.record

    def _group_name(self, body: Json) -> str:
        name = str(body["name"])
        existing = self.store.select(GROUPS, "ID")
        if name in (each.record["fields"]["name"] for each in existing):
            raise ApiError(409, "Contact group name already exists.")
        return name

    def _shown(self, name: str) -> Json:
        found = self.store.named(name)
        if found is None:
            raise ApiError(404, "Requested entity was not found.")
        return schema.shown_person(found.record, found.number, schema.PERSON_FIELDS)


async def _body(request: Request) -> Json:
    body = json.loads(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise ApiError(400, "Invalid JSON payload received.")
    return body
