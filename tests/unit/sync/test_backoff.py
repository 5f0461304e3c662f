from __future__ import annotations

import pytest

from edge_agent.sync.backoff import Backoff


def test_the_ceiling_doubles_up_to_its_bound_and_the_draw_takes_a_part_of_it() -> None:
    backoff = Backoff(lambda: 0.5, first_s=1, ceiling_s=8)
    assert [backoff.delay() for _ in range(6)] == [0.5, 1, 2, 4, 4, 4]


def test_what_the_other_side_asks_for_comes_first_and_the_jitter_on_top() -> None:
    assert Backoff(lambda: 0.5, first_s=1).delay(30) == 30.5


def test_a_success_begins_anew() -> None:
    backoff = Backoff(lambda: 1.0, first_s=1)
    for _ in range(5):
        backoff.delay()
    backoff.reset()
    assert backoff.delay() == 1


def test_slow_is_never_hasty() -> None:
    assert Backoff(lambda: 0.0, ceiling_s=30).slow() == 15
    assert Backoff(lambda: 1.0, ceiling_s=30).slow() == 30


def test_years_of_failures_do_not_overflow() -> None:
    backoff = Backoff(lambda: 1.0, ceiling_s=30)
    backoff.failures = 10**7
    assert backoff.delay() == pytest.approx(30)
