"""Sends one alert when an incident begins and one when it is resolved.

A channel that is down is logged. An alert that no channel took is sent again by the next run.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from reporting.monitoring.alerts import Channels, Message
from reporting.monitoring.record import Episode, Incident, Record
from reporting.reports import formats

log = logging.getLogger(__name__)

# More incidents than this at once mostly have one cause, and become one message.
MOST_AT_ONCE = 10
# The task that failed sends its alert itself. If none was sent after this time, that task was killed before it could.
ALERTED_BY_OTHERS_FOR = timedelta(minutes=15)
SEEN_BY_OTHERS = ("task", "dbt")


@dataclass(frozen=True, slots=True)
class Notifier:
    """Makes messages: `base_url` is the address of the web interface, and times are in `timezone`."""

    channels: Channels
    base_url: str
    timezone: str

    def opened(self, incident: Incident, since: datetime) -> Message:
        """The message that an incident began: what happened, since when, what to do, and where to look."""
        lines = [
            incident.said or incident.what,
            "",
            f"Since: {self._at(since)}",
            f"What to do: {incident.todo}",
            *self._link(incident),
        ]
        return Message(incident.subject, "\n".join(lines))

    def resolved(self, episode: Episode) -> Message:
        """The message that an incident is resolved, and how long it lasted."""
        at = episode.well_at or episode.last_seen_at
        lasted = formats.span(at - episode.first_seen_at)
        lines = [
            f"It lasted from {self._at(episode.first_seen_at)} to {self._at(at)} ({lasted}). There is nothing to do.",
            *self._link(episode),
        ]
        return Message(f"Resolved: {episode.subject}", "\n".join(lines))

    def many(self, episodes: Sequence[Episode]) -> Message:
        """One message for many incidents that began at once."""
        lines = [f"- {each.subject}{self._address(each)}" for each in episodes]
        lines += [
            "",
            "So many at once mostly have one cause: begin with the first. You get a message for each one when it is resolved.",
        ]
        return Message(f"{len(episodes)} incidents at once", "\n".join(lines))

    def send(self, message: Message) -> bool:
        """Send `message` through every channel, and return whether at least one took it."""
        errors = self.channels.send(message)
        for error in errors:
            log.error("No alert was sent: %s", error)
        return len(errors) < len(self.channels.ways)

    def _at(self, at: datetime) -> str:
        return f"{at.astimezone(ZoneInfo(self.timezone)):%Y-%m-%d %H:%M} ({self.timezone})"

    def _link(self, incident: Incident) -> Iterator[str]:
        if incident.link:
            yield f"Link: {self.base_url}{incident.link}"

    def _address(self, incident: Incident) -> str:
        return f" ({self.base_url}{incident.link})" if incident.link else ""


def notify(record: Record, notifier: Notifier, now: datetime) -> int:
    """Send the alerts that nobody got yet, resolved incidents first, and return how many messages were taken."""
    episodes = record.unfinished()
    taken = 0
    for episode in episodes:
        if not episode.is_open and notifier.send(notifier.resolved(episode)):
            record.mark_resolution_alerted([episode.problem_key], now)
            taken += 1
    new = [each for each in episodes if each.is_open and not each.told_at and _is_ours(each, now)]
    groups = [new] if len(new) > MOST_AT_ONCE else [[each] for each in new]
    for group in groups:
        message = (
            notifier.many(group) if len(group) > 1 else notifier.opened(group[0], group[0].first_seen_at)
        )
        if notifier.send(message):
            record.mark_alerted([each.problem_key for each in group], now)
            taken += 1
    return taken


def not_alerted(record: Record, incidents: Iterable[Incident], now: datetime) -> list[Incident]:
    """Record these incidents, and return those for which no alert was sent yet."""
    given = {each.problem_key: each for each in incidents}
    record.note(list(given.values()), now)
    known = {each.problem_key for each in record.unfinished() if each.is_open and each.told_at}
    return [each for key, each in given.items() if key not in known]


def _is_ours(episode: Episode, now: datetime) -> bool:
    return episode.kind not in SEEN_BY_OTHERS or now - episode.first_seen_at > ALERTED_BY_OTHERS_FOR
