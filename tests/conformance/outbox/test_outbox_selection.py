"""Fairness and order of batches, over random backlogs; each rule has a selection that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.outbox.selection import Backlog, Selection, in_turn, select

Rows = list[tuple[int, int | None]]


class ListBacklog:
    """Row ``n`` of the list is position ``n + 1``; counts what it is asked."""

    def __init__(self, rows: Rows, taken: set[int] | None = None) -> None:
        self.rows = [
            (position, device, lane)
            for position, (device, lane) in enumerate(rows, 1)
            if position not in (taken or set())
        ]
        self.asked = 0

    def _counted(self, found: Iterator[object]) -> Iterator[object]:
        for one in found:
            self.asked += 1
            yield one

    def devices(self) -> list[int]:
        return list({device for _, device, _ in self.rows})

    def of_device(self, device: int) -> Iterator[tuple[int, int | None]]:
        return self._counted((row[0], row[2]) for row in self.rows if row[1] == device)

    def of_lane(self, lane: int) -> Iterator[int]:
        return self._counted(row[0] for row in self.rows if row[2] == lane)


backlogs = st.lists(st.tuples(st.integers(1, 5), st.none() | st.integers(1, 4)), max_size=40)


def overtaken(backlog: ListBacklog, chosen: list[int]) -> list[tuple[int, int]]:
    """Pairs (left behind, chosen) of one device or one document in the wrong order."""
    inside = set(chosen)
    return [
        (older, newer)
        for older, device, lane in backlog.rows
        if older not in inside
        for newer, other, its_lane in backlog.rows
        if newer in inside
        and older < newer
        and (device == other or (lane is not None and lane == its_lane))
    ]


Select = Callable[[Backlog, int, int | None], Selection]


def check_batch(choose: Select, rows: Rows, limit: int) -> None:
    backlog = ListBacklog(rows)
    chosen = choose(backlog, limit, None).positions
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= limit
    assert overtaken(backlog, chosen) == []
    assert bool(chosen) == bool(rows)


def check_drain(choose: Select, rows: Rows, limit: int) -> None:
    taken: set[int] = set()
    last: int | None = None
    while len(taken) < len(rows):
        selection = choose(ListBacklog(rows, taken), limit, last)
        assert selection.positions
        taken |= set(selection.positions)
        last = selection.last
    assert taken == set(range(1, len(rows) + 1))


@given(backlogs, st.integers(1, 12))
@settings(max_examples=80, deadline=None)
def test_no_event_overtakes_an_older_one_of_its_device_or_document(rows: Rows, limit: int) -> None:
    check_batch(select, rows, limit)


@given(backlogs, st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_every_backlog_drains(rows: Rows, limit: int) -> None:
    check_drain(select, rows, limit)


def test_a_full_batch_is_taken_when_nothing_forbids_it() -> None:
    assert len(select(ListBacklog([(1, None)] * 50), 20, None).positions) == 20


def test_a_million_rows_cost_no_more_than_a_batch() -> None:
    long = ListBacklog([(1 + number % 3, 1 + number // 100) for number in range(30_000)])
    select(long, 100, None)
    assert long.asked <= 3 * 100 + 10


def test_a_batch_begins_behind_the_device_whose_turn_was_last() -> None:
    assert in_turn([3, 1, 2], 1) == [2, 3, 1]
    assert in_turn([3, 1, 2], None) == [1, 2, 3]
    assert in_turn([3, 1, 2], 9) == [1, 2, 3]


def turns_without_lanes(backlog: Backlog, limit: int, after: int | None) -> Selection:
    class NoLanes:
        def devices(self) -> list[int]:
            return list(backlog.devices())

        def of_device(self, device: int) -> Iterator[tuple[int, int | None]]:
            return ((position, None) for position, _ in backlog.of_device(device))

        def of_lane(self, lane: int) -> Iterator[int]:
            return iter(())

    return select(NoLanes(), limit, after)


def newest_first(backlog: Backlog, limit: int, after: int | None) -> Selection:
    every = [position for one in backlog.devices() for position, _ in backlog.of_device(one)]
    return Selection(sorted(every)[-limit:], after)


CROSSED: Rows = [(1, None), (1, 1), (1, 2), (2, 2), (2, None)]


@pytest.mark.parametrize("broken", [turns_without_lanes, newest_first])
def test_a_selection_that_overtakes_is_caught(broken: Select) -> None:
    with pytest.raises(AssertionError):
        check_batch(broken, CROSSED, 2)


def test_a_selection_that_never_sends_is_caught() -> None:
    with pytest.raises(AssertionError):
        check_drain(lambda *_: Selection([], None), CROSSED, 3)
