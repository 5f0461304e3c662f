"""Plays a planned shift in real time: people scan, and in the middle of it things go wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge_sandbox.demo.plan import Plan, Step


class Device(Protocol):
    """What the shift needs of a handheld: it keeps what is not confirmed and sends it again."""

    def scan(self, event: dict[str, Any]) -> object:
        """Record an event; the device puts the time of its own clock, right or wrong."""
        ...


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that is done to the site at a moment of the shift."""

    at: float
    """As a part of the shift, 0 to 1."""
    what: str
    """A sentence for the viewer."""
    act: Callable[[], None]


def play(
    plan: Plan,
    documents: Mapping[str, str],
    devices: Mapping[str, Device],
    happenings: Sequence[Happening],
    tell: Callable[[str, str], None],
    before_scan: Callable[[Step], None],
) -> None:
    """Do every step of the plan at its time, and every happening at its part of the shift.

    ``documents`` gives Odoo's names for the planned ones; ``tell`` hears ``(who, what)``;
    ``before_scan`` is called right before a step, to put goods on the scale and the like.
    """
    start = time.monotonic()
    due = sorted(happenings, key=lambda happening: happening.at)
    counters = dict.fromkeys(devices, 0)
    for step in plan.steps:
        _wait_until(start + step.at)
        while due and due[0].at * plan.seconds <= step.at:
            happening = due.pop(0)
            tell("fault", happening.what)
            happening.act()
        before_scan(step)
        counters[step.device] += 1
        devices[step.device].scan(
            {
                "id": str(step.event),
                "kind": step.kind,
                "seq": counters[step.device],
                "data": with_names(step.data, documents),
            }
        )
        tell(step.device, in_words(step, documents))
    for happening in due:
        tell("fault", happening.what)
        happening.act()


def with_names(data: dict[str, Any], documents: Mapping[str, str]) -> dict[str, Any]:
    """The step's data with the document's name in Odoo."""
    if "document" not in data:
        return data
    return {**data, "document": documents[data["document"]]}


def in_words(step: Step, documents: Mapping[str, str]) -> str:
    """One line about a step."""
    data = with_names(step.data, documents)
    said = ("document", "quantity", "barcode", "package", "location")
    parts = [step.kind, *(str(data[name]) for name in said if name in data)]
    if "from" in data or "to" in data:
        parts.append(f"{data.get('from', '…')} → {data.get('to', '…')}")
    return " ".join(parts)


def _wait_until(moment: float) -> None:
    while (left := moment - time.monotonic()) > 0:
        time.sleep(min(left, 0.05))
