"""How far a device's clock is from the agent's, and how surely that is known. Pure.

Every message that carries the device's time bounds the offset from below: it was sent before it
arrived, so ``offset >= device time - arrival``. Only a message known to be fresh bounds it from
above: by the round trip when the device repeats the agent's time it heard last, else by what a
fresh message takes at most. So the offset is kept as an interval. A late event is a weak lower
bound and changes nothing; that is the whole filter. What the two bounds cannot reconcile is a
clock that was set: the interval starts anew and the former one stays for events made before.

The best guess lies near the lower bound, by what a message takes: the fastest message made it. A
wide interval says that no round trip was seen lately, not that the clock is off by half of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from edge_contract.scalars import instant_text

#: What a status takes at most from device to agent when both are in touch, in ms.
FRESH_MS = 2_000.0
#: What the fastest of a device's messages takes at most, in ms.
TRANSIT_MS = 250.0
#: How much a device's clock may run away, in ms per ms (100 ppm, a poor quartz).
DRIFT = 1e-4
#: An event may claim to be ahead of what is known by this much before it is disbelieved.
BELIEVED_STEP_MS = 24 * 3600 * 1000.0
_REGIMES = 4


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Device clock minus agent clock, and the half-width of what is known of it, both in ms."""

    offset_ms: int
    uncertainty_ms: int

    def corrected(self, claimed: datetime) -> datetime:
        """``claimed`` as the agent's clock would have told it; unchanged beyond the calendar."""
        try:
            return claimed - timedelta(milliseconds=self.offset_ms)
        except OverflowError:
            return claimed


@dataclass(slots=True)
class _Regime:
    """The offset between two settings of the device's clock."""

    low: float
    high: float
    seen: datetime
    """Arrival of the newest sample that counted."""
    first: datetime
    """The device's own time in the first sample."""

    def at(self, arrived: datetime) -> tuple[float, float]:
        drift = DRIFT * abs(_ms(arrived - self.seen))
        return self.low - drift, self.high + drift


def _ms(delta: timedelta) -> float:
    return delta / timedelta(milliseconds=1)


class DeviceClock:
    """The clock of one device, as its messages tell it."""

    def __init__(self) -> None:
        self._regimes: list[_Regime] = []
        self.steps = 0
        """How often the clock was seen to be set."""

    def status(self, told: datetime, arrived: datetime, heard: datetime | None = None) -> None:
        """A fresh status with the device's time; ``heard`` is the agent's time it repeats."""
        sample = _ms(told - arrived)
        width = FRESH_MS
        if heard is not None and heard <= arrived:
            width = _ms(arrived - heard)
        if not self._regimes:
            self._begin(sample, sample + width, arrived, told)
            return
        current = self._regimes[-1]
        low, high = current.at(arrived)
        if sample > high:
            self._begin(sample, sample + width, arrived, told)
        elif sample + width < low:
            # Set back, or late after all. A round trip decides it; else both stay possible.
            self._begin(sample, sample + width if heard else high, arrived, told)
        else:
            current.low, current.high = max(low, sample), min(high, sample + width)
            current.seen = arrived

    def event(self, told: datetime, arrived: datetime) -> None:
        """An event's time: at most a better lower bound."""
        sample = _ms(told - arrived)
        if not self._regimes:
            if 0 < sample <= BELIEVED_STEP_MS:  # nothing happens in the future: the clock is fast
                self._begin(sample, BELIEVED_STEP_MS, arrived, told)
            return
        current = self._regimes[-1]
        low, high = current.at(arrived)
        if sample <= low or sample > high + BELIEVED_STEP_MS:
            return
        if sample <= high:
            current.low, current.high, current.seen = sample, high, arrived
        else:  # set forward since the last sample, and the event was made after that
            self._begin(sample, sample + _ms(arrived - current.seen), arrived, told)

    def reading(self, told: datetime, arrived: datetime, oldest: timedelta) -> ClockReading | None:
        """The offset for an event that says ``told``; ``None`` when nothing was ever measured.

        When the newest interval cannot explain the event (it would lie in the future, or longer ago
        than ``oldest``) a former one is taken; an event from before the newest interval's first
        sample may belong to either, and gets both.
        """
        newest: ClockReading | None = None
        for index in range(len(self._regimes) - 1, -1, -1):
            low, high = self._regimes[index].at(arrived)
            reading = _reading(low, high)
            newest = newest or reading
            if not _explains(reading, told, arrived, oldest):
                continue
            if index and told < self._regimes[index].first:
                former = self._regimes[index - 1].at(arrived)
                if _explains(_reading(*former), told, arrived, oldest):
                    return _reading(min(low, former[0]), max(high, former[1]))
            return reading
        return newest

    def agent_stepped(self, by: timedelta) -> None:
        """The agent's own clock was set by so much: every offset is from it."""
        for regime in self._regimes:
            regime.low -= _ms(by)
            regime.high -= _ms(by)
            regime.seen += by

    def dump(self) -> list[dict[str, float | str]]:
        """What is known, as JSON, for the next life of the agent."""
        return [
            {
                "low": regime.low,
                "high": regime.high,
                "seen": instant_text(regime.seen),
                "first": instant_text(regime.first),
            }
            for regime in self._regimes
        ]

    def restore(self, dumped: list[dict[str, Any]]) -> None:
        """Take over what :meth:`dump` wrote; raises ValueError, KeyError or TypeError."""
        self._regimes = [
            _Regime(
                float(one["low"]),
                float(one["high"]),
                datetime.fromisoformat(one["seen"]),
                datetime.fromisoformat(one["first"]),
            )
            for one in dumped[-_REGIMES:]
        ]

    def _begin(self, low: float, high: float, arrived: datetime, told: datetime) -> None:
        if self._regimes:
            self.steps += 1
        self._regimes.append(_Regime(low, high, arrived, told))
        del self._regimes[:-_REGIMES]


def _reading(low: float, high: float) -> ClockReading:
    guess = min((low + high) / 2, low + TRANSIT_MS)
    return ClockReading(round(guess), round(max(guess - low, high - guess) + 0.5))


def _explains(reading: ClockReading, told: datetime, arrived: datetime, oldest: timedelta) -> bool:
    corrected = reading.corrected(told)
    slack = timedelta(milliseconds=reading.uncertainty_ms + 1000)
    return arrived - oldest - slack <= corrected <= arrived + slack
