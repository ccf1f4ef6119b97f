"""Connects to the People API for one account: https://developers.google.com/people/api/rest"""

from collections.abc import Mapping
from typing import Any

from reporting.sources.google_api import Api, GoogleAccount
from reporting.sources.http import Policy, PoliteTransport

PEOPLE = Api(
    "people",
    "v1",
    "People API",
    "https://www.googleapis.com/auth/contacts.readonly",
    # The default quota is 90 requests per minute and user, and one request returns a thousand records.
    Policy(requests_per_second=1.4),
)


class Account(GoogleAccount):
    """A connection of one account to the People API."""

    def __init__(
        self,
        user: Mapping[str, Any],
        base_url: str | None = None,
        policy: Policy | None = None,
        transport: PoliteTransport | None = None,
    ) -> None:
        super().__init__(PEOPLE, user, base_url, policy, transport)

    def count(self) -> int:
        """The number of contacts, which is the smallest request that is possible."""
        lists = self.api.people().connections()
        answer = self.call(
            "contacts", lists.list(resourceName="people/me", personFields="metadata", pageSize=1)
        )
        return int(answer.get("totalItems", 0))
