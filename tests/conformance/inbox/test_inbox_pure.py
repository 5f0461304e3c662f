"""Properties of what has no I/O: positions, and the order of a lane."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_relay.inbox import positions
from cloud_relay.inbox.lanes import Candidate, choose

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@given(st.lists(st.lists(st.integers(1, 40), max_size=8), max_size=8), st.integers(0, 42))
@settings(max_examples=50, deadline=None)
def test_ranges_say_the_same_as_a_set_of_positions(batches: list[list[int]], position: int) -> None:
    ranges: list[positions.Range] = []
    known: set[int] = set()
    for batch in batches:
        ranges = positions.merged(ranges, batch)
        known.update(batch)
    assert positions.covered(ranges, position) == (position in known)
    assert positions.highest(ranges) == max(known, default=0)
    assert positions.through(ranges) == next(n for n in range(99) if n + 1 not in known)
    assert all(first - last > 1 for (_, last), (first, _) in pairwise(ranges))


candidates = st.lists(
    st.builds(
        lambda lane, device, minutes, due: Candidate(
            lane, device, NOON + timedelta(minutes=minutes), due, None
        ),
        st.sampled_from(["OUT/1", "OUT/2", None]),
        st.sampled_from(["s1", "s2", "s3"]),
        st.integers(-5, 5),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=14,
).map(
    lambda found: [
        Candidate(c.lane, c.device, c.moment, c.due, number) for number, c in enumerate(found)
    ]
)


@given(candidates, st.integers(1, 15))
@settings(max_examples=60, deadline=None)
def test_a_lane_keeps_each_devices_order_and_stops_at_what_is_not_due(
    found: list[Candidate[int]], limit: int
) -> None:
    chosen = [found[number] for number in choose(found, limit)]
    assert len(chosen) <= limit
    assert all(candidate.due for candidate in chosen)
    for lane in ("OUT/1", "OUT/2"):
        mine = [candidate for candidate in found if candidate.lane == lane]
        stop = next((i for i, candidate in enumerate(mine) if not candidate.due), len(mine))
        taken = [candidate for candidate in chosen if candidate.lane == lane]
        assert sorted(c.entry for c in taken) == [c.entry for c in mine[:stop]][: len(taken)]
        for device in ("s1", "s2", "s3"):
            own = [candidate.entry for candidate in taken if candidate.device == device]
            assert own == sorted(own)
        for first, second in pairwise(taken):
            # By the clock among devices; against it only where one device's own order demands it.
            assert first.device == second.device or first.moment <= second.moment
    free = [candidate.entry for candidate in chosen if candidate.lane is None]
    assert free == sorted(free)


def test_the_choice_reads_no_further_than_needed() -> None:
    def endless() -> Iterator[Candidate[int]]:
        number = 0
        while True:
            yield Candidate(None, "s1", NOON, True, number)
            number += 1

    assert choose(endless(), 3) == [0, 1, 2]
