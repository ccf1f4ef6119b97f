"""One message a problem, and one when it is well again. A channel that is down is logged, and what nobody got is sent again."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from reporting.alerts import Channels, Message
from reporting.reports import formats
from reporting.warehouse.problems import Episode, Problem, Record

log = logging.getLogger(__name__)

# More at once have one cause, and are one message.
MOST_AT_ONCE = 10
# Whoever saw a failure tells it; what is still untold after this was cut off.
TOLD_BY_OTHERS_FOR = timedelta(minutes=15)
SEEN_BY_OTHERS = ("task", "dbt")


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes messages: `base_url` is the address of the web interface, and times are in `timezone`."""

    channels: Channels
    base_url: str
    timezone: str

    def wrong(self, problem: Problem, since: datetime) -> Message:
        """What is wrong: what happened, since when, what to do, and where to look."""
        lines = [
            problem.said or problem.what,
            "",
            f"Since: {self._at(since)}",
            f"What to do: {problem.todo}",
            *self._link(problem),
        ]
        return Message(problem.subject, "\n".join(lines))

    def well(self, episode: Episode) -> Message:
        """That it is well again."""
        at = episode.well_at or episode.last_seen_at
        lasted = formats.span(at - episode.first_seen_at)
        lines = [
            f"It was so from {self._at(episode.first_seen_at)} to {self._at(at)} ({lasted}). There is nothing to do.",
            *self._link(episode),
        ]
        return Message(f"Well again: {episode.subject}", "\n".join(lines))

    def many(self, episodes: Sequence[Episode]) -> Message:
        """Many at once."""
        lines = [f"- {each.subject}{self._address(each)}" for each in episodes]
        lines += [
            "",
            "So many at once have mostly one cause: begin with the first. Its end is told for each.",
        ]
        return Message(f"{len(episodes)} problems at once", "\n".join(lines))

    def send(self, message: Message) -> bool:
        """Send by every channel, and say whether any took it."""
        errors = self.channels.send(message)
        for error in errors:
            log.error("No alert was sent: %s", error)
        return len(errors) < len(self.channels.ways)

    def _at(self, at: datetime) -> str:
        return f"{at.astimezone(ZoneInfo(self.timezone)):%Y-%m-%d %H:%M} ({self.timezone})"

    def _link(self, problem: Problem) -> Iterator[str]:
        if problem.link:
            yield f"Link: {self.base_url}{problem.link}"

    def _address(self, problem: Problem) -> str:
        return f" ({self.base_url}{problem.link})" if problem.link else ""


def tell(record: Record, teller: Teller, now: datetime) -> int:
    """Tell what was not told yet, first what is well again, and return how many messages were taken."""
    episodes = record.unsettled()
    taken = 0
    for episode in episodes:
        if not episode.is_open and teller.send(teller.well(episode)):
            record.well_told([episode.problem_key], now)
            taken += 1
    new = [each for each in episodes if each.is_open and not each.told_at and _is_ours(each, now)]
    groups = [new] if len(new) > MOST_AT_ONCE else [[each] for each in new]
    for group in groups:
        message = teller.many(group) if len(group) > 1 else teller.wrong(group[0], group[0].first_seen_at)
        if teller.send(message):
            record.told([each.problem_key for each in group], now)
            taken += 1
    return taken


def untold(record: Record, problems: Iterable[Problem], now: datetime) -> list[Problem]:
    """Enter that these are wrong, and return those that nobody has told yet."""
    given = {each.problem_key: each for each in problems}
    record.note(list(given.values()), now)
    known = {each.problem_key for each in record.unsettled() if each.is_open and each.told_at}
    return [each for key, each in given.items() if key not in known]


def _is_ours(episode: Episode, now: datetime) -> bool:
    return episode.kind not in SEEN_BY_OTHERS or now - episode.first_seen_at > TOLD_BY_OTHERS_FOR
