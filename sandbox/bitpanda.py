"""A fake Bitpanda: wallets in the shape of https://developers.bitpanda.com/, with invented holdings."""

from sandbox.lists import Lists, Record

KEY = "bitpanda-of-nobody"
HOLDINGS = (
    ("BTC", "Bitcoin", "0.12500000"),
    ("ETH", "Ethereum", "2.40000000"),
    ("ADA", "Cardano", "0.00000000"),
)


def wallet(symbol: str, name: str, balance: str) -> Record:
    """One wallet."""
    return {
        "type": "wallet",
        "id": f"w-{symbol.lower()}",
        "attributes": {
            "cryptocoin_symbol": symbol,
            "name": f"{name} wallet",
            "balance": balance,
            "is_default": True,
            "pending_transactions_count": 0,
            "deleted": False,
        },
    }


class Bitpanda(Lists):
    """Its wallets, all in one answer."""

    def __init__(self) -> None:
        super().__init__({"wallets": [wallet(*each) for each in HOLDINGS]}, field="data", secret=KEY)


def fake() -> Bitpanda:
    """The fake API with its sample."""
    return Bitpanda()
