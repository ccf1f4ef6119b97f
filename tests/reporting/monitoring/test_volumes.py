"""Which loads are far from the usual."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.monitoring.volumes import LEAST_BEFORE, LEAST_ROWS, Load, find, is_usual

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def loads(
    changed: Sequence[int],
    refresh: str = "changed",
    read: Sequence[int] | None = None,
    gone: int = 0,
    in_warehouse: int | None = None,
    end: datetime = NOW,
) -> list[Load]:
    """Hourly loads with these counts, the last one at `end`; `gone` is of the last."""
    last = len(changed) - 1
    return [
        Load(
            source="hubspot",
            entity="contacts",
            refresh=refresh,
            committed_at=end - timedelta(hours=last - place),
            read=(read or changed)[place],
            changed=count,
            gone=gone if place == last else 0,
            in_warehouse=in_warehouse,
        )
        for place, count in enumerate(changed)
    ]


def test_an_import_is_told() -> None:
    (found,) = find(loads([0] * 29 + [4000]), NOW)
    assert found.problem_key == "rows/hubspot.contacts"
    assert "brought 4,000 new or changed rows, where 0 is usual" in found.what
    assert "2026-11-21 12:00 UTC" in found.what
    assert found.link == "/dags/raw_hubspot__contacts__changed"


def test_it_stays_for_a_day_whatever_came_after() -> None:
    runs = loads([0] * 20 + [4000] + [0] * 20)
    assert len(list(find(runs, NOW))) == 1
    assert list(find(runs, NOW + timedelta(hours=5))) == []


def test_a_busy_day_and_the_first_loads_are_usual() -> None:
    assert list(find(loads([3, 0, 8, 1, 0, 0, 12, 4, 0, 2, 7, 45]), NOW)) == []
    assert list(find(loads([4000, 0, 4000]), NOW)) == []


def test_a_full_refresh_that_reads_half_is_told_and_a_read_of_changes_is_not() -> None:
    sizes = [1000 + each for each in range(20)]
    nothing = [0] * 21
    (found,) = find(loads(nothing, "full", [*sizes, 500]), NOW)
    assert "read 500 records, where 1,010 is usual" in found.what
    assert list(find(loads(nothing, "changed", [*sizes, 500]), NOW)) == []


def test_many_that_are_gone_are_told_with_their_share() -> None:
    (found,) = find(loads([0] * 20, gone=100, in_warehouse=900), NOW)
    assert "found 100 of 1,000 rows gone (10%)" in found.what
    assert list(find(loads([0] * 20, gone=30, in_warehouse=970), NOW)) == []
    # Of a few, a few are many.
    assert list(find(loads([0] * 20, gone=5, in_warehouse=5), NOW)) == []
    assert list(find(loads([0] * 20, gone=100, in_warehouse=None), NOW)) == []


def test_a_replay_is_no_load_of_anything_new() -> None:
    assert list(find(loads([0] * 29 + [4000], "replay"), NOW)) == []


def test_one_odd_run_before_makes_nothing_usual() -> None:
    assert not is_usual(4000, [0] * 14 + [4000] + [0] * 15)


@given(st.lists(st.integers(0, 10_000), max_size=30), st.integers(0, LEAST_ROWS))
def test_what_is_near_the_median_is_usual(before: list[int], distance: int) -> None:
    if before:
        middle = sorted(before)[len(before) // 2]
        same = [middle] * max(len(before), LEAST_BEFORE)
        assert is_usual(middle + distance, same)
        assert is_usual(max(0, middle - distance), same)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_usual_and_a_tenfold_is_not(seed: int) -> None:
    random = Random(seed)
    before = [int(random.gauss(200, 20)) for _ in range(30)]
    assert all(is_usual(int(random.gauss(200, 20)), before) for _ in range(200))
    assert not is_usual(2000, before)
    assert not is_usual(0, before)
