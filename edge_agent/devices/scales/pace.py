"""How often a polled scale is asked: less often while nothing happens on it. Pure.

Asking costs the processor more than understanding the answer, and most scales of a site lie idle
most of the time. A load shows within twice the interval, long before it comes to rest, and from
then on the scale is asked at its full pace again.
"""

from __future__ import annotations

#: So many equal answers in a row mean that nothing happens.
IDLE_AFTER = 40
#: So much longer an idle scale is left in peace.
IDLE_FACTOR = 2


class Pace:
    """The pace of one scale."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._alike = 0

    @property
    def wait_s(self) -> float:
        """Seconds until the next question."""
        return self._interval_s * (IDLE_FACTOR if self._alike >= IDLE_AFTER else 1)

    def heard(self, *, alike: bool) -> None:
        """An answer came, and was the same as the one before or another."""
        self._alike = self._alike + 1 if alike else 0

    def silent(self) -> None:
        """No answer came: something happens."""
        self._alike = 0
