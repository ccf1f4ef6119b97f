"""Stripe: https://docs.stripe.com/api (Charges, Pagination, Expanding responses)."""

from datetime import timedelta

from reporting.sources.rest import AfterLast, Bearer, Property, Resource, Since, rest_source

CHARGES = Resource(
    name="charges",
    description="Charges of Stripe.",
    path="charges",
    records="data",
    size="limit",
    parameters={"expand[]": "data.customer"},
    paging=AfterLast(),
    # A charge may be refunded later, and says only when it was made: the daily full refresh meets older ones.
    since=Since("created[gte]", field="created", time="unix", overlap=timedelta(days=3)),
    columns={
        "created": Property("datetime", "When it was made."),
        "amount": Property("number", "Amount in the smallest unit of the currency."),
        "amount_refunded": Property("number", "What of it was paid back."),
        "currency": Property("text", "Currency, ISO 4217 in lower case."),
        "status": Property("text", "How it stands: succeeded, pending or failed."),
        "customer.name": Property("text", "Who paid."),
    },
)
BASE = "https://api.stripe.com/v1"
SOURCE = rest_source(name="stripe", title="Stripe", base=BASE, auth=Bearer(), resources=(CHARGES,))
