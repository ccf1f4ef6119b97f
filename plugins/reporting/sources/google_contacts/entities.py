"""The entities of Google Contacts."""

from reporting.entity import Entity

GOOGLE = (
    Entity(source="google", name="contacts", description="People in Google Contacts.", page_size=1000),
    Entity(
        source="google",
        name="contact_groups",
        description="Groups of people in Google Contacts, which are called labels there.",
        page_size=1000,
    ),
)
