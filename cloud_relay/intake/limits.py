"""How much one site may ask. Pure: the time (seconds of a clock that never steps) is passed in.

Buckets run into debt instead of refusing a large batch for good: what was taken beyond the level is
waited for before the next request is let in, so the rate holds over time and a single batch always
gets through.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: A body that could not be parsed costs as if every so many bytes were an event.
BYTES_AN_EVENT = 512


class TooMuch(Exception):
    """Ask again after so many seconds."""

    def __init__(self, what: str, retry_after: float) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after


@dataclass(slots=True)
class TokenBucket:
    """``rate`` tokens a second, at most ``size`` saved up."""

    rate: float
    size: float
    level: float = field(init=False)
    seen: float | None = None

    def __post_init__(self) -> None:
        self.level = self.size

    def spend(self, amount: float, now: float) -> None:
        self._fill(now)
        self.level -= amount

    def wait(self, now: float) -> float:
        """Seconds until anything may be spent; 0 when it may be now."""
        self._fill(now)
        return 0.0 if self.level > 0 else (1 - self.level) / self.rate

    def _fill(self, now: float) -> None:
        if self.seen is not None:
            self.level = min(self.size, self.level + max(0.0, now - self.seen) * self.rate)
        self.seen = now


@dataclass(slots=True)
class SiteAllowance:
    """What one site may still ask."""

    events: TokenBucket
    requests: TokenBucket
    most_open: int
    open: int = 0

    @contextmanager
    def request(self, now: float) -> Iterator[None]:
        """Around one request; raises :class:`TooMuch` instead of letting it in."""
        if wait := self.requests.wait(now):
            raise TooMuch("requests a second", wait)
        if wait := self.events.wait(now):
            raise TooMuch("events a second", wait)
        if self.open >= self.most_open:
            raise TooMuch("requests at the same time", 1.0)
        self.requests.spend(1, now)
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
