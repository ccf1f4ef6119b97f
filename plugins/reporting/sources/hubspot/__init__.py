"""HubSpot's CRM: objects including merges and deletions, associations, owners and pipelines.

Facts about the API are from its reference: https://developers.hubspot.com/docs/api-reference (objects, search,
associations, properties, owners, pipelines, usage guidelines).
"""

from reporting.sources.base import Source, named_property
from reporting.sources.hubspot.entities import HUBSPOT

SOURCE = Source(
    name="hubspot",
    title="HubSpot",
    package=__name__,
    entities=HUBSPOT,
    needs="a service key as its password",
    advice="Run script/connect hubspot.",
    when_stale="whether the service key, or private app, still exists and has its scopes, and whether the daily limit is used up",
    property_of=named_property,
)
