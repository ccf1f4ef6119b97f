"""The entities of HubSpot, and the properties that get a column."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reporting.entity import Entity, Property


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSpotObject(Entity):
    """A type of CRM object. `object_type` is what the API's paths call it, where that is not the entity's name: `2-123456` for a
    custom object.

    `properties` get a column in the raw table; the payload has all properties. `history` are the properties whose former
    values are kept in `hubspot__property_history`. `associations` are types with which its associations are read: of a type
    that the owner has added.
    https://developers.hubspot.com/docs/guides/crm/understanding-the-crm
    """

    source: str = "hubspot"
    properties: Mapping[str, Property] = field(hash=False)
    history: tuple[str, ...] = ()
    object_type: str = ""
    associations: tuple[str, ...] = ()

    @property
    def path_name(self) -> str:
        """What the API's paths call it."""
        return self.object_type or self.name

    @property
    def has_pipelines(self) -> bool:
        """Whether it has pipelines beside those of deals, which are always read."""
        return "hs_pipeline" in self.properties

    @property
    def modified_property(self) -> str:
        """The name of the property with the time of the last change. With the wrong one, a search finds nothing and reports
        no error."""
        return "lastmodifieddate" if self.name == "contacts" else "hs_lastmodifieddate"

    @property
    def is_engagement(self) -> bool:
        """Whether it is an engagement, such as a call or a meeting, with contacts, companies or deals."""
        return "hs_timestamp" in self.properties


_OWNER = {"hubspot_owner_id": Property("text", "Id of the owner.")}
_MERGED = {
    "hs_merged_object_ids": Property(
        "text", "Ids of the objects that were merged into this one, with semicolons."
    )
}
_ENGAGEMENT = {
    "hs_timestamp": Property("datetime", "When it took place or is due, as HubSpot gives it."),
    **_OWNER,
}

HUBSPOT_OBJECTS = (
    HubSpotObject(
        name="contacts",
        description="People in HubSpot.",
        properties={
            "email": Property("text", "Primary e-mail address."),
            "hs_additional_emails": Property("text", "Other e-mail addresses, with semicolons."),
            "firstname": Property("text", "First name."),
            "lastname": Property("text", "Last name."),
            "phone": Property("text", "Phone number as typed."),
            "mobilephone": Property("text", "Mobile phone number as typed."),
            "company": Property(
                "text", "Name of the company as typed; the association is in hubspot__associations."
            ),
            "jobtitle": Property("text", "Job title."),
            "city": Property("text", "City."),
            "country": Property("text", "Country."),
            "date_of_birth": Property("text", "Date of birth as typed."),
            "lifecyclestage": Property("text", "Stage of the lifecycle, by internal name."),
            "hs_lead_status": Property("text", "Status of the lead, by internal name."),
            **_OWNER,
            **_MERGED,
        },
        history=("lifecyclestage", "hs_lead_status", "hubspot_owner_id"),
    ),
    HubSpotObject(
        name="companies",
        description="Companies in HubSpot.",
        properties={
            "name": Property("text", "Name of the company."),
            "domain": Property("text", "Internet domain of the company."),
            "industry": Property("text", "Industry, by internal name."),
            "city": Property("text", "City."),
            "country": Property("text", "Country."),
            "phone": Property("text", "Phone number as typed."),
            "numberofemployees": Property("number", "Number of employees, as HubSpot gives it."),
            "annualrevenue": Property("number", "Annual revenue, as HubSpot gives it."),
            "lifecyclestage": Property("text", "Stage of the lifecycle, by internal name."),
            **_OWNER,
            **_MERGED,
        },
        history=("lifecyclestage", "hubspot_owner_id"),
    ),
    HubSpotObject(
        name="deals",
        description="Deals in HubSpot.",
        properties={
            "dealname": Property("text", "Name of the deal."),
            "amount": Property("number", "Amount, as HubSpot gives it."),
            "closedate": Property("datetime", "When it was or is to be closed, as HubSpot gives it."),
            "pipeline": Property("text", "Id of the pipeline."),
            "dealstage": Property("text", "Id of the stage."),
            "dealtype": Property("text", "Type of the deal, by internal name."),
            "hs_is_closed_won": Property("bool", "Whether it was won, as HubSpot gives it."),
            **_OWNER,
            **_MERGED,
        },
        history=("pipeline", "dealstage", "amount", "closedate", "hubspot_owner_id"),
    ),
    HubSpotObject(
        name="calls",
        description="Calls that were logged in HubSpot.",
        properties={
            **_ENGAGEMENT,
            "hs_call_title": Property("text", "Title of the call."),
            "hs_call_duration": Property("number", "Duration in milliseconds, as HubSpot gives it."),
            "hs_call_direction": Property("text", "INBOUND or OUTBOUND."),
            "hs_call_status": Property("text", "Status of the call, by internal name."),
        },
    ),
    HubSpotObject(
        name="emails",
        description="E-mails that were logged in HubSpot.",
        properties={
            **_ENGAGEMENT,
            "hs_email_subject": Property("text", "Subject."),
            "hs_email_direction": Property("text", "EMAIL (sent), INCOMING_EMAIL or FORWARDED_EMAIL."),
            "hs_email_status": Property("text", "Status of the sending, by internal name."),
        },
    ),
    HubSpotObject(
        name="meetings",
        description="Meetings that were logged in HubSpot.",
        properties={
            **_ENGAGEMENT,
            "hs_meeting_title": Property("text", "Title of the meeting."),
            "hs_meeting_start_time": Property("datetime", "Start, as HubSpot gives it."),
            "hs_meeting_end_time": Property("datetime", "End, as HubSpot gives it."),
            "hs_meeting_outcome": Property("text", "Outcome, by internal name."),
        },
    ),
    HubSpotObject(
        name="notes",
        description="Notes that were taken in HubSpot.",
        properties={**_ENGAGEMENT, "hs_note_body": Property("text", "Text of the note.")},
    ),
    HubSpotObject(
        name="tasks",
        description="Tasks that were set in HubSpot.",
        properties={
            **_ENGAGEMENT,
            "hs_task_subject": Property("text", "Subject of the task."),
            "hs_task_status": Property("text", "Status of the task, by internal name."),
            "hs_task_priority": Property("text", "Priority of the task, by internal name."),
            "hs_task_type": Property("text", "TODO, CALL or EMAIL."),
        },
    ),
    HubSpotObject(
        name="communications",
        description="Messages by SMS, WhatsApp or LinkedIn that were logged in HubSpot.",
        properties={
            **_ENGAGEMENT,
            "hs_communication_channel_type": Property("text", "Channel, by internal name."),
            "hs_communication_logged_from": Property("text", "Where it was logged from, by internal name."),
            "hs_communication_body": Property("text", "Text of the message."),
        },
    ),
)
# What not every portal uses: read only where a setting names it, as in REPORTING_NAME_HUBSPOT__TICKETS=tickets.
OPTIONAL_OBJECTS = (
    HubSpotObject(
        name="tickets",
        description="Tickets of HubSpot's service hub.",
        needs_name=True,
        properties={
            "subject": Property("text", "Subject of the ticket."),
            "content": Property("text", "Description of the ticket."),
            "hs_pipeline": Property("text", "Id of the pipeline."),
            "hs_pipeline_stage": Property("text", "Id of the stage."),
            "hs_ticket_priority": Property("text", "Priority, by internal name."),
            "hs_ticket_category": Property("text", "Category, by internal name."),
            "source_type": Property("text", "Channel by which it came, by internal name."),
            "closed_date": Property("datetime", "When it was closed, as HubSpot gives it."),
            **_OWNER,
            **_MERGED,
        },
        history=("hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority", "hubspot_owner_id"),
    ),
    HubSpotObject(
        name="products",
        description="Products of HubSpot's library.",
        needs_name=True,
        properties={
            "name": Property("text", "Name of the product."),
            "description": Property("text", "Description of the product."),
            "hs_sku": Property("text", "Number of the article."),
            "price": Property("number", "Price of one, as HubSpot gives it."),
            "hs_cost_of_goods_sold": Property("number", "What one costs, as HubSpot gives it."),
        },
    ),
    HubSpotObject(
        name="line_items",
        description="Lines of deals and quotes: which product, how many, at what price.",
        needs_name=True,
        properties={
            "name": Property("text", "Name of what is sold."),
            "hs_product_id": Property("text", "Id of the product; null where it is none of the library."),
            "hs_sku": Property("text", "Number of the article."),
            "quantity": Property("number", "How many, as HubSpot gives it."),
            "price": Property("number", "Price of one, as HubSpot gives it."),
            "discount": Property("number", "Discount on the price, as HubSpot gives it."),
            "amount": Property("number", "Price of all, as HubSpot gives it."),
        },
    ),
)
LISTS = (
    Entity(
        source="hubspot",
        name="lists",
        description="Lists of contacts, companies and other objects, which HubSpot calls segments, too.",
        has_changed=False,
        is_slow=True,
        needs_name=True,
    ),
    Entity(
        source="hubspot",
        name="list_memberships",
        description="Which objects are in a list: one row per list and object.",
        has_changed=False,
        needs_name=True,
        page_size=250,
    ),
)
HUBSPOT: tuple[Entity, ...] = (
    *HUBSPOT_OBJECTS,
    *OPTIONAL_OBJECTS,
    Entity(
        source="hubspot",
        name="owners",
        description="Users of HubSpot who own objects, those who left included.",
        has_changed=False,
        is_slow=True,
    ),
    Entity(
        source="hubspot",
        name="pipelines",
        description="Pipelines of deals, and of every other type that has any, with their stages.",
        has_changed=False,
        is_slow=True,
    ),
    Entity(
        source="hubspot",
        name="associations",
        description="Which objects are associated: one row a pair and label.",
        has_changed=False,
    ),
    Entity(
        source="hubspot",
        name="property_history",
        description="Former and present values of some properties: one row per object, property and change.",
        is_history=True,
    ),
    *LISTS,
)


def scope_of(entity: Entity) -> str:
    """The narrowest scope with which it can be read.

    https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/scopes
    """
    if entity.name == "pipelines":
        return "crm.objects.deals.read"
    if entity in LISTS:
        return "crm.lists.read"
    if entity.name == "emails":
        return "sales-email-read"
    if entity.name == "tickets":
        return "tickets"
    if isinstance(entity, HubSpotObject) and entity.object_type.startswith("2-"):
        return "crm.objects.custom.read"
    if isinstance(entity, HubSpotObject) and entity.is_engagement:
        return "crm.objects.contacts.read"
    return f"crm.objects.{entity.name}.read"


# What people call one engagement of each kind.
TOUCHES = {
    "calls": "call",
    "emails": "e-mail",
    "meetings": "meeting",
    "communications": "message",
    "tasks": "task",
    "notes": "note",
}
