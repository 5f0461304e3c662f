"""How long to leave Odoo alone after calls that were not answered. Pure.

Full jitter (a random share of an exponentially growing bound) spreads the return of many relays
after one outage. Time is seconds of a clock that never steps; randomness is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Calls in a row without an answer after which the circuit is open: from then on it is asked
#: with an empty batch whether Odoo is back, instead of with events.
THRESHOLD = 3
FIRST_S = 0.5
LONGEST_S = 30.0


@dataclass(slots=True)
class Breaker:
    """Closed, or open with a time for the next trial."""

    threshold: int = THRESHOLD
    first_s: float = FIRST_S
    longest_s: float = LONGEST_S
    failures: int = 0
    retry_at: float = 0.0

    @property
    def open(self) -> bool:
        return self.failures >= self.threshold

    def failed(self, now: float, share: float) -> None:
        """A call was not answered; ``share`` is random in [0, 1)."""
        bound = min(self.longest_s, self.first_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        self.retry_at = now + share * bound

    def answered(self) -> None:
        self.failures = 0
        self.retry_at = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next call may be made; 0: now."""
        return max(0.0, self.retry_at - now) if self.failures else 0.0
