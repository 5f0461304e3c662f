"""Random shifts by several devices against the real Odoo end with the stock that is there.

Devices move, count, scrap, work on transfers, slip and take back, off line and on, through two
agents; everything may come twice; agents, relay and answers die at named places. What is compared
at the end of each: Odoo's stock, what it says was moved, its stock at the time of every count, the
order of arrival, and what is held (I1, I2, I3, I10). A longer run, which also shrinks what it
finds: ``pytest tests/model/test_random_shifts.py --hypothesis-profile=long``.
"""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.shift_machine import Shift
from tests.model.shift_scene import Floor

#: The same shifts each time, in about a minute.
SHORT = settings(
    max_examples=12,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def test_a_random_shift_ends_with_the_stock_that_is_there(floor: Floor) -> None:
    machine = type("ShiftOnThisFloor", (Shift,), {"floor": floor})
    long = settings.get_current_profile_name() == "long"
    run_state_machine_as_test(machine, settings=settings() if long else SHORT)
