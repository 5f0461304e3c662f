"""In which order the events of a document are applied. No I/O.

Invariants: one device's events keep their order, whatever its clock says. Events of several
devices that wait together go by when they happened, so that the lines which a handheld delivers
late still come before the closing by another one; also when the limit of a batch stands between
them. An entry that is not due stops its lane.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Generic, TypeVar

from edge_contract.event import CloudEvent

T = TypeVar("T")

#: A device that was away longer than this is less likely than a clock that is wrong.
LONGEST_ABSENCE = timedelta(days=30)


def lane_moment(event: CloudEvent) -> datetime:
    """When the event happened, as far as its clock can be believed.

    Nothing happens after the agent recorded it, and a clock at 1970 says nothing.
    """
    occurred, recorded = event.occurred, event.recordedtime
    if occurred < recorded - LONGEST_ABSENCE:
        return recorded
    return min(occurred, recorded)


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """An entry that waits, and what its order depends on."""

    lane: str | None
    device: str
    moment: datetime
    due: bool
    entry: T


def choose(
    candidates: Iterable[Candidate[T]],
    limit: int,
    whole_lane: Callable[[str], Iterable[Candidate[T]]] = lambda lane: (),
) -> list[T]:
    """At most ``limit`` entries to apply now, in order.

    ``candidates`` come in the order of their place and are read no further than needed. When there
    are more of them, ``whole_lane`` is asked for those of each lane that is begun.
    """
    chosen: list[Candidate[T]] = []
    stopped: set[str] = set()
    full = False
    for candidate in candidates:
        if candidate.lane is not None and candidate.lane in stopped:
            continue
        if not candidate.due:
            if candidate.lane is not None:
                stopped.add(candidate.lane)
            continue
        chosen.append(candidate)
        if len(chosen) >= limit:
            full = True
            break
    slots: dict[str, list[int]] = defaultdict(list)
    for index, candidate in enumerate(chosen):
        if candidate.lane is not None:
            slots[candidate.lane].append(index)
    result = list(chosen)
    for lane, indexes in slots.items():
        begun = [chosen[index] for index in indexes]
        if full:
            begun = list(takewhile(lambda candidate: candidate.due, whole_lane(lane))) or begun
        # The lane's slots go to its first ones, whoever came first.
        for index, candidate in zip(indexes, _merged(begun), strict=False):
            result[index] = candidate
    return [candidate.entry for candidate in result]


def _merged(lane: list[Candidate[T]]) -> list[Candidate[T]]:
    queues: dict[str, list[Candidate[T]]] = defaultdict(list)
    for candidate in lane:
        queues[candidate.device].append(candidate)
    if len(queues) == 1:
        return lane
    for queue in queues.values():
        queue.reverse()
    result = []
    while queues:
        device = min(queues, key=lambda name: queues[name][-1].moment)
        result.append(queues[device].pop())
        if not queues[device]:
            del queues[device]
    return result
