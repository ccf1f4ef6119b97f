"""Connects to the Calendar API for one account: https://developers.google.com/workspace/calendar/api/v3/reference"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from reporting.sources.base import IncompleteReadError
from reporting.sources.google_api import Api, GoogleAccount, JsonObject
from reporting.sources.http import Policy, PoliteTransport

CALENDAR = Api(
    "calendar",
    "v3",
    "Google Calendar API",
    "https://www.googleapis.com/auth/calendar.readonly",
    # The default quota is 600 requests per minute and user: https://developers.google.com/workspace/calendar/api/guides/quota
    Policy(requests_per_second=8.0),
    path="/calendar/v3/",
    connection="google_calendar",
    login="script/connect google_calendar",
)
CALENDARS_PER_PAGE = 250
IDLE_PAGES = 5


class Answer(NamedTuple):
    """One answer, and the time just before it was requested."""

    requested_at: datetime
    body: JsonObject

    @property
    def items(self) -> list[Any]:
        """What it lists, which may be anything."""
        found = self.body.get("items")
        return found if isinstance(found, list) else []

    @property
    def next_page(self) -> str | None:
        """The token of the page after it; None for the last page."""
        return self.body.get("nextPageToken") or None


class Account(GoogleAccount):
    """A connection of one account to the Calendar API."""

    def __init__(
        self,
        user: Mapping[str, Any],
        base_url: str | None = None,
        policy: Policy | None = None,
        transport: PoliteTransport | None = None,
    ) -> None:
        super().__init__(CALENDAR, user, base_url, policy, transport)

    def ask(self, what: str, request: Any) -> Answer:
        """Send one request of the client. Raises the errors of `GoogleAccount.call`."""
        requested_at = datetime.now(UTC)
        return Answer(requested_at, self.call(what, request))

    def calendars(self) -> Iterator[Answer]:
        """The pages of the list of calendars, without hidden and deleted ones.

        https://developers.google.com/workspace/calendar/api/v3/reference/calendarList/list
        """
        page_token: str | None = None
        progress = Progress("the list of calendars")
        while True:
            request = self.api.calendarList().list(maxResults=CALENDARS_PER_PAGE, pageToken=page_token)
            answer = self.ask("the list of calendars", request)
            yield answer
            page_token = answer.next_page
            if page_token is None:
                return
            progress.check(answer)


class Progress:
    """Notices that Google returns the same entries of a list again and again."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._met: set[str] = set()
        self._idle = 0

    def check(self, answer: Answer) -> None:
        """Take in one page. Raises `IncompleteReadError` after too many without anything new."""
        ids = {str(each.get("id")) for each in answer.items if isinstance(each, Mapping)}
        self._idle = 0 if ids - self._met else self._idle + 1
        self._met |= ids
        if self._idle > IDLE_PAGES:
            raise IncompleteReadError(
                f"Google keeps returning pages of {self._what} without anything new; nothing was loaded. Run the task again."
            )
