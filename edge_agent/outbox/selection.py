"""Which unrelayed events go into the next batch. Pure: it sees the backlog through two questions.

A batch may take an event only together with every older unrelayed event of its device and of its
document. Within that rule devices take turns, one event each, so that a device with a million
events waiting does not delay the scan somebody waits for. The oldest event of all is never
blocked, so a batch is empty only if the backlog is.

A batch costs a bounded number of look-ups (of the order of ``limit`` plus the devices with
something waiting), however long the backlog is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

#: What names a document; equal for its events.
Lane = Hashable


class Backlog(Protocol):
    """Unrelayed events as (position, lane), ascending; ``lane`` is ``None`` without a document."""

    def devices(self) -> Sequence[int]:
        """Devices with something waiting, in any fixed order."""
        ...

    def of_device(self, device: int) -> Iterator[tuple[int, Lane | None]]: ...

    def of_lane(self, lane: Lane) -> Iterator[int]: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """The positions of a batch, ascending, and the device whose turn was last."""

    positions: list[int]
    last: int | None


def in_turn(devices: Sequence[int], after: int | None) -> list[int]:
    """The devices, beginning behind the one whose turn was last."""
    ordered = sorted(devices)
    if after is None:
        return ordered
    return [one for one in ordered if one > after] + [one for one in ordered if one <= after]


def select(backlog: Backlog, limit: int, after: int | None) -> Selection:
    """Choose up to ``limit`` positions; ``after`` is the ``last`` of the batch before."""
    chosen: list[int] = []
    turns = deque(in_turn(backlog.devices(), after))
    queues = {device: backlog.of_device(device) for device in turns}
    heads: dict[int, tuple[int, Lane | None]] = {}
    lanes: dict[Lane, Iterator[int]] = {}
    next_in_lane: dict[Lane, int | None] = {}
    parked: dict[Lane, list[int]] = {}
    last = after
    while turns and len(chosen) < limit:
        device = turns.popleft()
        head = heads.pop(device, None) or next(queues[device], None)
        if head is None:
            continue
        position, lane = head
        if lane is not None:
            if lane not in lanes:
                lanes[lane] = backlog.of_lane(lane)
                next_in_lane[lane] = next(lanes[lane], None)
            if next_in_lane[lane] != position:
                heads[device] = head
                parked.setdefault(lane, []).append(device)
                continue
            next_in_lane[lane] = next(lanes[lane], None)
            turns.extend(parked.pop(lane, ()))
        chosen.append(position)
        last = device
        turns.append(device)
    return Selection(sorted(chosen), last)


def how_many_fit(texts: Iterable[str], max_bytes: int) -> int:
    """How many texts, joined by one byte each, fit; one always does."""
    count = used = 0
    for text in texts:
        used += len(text.encode()) + 1
        if used > max_bytes and count:
            break
        count += 1
    return count
