"""The demo's plan is a warehouse, and its verdict notices what it must notice."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from edge_sandbox.demo.plan import STAGING, Plan, plan_shift
from edge_sandbox.demo.verdict import (
    Verdict,
    judge_books,
    judge_events,
    judge_order,
    judge_stock,
)
from edge_sandbox.demo.world import CUSTOMER, Goods, World


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_shift(seed=3, scans=300, pace=0.1)


def confirmed(plan: Plan) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {step.device: set() for step in plan.steps}
    for step in plan.steps:
        found[step.device].add(str(step.event))
    return found


def test_the_same_seed_is_the_same_shift() -> None:
    assert plan_shift(5, 100, 0.1).steps == plan_shift(5, 100, 0.1).steps
    assert plan_shift(5, 100, 0.1).steps != plan_shift(6, 100, 0.1).steps


def test_a_shift_has_every_kind_of_work_and_ends_with_an_empty_staging_area(plan: Plan) -> None:
    kinds = Counter(step.kind for step in plan.steps)
    wanted = {"transfer.line", "transfer.done", "stock.moved", "count.recorded", "package.packed"}
    assert wanted <= set(kinds)
    assert len({step.device for step in plan.steps}) >= 3
    assert not plan.world.at(STAGING)
    assert all(quantity > 0 for quantity in plan.world.figures().values())


def test_nobody_can_take_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="nobody can take"):
        World().move(Goods("bolt"), Decimal(1), STAGING, CUSTOMER)


def test_an_acknowledged_event_that_nobody_knows_is_lost(plan: Plan) -> None:
    missing = str(plan.steps[7].event)

    def ladder(device: str, event: str) -> dict[str, Any] | None:
        return None if event == missing else {"status": "applied", "number": 1}

    verdict = Verdict()
    judge_events(verdict, plan.steps, confirmed(plan), ladder)
    reads = sum(step.kind == "scan.read" for step in plan.steps)  # judged by their labels
    assert (verdict.acked + verdict.taken, verdict.lost) == (len(plan.steps) - reads, 1)
    assert missing in " ".join(verdict.details)


def test_what_waits_for_ever_is_lost_and_what_a_person_has_is_not(plan: Plan) -> None:
    status = {str(plan.steps[0].event): "waiting", str(plan.steps[1].event): "held"}

    def ladder(device: str, event: str) -> dict[str, Any] | None:
        return {"status": status.get(event, "applied"), "number": 1}

    verdict = Verdict()
    judge_events(verdict, plan.steps, confirmed(plan), ladder)
    assert (verdict.lost, verdict.held) == (1, 1)


def test_a_movement_booked_twice_is_a_duplicate_and_one_not_booked_is_lost(plan: Plan) -> None:
    moves = sorted(key for key, quantity in plan.world.ledger.items() if quantity)
    booked = dict(plan.world.ledger)
    booked[moves[0]] *= 2
    del booked[moves[1]]
    verdict = Verdict()
    judge_books(verdict, booked, plan)
    assert (verdict.duplicated, verdict.lost) == (1, 1)


def test_a_place_where_odoo_and_the_shelf_differ_is_a_mismatch(plan: Plan) -> None:
    figures = plan.world.figures()
    place = sorted(figures)[0]
    verdict = Verdict()
    judge_stock(verdict, figures, plan)
    assert verdict.stock_mismatches == 0
    judge_stock(verdict, {**figures, place: figures[place] + 1}, plan)
    assert verdict.stock_mismatches == 1


def test_an_event_that_overtook_another_is_out_of_order() -> None:
    verdict = Verdict()
    judge_order(verdict, {"dock-1": [0, 1, 3, 2, 4], "pack-1": [5, 6]}, [0, 2])
    assert verdict.out_of_order == 3


@pytest.mark.parametrize("name", ["lost", "duplicated", "stock_mismatches", "out_of_order"])
def test_any_of_the_four_figures_fails_the_shift(name: str) -> None:
    verdict = Verdict(agent_kills=1, relay_kills=1)
    assert verdict.failures(faults=True) == []
    setattr(verdict, name, 1)
    assert verdict.failures(faults=True)


def test_a_shift_in_which_nothing_was_killed_proves_nothing() -> None:
    assert Verdict(agent_kills=1).failures(faults=True)
    assert not Verdict().failures(faults=False)
