"""The raw tables of Google Contacts: people and groups."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy_bigquery import STRUCT

from reporting.settings import read_settings
from reporting.sources.columns import JSON
from reporting.warehouse.schema import drop_table

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def texts(*names: str) -> list[tuple[str, sa.types.TypeEngine]]:
    return [(name, sa.String()) for name in names]


def numbers(*names: str) -> list[tuple[str, sa.types.TypeEngine]]:
    return [(name, sa.Integer()) for name in names]


def array(*fields: tuple[str, sa.types.TypeEngine]) -> sa.types.TypeEngine:
    return sa.ARRAY(STRUCT(("is_primary", sa.Boolean()), ("source_type", sa.String()), *fields))


NAMES = texts(
    "display_name",
    "display_name_last_first",
    "unstructured_name",
    "given_name",
    "middle_name",
    "family_name",
    "honorific_prefix",
    "honorific_suffix",
    "phonetic_full_name",
    "phonetic_given_name",
    "phonetic_middle_name",
    "phonetic_family_name",
    "phonetic_honorific_prefix",
    "phonetic_honorific_suffix",
)
EMAIL_ADDRESSES = texts("value", "display_name", "type", "formatted_type", "normalised_value")
PHONE_NUMBERS = texts("value", "canonical_form", "type", "formatted_type", "e164")
ORGANIZATIONS = [
    *texts(
        "name",
        "department",
        "title",
        "job_description",
        "symbol",
        "domain",
        "location",
        "cost_center",
        "phonetic_name",
        "type",
        "formatted_type",
    ),
    ("is_current", sa.Boolean()),
    *numbers("start_year", "start_month", "start_day", "end_year", "end_month", "end_day"),
]
ADDRESSES = texts(
    "formatted_value",
    "po_box",
    "street_address",
    "extended_address",
    "city",
    "region",
    "postal_code",
    "country",
    "country_code",
    "type",
    "formatted_type",
)
BIRTHDAYS = [*texts("text"), *numbers("year", "month", "day")]
EVENTS = [*texts("type", "formatted_type"), *numbers("year", "month", "day")]
MEMBERSHIPS = [
    *texts("contact_group_id", "contact_group_resource_name"),
    ("is_in_viewer_domain", sa.Boolean()),
]


def contacts() -> list[sa.Column]:
    return [
        column(
            "id",
            sa.String(),
            "Resource name of the person: the key. It can change, and the old one then leads here.",
            required=True,
        ),
        column("resource_name", sa.String(), "Resource name of the person."),
        column(
            "contact_id",
            sa.String(),
            "Id of the contact behind the person, which outlives a change of the resource name.",
        ),
        column("etag", sa.String(), "Entity tag when the content was last changed."),
        column("updated_at", sa.TIMESTAMP(), "When the contact was last changed."),
        column(
            "previous_resource_names",
            sa.ARRAY(sa.String()),
            "Former resource names, where the last change was read by a sync; a sweep has none.",
        ),
        column("names", array(*NAMES), "Names, the contact's own and those of linked profiles."),
        column(
            "email_addresses",
            array(*EMAIL_ADDRESSES),
            "E-mail addresses as typed; normalised_value is trimmed and in lower case.",
        ),
        column(
            "phone_numbers",
            array(*PHONE_NUMBERS),
            "Telephone numbers as typed; e164 is null where the country cannot be told.",
        ),
        column("organizations", array(*ORGANIZATIONS), "Where the person works or worked."),
        column("addresses", array(*ADDRESSES), "Postal addresses."),
        column(
            "birthdays",
            array(*BIRTHDAYS),
            "Dates of birth; a part that is not known is null, and text is as typed.",
        ),
        column(
            "events",
            array(*EVENTS),
            "Anniversaries and other dates; a part that is not known is null.",
        ),
        column("memberships", array(*MEMBERSHIPS), "Groups that the person is in."),
    ]


def contact_groups() -> list[sa.Column]:
    return [
        column("id", sa.String(), "Resource name of the group: the key.", required=True),
        column("resource_name", sa.String(), "Resource name of the group."),
        column("etag", sa.String(), "Entity tag when the content was last changed; system groups have none."),
        column("updated_at", sa.TIMESTAMP(), "When the group was last changed; null for system groups."),
        column("group_type", sa.String(), "USER_CONTACT_GROUP or SYSTEM_CONTACT_GROUP."),
        column("name", sa.String(), "Name of the group."),
        column("formatted_name", sa.String(), "Name of the group in the language of the account."),
        column("member_count", sa.Integer(), "Number of its members at the last sweep or change."),
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


TABLES = {
    "contacts": ("People in Google Contacts.", contacts),
    "contact_groups": ("Groups of people in Google Contacts, which are called labels there.", contact_groups),
}


def upgrade() -> None:
    for name, (description, columns) in TABLES.items():
        op.create_table(
            f"google__{name}",
            *columns(),
            *loader_columns(),
            schema=read_settings().dataset("raw"),
            comment=description,
            bigquery_clustering_fields=["id"],
            if_not_exists=True,
        )


def downgrade() -> None:
    for name in reversed(TABLES):
        drop_table(op, f"{read_settings().dataset('raw')}.google__{name}")
