"""Which outbox positions have arrived, as few closed ranges. No I/O.

Positions may come out of order: a live event overtakes a backlog of other devices.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Range = tuple[int, int]


def covered(ranges: Sequence[Range], position: int) -> bool:
    """Whether a position lies in one of the sorted, disjoint ranges."""
    index = bisect_right(ranges, (position, position)) - 1
    if index >= 0 and ranges[index][1] >= position:
        return True
    return index + 1 < len(ranges) and ranges[index + 1][0] == position


def merged(ranges: Sequence[Range], positions: Iterable[int]) -> list[Range]:
    """The sorted, disjoint ranges with the positions added; neighbours grow together."""
    result: list[Range] = []
    for first, last in sorted([*ranges, *((position, position) for position in positions)]):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def through(ranges: Sequence[Range]) -> int:
    """The position up to which there is no gap, counted from 1."""
    return ranges[0][1] if ranges and ranges[0][0] <= 1 else 0


def highest(ranges: Sequence[Range]) -> int:
    """The highest position there is; 0 for none."""
    return ranges[-1][1] if ranges else 0
