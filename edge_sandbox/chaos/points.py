"""Which points a campaign walks over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge_sandbox.chaos.campaign import Point
from edge_sandbox.chaos.site import Process

#: Every name on the path of events that is given to :func:`edge_contract.killpoint.reached`, by
#: process.
NAMED: dict[Process, tuple[str, ...]] = {
    "agent": (
        "intake.after_read",
        "intake.before_append",
        "outbox.before_begin",
        "outbox.before_commit",
        "outbox.after_commit",
        "intake.after_commit",
        "intake.before_ack",
        "intake.after_ack",
        "uplink.before_send",
        "uplink.after_reply",
        "uplink.after_mark",
        "downlink.after_reply",
        "downlink.after_record",
    ),
    "relay": (
        "intake.before_store",
        "inbox.before_commit",
        "inbox.after_commit",
        "intake.after_store",
        "applier.before_apply",
        "relay.odoo_answered",
        "applier.after_apply",
        "inbox.settle_before_commit",
        "inbox.settle_after_commit",
        "applier.after_settle",
    ),
}
#: Names off the path: a damaged outbox is salvaged at a start, and has tests of its own.
OFF_THE_PATH = "salvage."
#: Reached only with the real Odoo behind the relay.
ONLY_WITH_ODOO = frozenset({"relay.odoo_answered"})


def named(process: Process, passings: Iterable[int], *, odoo: bool = False) -> list[Point]:
    """The named places of a process, each at these passings."""
    return [
        Point(process, place=name, passing=passing)
        for passing in passings
        for name in NAMED[process]
        if odoo or name not in ONLY_WITH_ODOO
    ]


def awaits(process: Process, places: Sequence[str]) -> list[Point]:
    """Each place of ``places`` where a task of ours waits, once."""
    waiting = dict.fromkeys(place for place in places if place.startswith("await:"))
    return [Point(process, place=place) for place in waiting]


def callbacks(process: Process, last: int, *, starting: bool = False) -> list[Point]:
    """Every callback of a run."""
    return [Point(process, number, starting=starting) for number in range(1, last + 1)]


def every(
    process: Process, path: Sequence[str], start: Sequence[str], *, odoo: bool = False
) -> list[Point]:
    """All points of a process. ``path`` and ``start`` are the callbacks' places of runs in which
    nobody died, without and with a start before."""
    return [
        *named(process, (1, 2), odoo=odoo),
        *awaits(process, path),
        *callbacks(process, len(path)),
        *callbacks(process, len(start), starting=True),
    ]


def sample(points: Sequence[Point], most: int) -> list[Point]:
    """Each named place once, and of the rest as many, evenly spread, as make ``most`` together."""
    first = [point for point in points if is_named(point) and point.passing == 1]
    rest = [point for point in points if not is_named(point)]
    room = max(0, most - len(first))
    if len(rest) > room:
        rest = [rest[index * len(rest) // room] for index in range(room)]
    return first + rest


def is_named(point: Point) -> bool:
    return bool(point.place) and not point.place.startswith("await:")
