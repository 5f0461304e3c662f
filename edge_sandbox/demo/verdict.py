"""What became of the shift: Odoo's books and the relay's ladder against what really happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from edge_sandbox.demo.plan import BENCH, LIFT, Plan, Step
from edge_sandbox.demo.warehouse import Figures, Ledger

#: Where an event may stand in the end: it has its effect, or a person has it on a list.
ANSWERED = frozenset({"applied", "held", "rejected", "discarded"})


@dataclass(slots=True)
class Verdict:
    """The figures of a shift, as ``--json`` writes them."""

    acked: int = 0
    """Events that were confirmed ``stored`` to their device, and labels that got their beep."""
    taken: int = 0
    """Events of devices that are never answered, which the broker has acknowledged."""
    applied: int = 0
    refused: int = 0
    held: int = 0
    traced: int = 0
    """Raw reads with their beep, in the outbox: they have no effect in Odoo."""
    lost: int = 0
    """Acknowledged, and neither applied nor on anybody's list; or called applied and not in
    Odoo's books."""
    duplicated: int = 0
    """Booked in Odoo more often than it happened."""
    stock_mismatches: int = 0
    out_of_order: int = 0
    agent_kills: int = 0
    relay_kills: int = 0
    uplink_cut_s: float = 0.0
    seconds: float = 0.0
    heard: dict[str, int] = field(default_factory=dict)
    """Events in the outbox for each class of devices."""
    details: list[str] = field(default_factory=list)
    """A sentence for each thing that is not as it should be."""

    def failures(self, faults: bool) -> list[str]:
        """Why the shift did not pass; empty when it did."""
        wrong = [
            f"{getattr(self, name)} {name.replace('_', ' ')}"
            for name in ("lost", "duplicated", "stock_mismatches", "out_of_order")
            if getattr(self, name)
        ]
        if faults and not (self.agent_kills and self.relay_kills):
            wrong.append("agent and relay were not both killed")
        return wrong + [
            f"nothing was heard of any {name}" for name, n in self.heard.items() if not n
        ]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def judge_events(
    verdict: Verdict,
    steps: Iterable[Step],
    confirmed: Mapping[str, set[str]],
    ladder: Callable[[str, str], dict[str, Any] | None],
) -> None:
    """Ask the relay for every event that its device was told is stored; of a device that is told
    nothing, for every event that the broker has taken. Raw reads are judged by their labels."""
    for step in steps:
        event = str(step.event)
        if step.device == BENCH:
            continue
        if event not in confirmed[step.device]:
            verdict.details.append(f"{step.kind} {event} of {step.device} was never confirmed")
            continue
        if step.device == LIFT:
            verdict.taken += 1
        else:
            verdict.acked += 1
        found = ladder(step.device, event)
        stage = found["status"] if found else "unknown at the relay"
        if stage not in ANSWERED:
            verdict.lost += 1
            verdict.details.append(f"{step.kind} {event} of {step.device}: {stage}")
        elif stage == "applied":
            verdict.applied += 1
        elif stage == "held":
            verdict.held += 1
        else:
            verdict.refused += 1
        expected = "applied" if step.expect == "applied" else "held"
        if stage in ANSWERED and stage != expected and found:
            verdict.details.append(
                f"{step.kind} {event} of {step.device} is {stage}, expected {expected}: "
                f"{found.get('code', '')} {found.get('message', '')}"
            )


def judge_reads(
    verdict: Verdict,
    planned: Iterable[Step],
    sent: Mapping[str, int],
    acknowledged: Iterable[str],
    stored: Mapping[str, int],
) -> None:
    """Labels of the bench scanner: what got its beep is in the outbox, and nothing is in it more
    often than it was scanned. A label that was scanned again for want of a beep may be twice."""
    beeped = set(acknowledged)
    for step in planned:
        if step.device != BENCH:
            continue
        label = step.data["barcode"]
        if label not in beeped:
            verdict.details.append(f"the label {label} of {BENCH} never got its beep")
            continue
        verdict.acked += 1
        if stored.get(label, 0):
            verdict.traced += 1
        else:
            verdict.lost += 1
            verdict.details.append(f"the label {label} of {BENCH} got its beep and is not stored")
    for label, times in sorted(stored.items()):
        if times > sent.get(label, 0):
            verdict.duplicated += times - sent.get(label, 0)
            verdict.details.append(
                f"the label {label} of {BENCH} is stored {times} times and was scanned "
                f"{sent.get(label, 0)} times"
            )


def judge_order(verdict: Verdict, arrivals: Mapping[str, list[int]], applied: list[int]) -> None:
    """``arrivals``: per device, the numbers of its scans in the relay's order of arrival.
    ``applied``: per document and device, inversions of what Odoo booked, already counted."""
    for device, sequence in arrivals.items():
        wrong = sum(1 for left, right in pairwise(sequence) if left > right)
        verdict.out_of_order += wrong
        if wrong:
            verdict.details.append(f"{wrong} events of {device} reached the relay out of order")
    verdict.out_of_order += sum(applied)


def judge_books(verdict: Verdict, booked: Ledger, plan: Plan) -> None:
    """Every movement that Odoo has booked against every movement that a hand made."""
    truth = Counter({key: value for key, value in plan.world.ledger.items() if value})
    for key in sorted(set(booked) | set(truth)):
        difference = booked.get(key, Decimal(0)) - truth.get(key, Decimal(0))
        if difference == 0:
            continue
        product, lot, source, destination = key
        if difference > 0:
            verdict.duplicated += 1
        else:
            verdict.lost += 1
        verdict.details.append(
            f"{product} {lot} from {source} to {destination}: Odoo booked "
            f"{abs(difference)} {'more' if difference > 0 else 'less'} than was moved"
        )


def judge_stock(verdict: Verdict, figures: Figures, plan: Plan) -> None:
    """Odoo's stock against the shelves."""
    truth = plan.world.figures()
    for key in sorted(set(figures) | set(truth)):
        odoo, shelf = figures.get(key, Decimal(0)), truth.get(key, Decimal(0))
        if odoo != shelf:
            verdict.stock_mismatches += 1
            place, goods = key
            verdict.details.append(
                f"{goods.product} {goods.lot} at {place}: Odoo says {odoo}, the shelf holds {shelf}"
            )
