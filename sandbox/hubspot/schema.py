"""Object types, their properties and how they can be associated, as HubSpot defines them.

https://developers.hubspot.com/docs/guides/crm/understanding-the-crm and .../crm/associations
"""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# The id of a type that somebody has defined, as HubSpot numbers them.
CUSTOM = "2-4711"
SYSTEM = {"hs_object_id": "number", "createdate": "datetime", "hs_lastmodifieddate": "datetime"}
ENGAGEMENT = {
    "hs_object_id": "number",
    "hs_createdate": "datetime",
    "hs_lastmodifieddate": "datetime",
    "hs_timestamp": "datetime",
    "hubspot_owner_id": "enumeration",
}

# Property names and types by object type; a value is a string or null whatever its type.
PROPERTIES: dict[str, dict[str, str]] = {
    "contacts": {
        "hs_object_id": "number",
        "createdate": "datetime",
        "lastmodifieddate": "datetime",
        "email": "string",
        "firstname": "string",
        "lastname": "string",
        "phone": "phone_number",
        "mobilephone": "phone_number",
        "company": "string",
        "jobtitle": "string",
        "city": "string",
        "country": "string",
        "date_of_birth": "string",
        "lifecyclestage": "enumeration",
        "hs_lead_status": "enumeration",
        "hubspot_owner_id": "enumeration",
        "hs_merged_object_ids": "enumeration",
        "hs_additional_emails": "enumeration",
    },
    "companies": {
        **SYSTEM,
        "name": "string",
        "domain": "string",
        "industry": "enumeration",
        "city": "string",
        "country": "string",
        "phone": "phone_number",
        "numberofemployees": "number",
        "annualrevenue": "number",
        "lifecyclestage": "enumeration",
        "hubspot_owner_id": "enumeration",
        "hs_merged_object_ids": "enumeration",
    },
    "deals": {
        **SYSTEM,
        "dealname": "string",
        "amount": "number",
        "closedate": "datetime",
        "pipeline": "enumeration",
        "dealstage": "enumeration",
        "dealtype": "enumeration",
        "hubspot_owner_id": "enumeration",
        "hs_merged_object_ids": "enumeration",
        "hs_is_closed_won": "bool",
    },
    "calls": {
        **ENGAGEMENT,
        "hs_call_title": "string",
        "hs_call_body": "string",
        "hs_call_duration": "number",
        "hs_call_direction": "enumeration",
        "hs_call_status": "enumeration",
    },
    "emails": {
        **ENGAGEMENT,
        "hs_email_subject": "string",
        "hs_email_direction": "enumeration",
        "hs_email_status": "enumeration",
        "hs_email_text": "string",
    },
    "meetings": {
        **ENGAGEMENT,
        "hs_meeting_title": "string",
        "hs_meeting_start_time": "datetime",
        "hs_meeting_end_time": "datetime",
        "hs_meeting_outcome": "enumeration",
    },
    "notes": {**ENGAGEMENT, "hs_note_body": "string"},
    "tasks": {
        **ENGAGEMENT,
        "hs_task_subject": "string",
        "hs_task_body": "string",
        "hs_task_status": "enumeration",
        "hs_task_priority": "enumeration",
        "hs_task_type": "enumeration",
    },
    "communications": {
        **ENGAGEMENT,
        "hs_communication_channel_type": "enumeration",
        "hs_communication_logged_from": "enumeration",
        "hs_communication_body": "string",
    },
    "tickets": {
        **SYSTEM,
        "subject": "string",
        "content": "string",
        "hs_pipeline": "enumeration",
        "hs_pipeline_stage": "enumeration",
        "hs_ticket_priority": "enumeration",
        "hs_ticket_category": "enumeration",
        "source_type": "enumeration",
        "closed_date": "datetime",
        "hubspot_owner_id": "enumeration",
        "hs_merged_object_ids": "enumeration",
    },
    "products": {
        **SYSTEM,
        "name": "string",
        "description": "string",
        "hs_sku": "string",
        "price": "number",
        "hs_cost_of_goods_sold": "number",
    },
    "line_items": {
        **SYSTEM,
        "name": "string",
        "hs_product_id": "number",
        "hs_sku": "string",
        "quantity": "number",
        "price": "number",
        "discount": "number",
        "amount": "number",
    },
    CUSTOM: {
        "hs_object_id": "number",
        "hs_createdate": "datetime",
        "hs_lastmodifieddate": "datetime",
        "name": "string",
        "budget": "number",
        "starts_on": "date",
        "is_billable": "bool",
        "hs_pipeline": "enumeration",
        "hs_pipeline_stage": "enumeration",
        "hubspot_owner_id": "enumeration",
    },
}
TYPES = tuple(PROPERTIES)
# What a type that somebody has defined says of itself.
CUSTOM_SCHEMA: Json = {
    "id": "4711",
    "objectTypeId": CUSTOM,
    "fullyQualifiedName": "p1_projects",
    "name": "projects",
    "labels": {"singular": "Project", "plural": "Projects"},
    "primaryDisplayProperty": "name",
    "requiredProperties": ["name"],
    "archived": False,
}
ENGAGEMENTS = ("calls", "emails", "meetings", "notes", "tasks", "communications")
SINGULAR = {kind: kind.removesuffix("s") for kind in TYPES} | {"companies": "company"}

# The scope that reads each type.
SCOPES = {
    **dict.fromkeys(("contacts", *ENGAGEMENTS), "crm.objects.contacts.read"),
    "companies": "crm.objects.companies.read",
    "deals": "crm.objects.deals.read",
    "emails": "sales-email-read",
    "tickets": "tickets",
    "products": "crm.objects.products.read",
    "line_items": "crm.objects.line_items.read",
    CUSTOM: "crm.objects.custom.read",
    "owners": "crm.objects.owners.read",
    "lists": "crm.lists.read",
    "schemas": "crm.schemas.custom.read",
}


@dataclass(frozen=True, slots=True)
class Label:
    """What an association says of itself."""

    type_id: int
    category: str = "HUBSPOT_DEFINED"
    label: str | None = None


# From, to: the unlabelled association's type, in both directions.
UNLABELLED: dict[tuple[str, str], int] = {
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
    ("contacts", "deals"): 4,
    ("deals", "contacts"): 3,
    ("companies", "deals"): 342,
    ("deals", "companies"): 341,
    ("calls", "contacts"): 194,
    ("contacts", "calls"): 193,
    ("calls", "companies"): 182,
    ("companies", "calls"): 181,
    ("calls", "deals"): 206,
    ("deals", "calls"): 205,
    ("emails", "contacts"): 198,
    ("contacts", "emails"): 197,
    ("emails", "companies"): 186,
    ("companies", "emails"): 185,
    ("emails", "deals"): 210,
    ("deals", "emails"): 209,
    ("meetings", "contacts"): 200,
    ("contacts", "meetings"): 199,
    ("meetings", "companies"): 188,
    ("companies", "meetings"): 187,
    ("meetings", "deals"): 212,
    ("deals", "meetings"): 211,
    ("notes", "contacts"): 202,
    ("contacts", "notes"): 201,
    ("notes", "companies"): 190,
    ("companies", "notes"): 189,
    ("notes", "deals"): 214,
    ("deals", "notes"): 213,
    ("tasks", "contacts"): 204,
    ("contacts", "tasks"): 203,
    ("tasks", "companies"): 192,
    ("companies", "tasks"): 191,
    ("tasks", "deals"): 216,
    ("deals", "tasks"): 215,
    ("tickets", "contacts"): 16,
    ("contacts", "tickets"): 15,
    ("tickets", "companies"): 339,
    ("companies", "tickets"): 340,
    ("tickets", "deals"): 28,
    ("deals", "tickets"): 27,
    ("line_items", "deals"): 20,
    ("deals", "line_items"): 19,
    (CUSTOM, "contacts"): 31,
    ("contacts", CUSTOM): 32,
    (CUSTOM, "companies"): 33,
    ("companies", CUSTOM): 34,
    (CUSTOM, "deals"): 35,
    ("deals", CUSTOM): 36,
    ("communications", "contacts"): 81,
    ("contacts", "communications"): 82,
    ("communications", "companies"): 87,
    ("companies", "communications"): 88,
    ("communications", "deals"): 85,
    ("deals", "communications"): 86,
}
PRIMARY = {
    ("contacts", "companies"): Label(1, label="Primary"),
    ("companies", "contacts"): Label(2, label="Primary"),
}


def modified_property(kind: str) -> str:
    """Contacts have a name of their own for it; with the wrong one a search is empty, without an error."""
    return "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"


def created_property(kind: str) -> str:
    """The property that holds when a record was created."""
    return "hs_createdate" if kind in (*ENGAGEMENTS, CUSTOM) else "createdate"


def definition(name: str, kind: str, of: str = "") -> Json:
    """A property as the properties API describes it; `of` is the type of the objects."""
    field = {
        "number": "number",
        "datetime": "date",
        "date": "date",
        "bool": "booleancheckbox",
        "enumeration": "select",
    }
    return {
        "name": name,
        "label": name.removeprefix("hs_").replace("_", " ").capitalize(),
        "type": kind,
        "fieldType": field.get(kind, "text"),
        "description": "",
        "groupName": "information",
        "options": [],
        "displayOrder": -1,
        "calculated": False,
        "externalOptions": False,
        "archived": False,
        "hasUniqueValue": False,
        "hidden": False,
        "hubspotDefined": of != CUSTOM or name.startswith(("hs_", "hubspot_")),
        "modificationMetadata": {"archivable": True, "readOnlyDefinition": True, "readOnlyValue": False},
        "formField": True,
    }
