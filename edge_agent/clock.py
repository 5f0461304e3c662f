"""Where the agent gets its time from, and what it notices about it (I8)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

#: The time of day in UTC.
Clock = Callable[[], datetime]
#: Seconds that only grow, whatever happens to the time of day.
Monotonic = Callable[[], float]

#: Seconds by which the time of day may drift from the monotonic clock between two looks.
_STEP_S = 2.0


def now() -> datetime:
    return datetime.now(UTC)


monotonic: Monotonic = time.monotonic


class ClockWatch:
    """Notices when the time of day is set, and how far it is from the relay's."""

    def __init__(self, clock: Clock, monotonic_clock: Monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic_clock
        self._last = (clock(), monotonic_clock())
        self.steps = 0
        """How often the time of day was set since the start."""
        self.last_step_s = 0.0
        """Seconds by which it was set the last time; negative is backwards."""
        self.relay_offset_ms: int | None = None
        """This clock minus the relay's, in milliseconds; ``None`` before the first answer."""

    def look(self) -> float:
        """Compare both clocks; returns the seconds by which the time of day was set, else 0."""
        wall, steady = self._clock(), self._monotonic()
        step = (wall - self._last[0]).total_seconds() - (steady - self._last[1])
        self._last = (wall, steady)
        if abs(step) < _STEP_S:
            return 0.0
        self.steps += 1
        self.last_step_s = step
        return step

    def relay_says(self, relay: datetime, asked: datetime, answered: datetime) -> None:
        """Note the relay's time; the answer is taken to be half-way between question and reply."""
        middle = asked + (answered - asked) / 2
        self.relay_offset_ms = round((middle - relay).total_seconds() * 1000)
