"""How often a scale is asked that nothing happens on."""

from __future__ import annotations

from edge_agent.devices.scales.pace import IDLE_AFTER, IDLE_FACTOR, Pace


def after(*answers: bool) -> float:
    pace = Pace(0.25)
    for alike in answers:
        pace.heard(alike=alike)
    return pace.wait_s


def test_a_scale_is_asked_at_its_pace_until_nothing_happened_for_a_while() -> None:
    assert after() == 0.25
    assert after(*[True] * (IDLE_AFTER - 1)) == 0.25
    assert after(*[True] * IDLE_AFTER) == 0.25 * IDLE_FACTOR


def test_one_answer_that_differs_brings_the_pace_back() -> None:
    assert after(*[True] * IDLE_AFTER, False) == 0.25
    assert after(*[True] * IDLE_AFTER, False, *[True] * (IDLE_AFTER - 1)) == 0.25


def test_silence_is_no_peace() -> None:
    pace = Pace(0.25)
    for _ in range(IDLE_AFTER):
        pace.heard(alike=True)
    pace.silent()
    assert pace.wait_s == 0.25
