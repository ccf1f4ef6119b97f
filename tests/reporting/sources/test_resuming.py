"""HubSpot's readers go on from each of their positions, and meet all that is left."""

import json
from collections.abc import Iterator

import pytest

from reporting.sources.base import LookupReader, Page, ResumableReader
from reporting.sources.hubspot import associations, objects
from tests.support.hubspot_portal import SMALL, Portal, ids, portal


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with portal(tmp_path_factory.mktemp("portal"), *SMALL) as running:
        for key in list(running.truth("contacts"))[3:25:7]:
            running.archive("contacts", key)
        yield running


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "LIST_LIMIT", 4)
    monkeypatch.setattr(associations, "BATCH_LIMIT", 7)


def opened(small: Portal, kind: str) -> ResumableReader:
    reader = small.reader(kind)
    assert isinstance(reader, ResumableReader)
    reader.describe()
    return reader


@pytest.mark.parametrize("kind", ["contacts", "associations"])
def test_every_position_leads_to_the_rest(small: Portal, kind: str) -> None:
    reader = opened(small, kind)
    pages = list(reader.read(None))
    reader.close()
    every = set(ids(pages))
    assert len(every) > 20
    positions = [(number, page.position) for number, page in enumerate(pages) if page.position]
    assert len(positions) >= len(pages) - 2
    for number, position in positions:
        before = set(ids(pages[: number + 1]))
        resumed = opened(small, kind)
        after = ids(list(resumed.resume(json.loads(json.dumps(position)))))
        resumed.close()
        assert before | set(after) == every
        # And with nothing that was read already.
        assert len(after) == len(set(after)) == len(every) - len(before)


def test_what_was_left_out_stays_left_out(small: Portal) -> None:
    reader = opened(small, "associations")
    position = next(page.position for page in reader.read(None) if page.position)
    reader.close()
    resumed = opened(small, "associations")
    list(resumed.resume({**position, "left_out": ["emails"]}))
    assert not resumed.would_meet("emails:1>contacts:2#HUBSPOT_DEFINED:198")
    resumed.close()


def test_what_cannot_go_on_does_not_say_so(small: Portal) -> None:
    for kind in ("owners", "pipelines"):
        reader = small.reader(kind)
        assert not isinstance(reader, ResumableReader | LookupReader)
        reader.close()


def test_the_portal_says_how_many_there_are(small: Portal) -> None:
    reader = opened(small, "contacts")
    living = [each for each in small.truth("contacts").values() if not each["archived"]]
    assert reader.expected_count() == len(living)
    reader.close()


def test_an_account_is_told_apart_and_shows_no_token(small: Portal) -> None:
    readers = [opened(small, "contacts"), opened(small, "deals")]
    assert len({reader.account for reader in readers}) == 1
    assert "hidden" not in readers[0].account
    for reader in readers:
        reader.close()


def test_single_objects_can_be_asked_for(small: Portal) -> None:
    truth = small.truth("contacts")
    archived = next(key for key, each in truth.items() if each["archived"])
    living = next(key for key, each in truth.items() if not each["archived"])
    reader = small.reader("contacts")
    assert isinstance(reader, LookupReader)
    reader.describe()
    pages: list[Page] = list(reader.look_up([living, archived, "1"]))
    reader.close()
    assert set(ids(pages)) == {living, archived}
    assert [(each.id, each.reason) for page in pages for each in page.tombstones] == [("1", "missing")]
