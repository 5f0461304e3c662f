"""How long to wait after a failure: exponential with full jitter.

Full jitter (a uniform draw between nothing and the ceiling) spreads a thousand sites that lost
the relay at the same moment; a fixed delay would bring them back at the same moment too.
"""

from __future__ import annotations

from collections.abc import Callable

Draw = Callable[[], float]
"""A random number in [0, 1)."""


class Backoff:
    """Delays in seconds: the n-th lies in [0, ``first_s`` x 2^n), never above ``ceiling_s``."""

    def __init__(self, draw: Draw, *, first_s: float = 0.5, ceiling_s: float = 30.0) -> None:
        self._draw = draw
        self._first_s = first_s
        self._ceiling_s = ceiling_s
        self.failures = 0
        """Failures since the last success."""

    def delay(self, at_least_s: float = 0.0) -> float:
        """Note a failure. ``at_least_s`` is what the other side asked for; the jitter is on top."""
        ceiling = min(self._ceiling_s, self._first_s * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return at_least_s + self._draw() * ceiling

    def slow(self) -> float:
        """Note a failure that a person has to mend: half to the whole ceiling."""
        self.failures += 1
        return self._ceiling_s * (0.5 + self._draw() / 2)

    def reset(self) -> None:
        self.failures = 0
