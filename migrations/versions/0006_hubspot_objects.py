"""The raw tables of HubSpot's objects."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.sources.columns import JSON
from reporting.warehouse.schema import drop_table

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OWNER = {"hubspot_owner_id": "Id of the owner."}
MERGED = {"hs_merged_object_ids": "Ids of the objects that were merged into this one, with semicolons."}
ENGAGEMENT = {"hs_timestamp": "When it took place or is due, as HubSpot gives it.", **OWNER}

# Description and properties of each table; a property's column is text whatever its type.
TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "contacts": (
        "People in HubSpot.",
        {
            "email": "Primary e-mail address.",
            "hs_additional_emails": "Other e-mail addresses, with semicolons.",
            "firstname": "First name.",
            "lastname": "Last name.",
            "phone": "Phone number as typed.",
            "mobilephone": "Mobile phone number as typed.",
            "company": "Name of the company as typed; the association is in hubspot__associations.",
            "jobtitle": "Job title.",
            "city": "City.",
            "country": "Country.",
            "date_of_birth": "Date of birth as typed.",
            "lifecyclestage": "Stage of the lifecycle, by internal name.",
            "hs_lead_status": "Status of the lead, by internal name.",
            **OWNER,
            **MERGED,
        },
    ),
    "companies": (
        "Companies in HubSpot.",
        {
            "name": "Name of the company.",
            "domain": "Internet domain of the company.",
            "industry": "Industry, by internal name.",
            "city": "City.",
            "country": "Country.",
            "phone": "Phone number as typed.",
            "numberofemployees": "Number of employees, as HubSpot gives it.",
            "annualrevenue": "Annual revenue, as HubSpot gives it.",
            "lifecyclestage": "Stage of the lifecycle, by internal name.",
            **OWNER,
            **MERGED,
        },
    ),
    "deals": (
        "Deals in HubSpot.",
        {
            "dealname": "Name of the deal.",
            "amount": "Amount, as HubSpot gives it.",
            "closedate": "When it was or is to be closed, as HubSpot gives it.",
            "pipeline": "Id of the pipeline.",
            "dealstage": "Id of the stage.",
            "dealtype": "Type of the deal, by internal name.",
            "hs_is_closed_won": "Whether it was won, as HubSpot gives it.",
            **OWNER,
            **MERGED,
        },
    ),
    "calls": (
        "Calls that were logged in HubSpot.",
        {
            **ENGAGEMENT,
            "hs_call_title": "Title of the call.",
            "hs_call_duration": "Duration in milliseconds, as HubSpot gives it.",
            "hs_call_direction": "INBOUND or OUTBOUND.",
            "hs_call_status": "Status of the call, by internal name.",
        },
    ),
    "emails": (
        "E-mails that were logged in HubSpot.",
        {
            **ENGAGEMENT,
            "hs_email_subject": "Subject.",
            "hs_email_direction": "EMAIL (sent), INCOMING_EMAIL or FORWARDED_EMAIL.",
            "hs_email_status": "Status of the sending, by internal name.",
        },
    ),
    "meetings": (
        "Meetings that were logged in HubSpot.",
        {
            **ENGAGEMENT,
            "hs_meeting_title": "Title of the meeting.",
            "hs_meeting_start_time": "Start, as HubSpot gives it.",
            "hs_meeting_end_time": "End, as HubSpot gives it.",
            "hs_meeting_outcome": "Outcome, by internal name.",
        },
    ),
    "notes": (
        "Notes that were taken in HubSpot.",
        {
            **ENGAGEMENT,
            "hs_note_body": "Text of the note.",
        },
    ),
    "tasks": (
        "Tasks that were set in HubSpot.",
        {
            **ENGAGEMENT,
            "hs_task_subject": "Subject of the task.",
            "hs_task_status": "Status of the task, by internal name.",
            "hs_task_priority": "Priority of the task, by internal name.",
            "hs_task_type": "TODO, CALL or EMAIL.",
        },
    ),
    "communications": (
        "Messages by SMS, WhatsApp or LinkedIn that were logged in HubSpot.",
        {
            **ENGAGEMENT,
            "hs_communication_channel_type": "Channel, by internal name.",
            "hs_communication_logged_from": "Where it was logged from, by internal name.",
            "hs_communication_body": "Text of the message.",
        },
    ),
}


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def columns(properties: dict[str, str]) -> list[sa.Column]:
    return [
        column("id", sa.String(), "Id of the object in HubSpot: the key.", required=True),
        column("created_at", sa.TIMESTAMP(), "When the object was created."),
        column("updated_at", sa.TIMESTAMP(), "When the object was last modified."),
        column("archived", sa.Boolean(), "Whether the object was in the recycling bin when it was read."),
        column("archived_at", sa.TIMESTAMP(), "When the object was put into the recycling bin."),
        *(column(name, sa.String(), description) for name, description in properties.items()),
        *loader_columns(),
    ]


def loader_columns() -> list[sa.Column]:
    return [
        column("_payload", JSON(), "The record as received."),
        column("_source_updated_at", sa.TIMESTAMP(), "When the source says that the record last changed."),
        column("_content_hash", sa.String(), "SHA-256 of the record's content; equal means nothing changed."),
        column("_first_seen_at", sa.TIMESTAMP(), "When the row was first loaded."),
        column("_extracted_at", sa.TIMESTAMP(), "Time of the latest read of the record, changed or not."),
        column("_loaded_at", sa.TIMESTAMP(), "When the content was last changed by a load."),
        column("_run_id", sa.String(), "The run that last changed the content."),
        column(
            "_deleted_at",
            sa.TIMESTAMP(),
            "When the source deleted the record, or the start of the sweep that missed it; null while it is there.",
        ),
        column(
            "_deleted_reason", sa.String(), "trashed, archived, merged or missing; null while it is there."
        ),
        column("_merged_into_id", sa.String(), "Key of the record that this one was merged into."),
    ]


def upgrade() -> None:
    for name, (description, properties) in TABLES.items():
        op.create_table(
            f"hubspot__{name}",
            *columns(properties),
            schema=read_settings().dataset("raw"),
            comment=description,
            bigquery_clustering_fields=["id"],
            # DDL is not rolled back: a revision cut off between two tables must be able to begin again.
            if_not_exists=True,
        )


def downgrade() -> None:
    for name in reversed(TABLES):
        drop_table(op, f"{read_settings().dataset('raw')}.hubspot__{name}")
