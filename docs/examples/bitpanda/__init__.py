"""Bitpanda: https://developers.bitpanda.com/ (Wallets)."""

from reporting.sources.rest import Gone, HeaderKey, Property, Resource, SinglePage, rest_source

HOLDINGS = Resource(
    name="holdings",
    description="What is held of each coin at Bitpanda, a row a day and wallet.",
    path="wallets",
    records="data",
    paging=SinglePage(),
    is_snapshot=True,
    gone=Gone("attributes.deleted"),
    columns={
        "attributes.cryptocoin_symbol": Property("text", "Symbol of the coin."),
        "attributes.name": Property("text", "Name of the wallet."),
        "attributes.balance": Property("number", "How much of the coin is in it."),
    },
)
BASE, KEY = "https://api.bitpanda.com/v1", HeaderKey("X-Api-Key")
SOURCE = rest_source(name="bitpanda", title="Bitpanda", base=BASE, auth=KEY, resources=(HOLDINGS,))
