"""A fake Stripe: charges in the shape of https://docs.stripe.com/api/charges/list, newest first, with invented content."""

from typing import Any

import httpx

from sandbox.lists import Lists, Record

KEY = "sk_test_of_nobody"
START = 1_767_600_000
STEP = 3600


def charge(number: int) -> Record:
    """One charge."""
    return {
        "id": f"ch_{number:06d}",
        "object": "charge",
        "amount": 500 + 250 * (number % 9),
        "amount_refunded": 0,
        "currency": "eur",
        "created": START + STEP * number,
        "customer": f"cus_{number % 5:04d}",
        "description": None,
        "paid": True,
        "refunded": False,
        "status": "succeeded",
    }


class Stripe(Lists):
    """Its charges; `expand[]` puts the customer in the place of its id, and `created[gte]` leaves out older ones."""

    def __init__(self, count: int = 25, cap: int = 10) -> None:
        super().__init__(
            {"charges": [charge(number) for number in reversed(range(count))]},
            "after_last",
            cap,
            field="data",
            secret=KEY,
        )

    def chosen(self, path: str, request: httpx.Request) -> list[Record]:
        """Those that were made since, with their customers where they are asked for."""
        asked = request.url.params
        since = int(asked.get("created[gte]", 0))
        is_expanded = "data.customer" in asked.get_list("expand[]")
        return [
            {**each, "customer": self._customer(each["customer"])} if is_expanded else each
            for each in self.lists[path]
            if each["created"] >= since
        ]

    @staticmethod
    def _customer(key: str) -> dict[str, Any]:
        return {
            "id": key,
            "object": "customer",
            "name": f"Customer {int(key[-4:])}",
            "email": f"{key}@example.org",
        }


def fake() -> Stripe:
    """The fake API with its sample."""
    return Stripe()
