"""The raw tables of Google Calendar: calendars and events."""

from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "0022"
down_revision = "0020"
branch_labels = None
depends_on = None

# `raw` is the dataset's name without this environment's prefix.
TABLES = {
    "google_calendar__calendars": """CREATE TABLE IF NOT EXISTS `raw`.`google_calendar__calendars` (
    `id` STRING NOT NULL OPTIONS(description="Id of the calendar: the key. That of a person's own calendar is an e-mail address."),
    `summary` STRING OPTIONS(description='Name of the calendar.'),
    `summary_override` STRING OPTIONS(description='Name that the owner gave to it; null if it is called by its own.'),
    `description` STRING OPTIONS(description='Description of the calendar.'),
    `time_zone` STRING OPTIONS(description='Time zone of the calendar.'),
    `access_role` STRING OPTIONS(description='freeBusyReader, reader, writer or owner.'),
    `is_primary` BOOL OPTIONS(description="Whether it is the owner's own calendar."),
    `is_selected` BOOL OPTIONS(description='Whether its events are shown.'),
    `_payload` JSON OPTIONS(description='The record as received.'),
    `_source_updated_at` TIMESTAMP OPTIONS(description='When the source says that the record last changed.'),
    `_content_hash` STRING OPTIONS(description="SHA-256 of the record's content; equal means nothing changed."),
    `_first_seen_at` TIMESTAMP OPTIONS(description='When the row was first loaded.'),
    `_extracted_at` TIMESTAMP OPTIONS(description='Time of the latest read of the record, changed or not.'),
    `_loaded_at` TIMESTAMP OPTIONS(description='When the content was last changed by a load.'),
    `_run_id` STRING OPTIONS(description='The run that last changed the content.'),
    `_deleted_at` TIMESTAMP OPTIONS(description='When the source deleted the record, or the start of the sweep that missed it; null while it is there.'),
    `_deleted_reason` STRING OPTIONS(description='trashed, archived, merged or missing; null while it is there.'),
    `_merged_into_id` STRING OPTIONS(description='Key of the record that this one was merged into.')
) CLUSTER BY id
OPTIONS(description='Calendars in the list of Google Calendar, other than hidden ones.')""",
    "google_calendar__events": """CREATE TABLE IF NOT EXISTS `raw`.`google_calendar__events` (
    `id` STRING NOT NULL OPTIONS(description='Id of the calendar, a slash, and id of the event: the key.'),
    `calendar_id` STRING OPTIONS(description='Id of the calendar.'),
    `event_id` STRING OPTIONS(description='Id of the event in its calendar.'),
    `ical_uid` STRING OPTIONS(description='Id by which all calendars know the event; instances of a recurring event share it.'),
    `recurring_event_id` STRING OPTIONS(description='Id of the recurring event of an instance; null for other events.'),
    `original_start_at` TIMESTAMP OPTIONS(description='Time for which an instance was planned first.'),
    `original_start_date` DATE OPTIONS(description='The same of an instance that takes whole days.'),
    `status` STRING OPTIONS(description='confirmed or tentative.'),
    `event_type` STRING OPTIONS(description='default, birthday, focusTime, fromGmail, outOfOffice or workingLocation.'),
    `summary` STRING OPTIONS(description='Title of the event.'),
    `location` STRING OPTIONS(description='Where it takes place, as typed.'),
    `start_at` TIMESTAMP OPTIONS(description='When it begins; null if it takes whole days.'),
    `end_at` TIMESTAMP OPTIONS(description='When it ends; null if it takes whole days.'),
    `start_date` DATE OPTIONS(description='First day of an event that takes whole days.'),
    `end_date` DATE OPTIONS(description='Day after the last one of an event that takes whole days.'),
    `start_time_zone` STRING OPTIONS(description='Time zone in which the beginning was typed.'),
    `transparency` STRING OPTIONS(description='transparent if the owner is free during the event; null or opaque otherwise.'),
    `visibility` STRING OPTIONS(description="public, private or confidential; null for the calendar's default."),
    `created_at` TIMESTAMP OPTIONS(description='When it was made.'),
    `updated_at` TIMESTAMP OPTIONS(description='When it was last changed.'),
    `organizer_email` STRING OPTIONS(description='E-mail address of the organizer.'),
    `is_organizer_self` BOOL OPTIONS(description="Whether the calendar's owner is the organizer."),
    `attendees` ARRAY<STRUCT<email STRING, normalised_email STRING, display_name STRING, response_status STRING, is_self BOOL, is_organizer BOOL, is_resource BOOL, is_optional BOOL>> OPTIONS(description="Who is invited, in Google's order."),
    `is_attendees_omitted` BOOL OPTIONS(description='Whether Google left attendees out.'),
    `_payload` JSON OPTIONS(description='The record as received.'),
    `_source_updated_at` TIMESTAMP OPTIONS(description='When the source says that the record last changed.'),
    `_content_hash` STRING OPTIONS(description="SHA-256 of the record's content; equal means nothing changed."),
    `_first_seen_at` TIMESTAMP OPTIONS(description='When the row was first loaded.'),
    `_extracted_at` TIMESTAMP OPTIONS(description='Time of the latest read of the record, changed or not.'),
    `_loaded_at` TIMESTAMP OPTIONS(description='When the content was last changed by a load.'),
    `_run_id` STRING OPTIONS(description='The run that last changed the content.'),
    `_deleted_at` TIMESTAMP OPTIONS(description='When the source deleted the record, or the start of the sweep that missed it; null while it is there.'),
    `_deleted_reason` STRING OPTIONS(description='trashed, archived, merged or missing; null while it is there.'),
    `_merged_into_id` STRING OPTIONS(description='Key of the record that this one was merged into.')
) CLUSTER BY id
OPTIONS(description='Events of the calendars, with each instance of a recurring event as an event of its own.')""",
}


def upgrade() -> None:
    for table in TABLES.values():
        sql = table.replace("`raw`", f"`{read_settings().dataset('raw')}`")
        # As it is: in text that SQLAlchemy looks into, a colon may begin a parameter.
        op.get_bind().exec_driver_sql(sql.replace("%", "%%"))


def downgrade() -> None:
    for name in reversed(TABLES):
        drop_table(op, f"{read_settings().dataset('raw')}.{name}")
