"""A weighing: one load of a scale, from when its weight is stable until it is taken off. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

#: A weight that changes by no more than this part of it, or by so many units of its last digit,
#: only settles. So few units are no load either: scales weigh from 20 divisions on (OIML R 76).
_SETTLES = Decimal("0.01")
_SETTLES_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Weight:
    """A stable weight as the scale told it."""

    weight: str
    """Decimal text exactly as weighed."""
    uom: str
    device: str
    time: datetime
    net: bool = False
    tare: str | None = None


@dataclass(slots=True, eq=False)
class Weighing:
    """One load of the scale."""

    weight: Weight
    since: datetime
    run: int
    """Weighings of one run follow each other without an empty scale in between."""
    gone: datetime | None = None
    package: str | None = None
    """Whom it is given to. Once set it never changes."""
    spent: str = ""
    """Why nobody gets it any more."""
    rivals: frozenset[str] = frozenset()
    """Packages named before it was weighed: the one that is scanned again while it lies there gets
    it after all."""

    def lies(self, at: datetime) -> bool:
        return self.since <= at and (self.gone is None or at < self.gone)

    def distance(self, at: datetime) -> timedelta:
        if at < self.since:
            return self.since - at
        return timedelta(0) if self.lies(at) or self.gone is None else at - self.gone

    def near(self, at: datetime, window: timedelta) -> bool:
        return self.since - window <= at <= self.weight.time + window

    def settles(self, value: str, uom: str) -> bool:
        """Whether this weight is that of the same load."""
        if self.weight.uom != uom:
            return False
        one, two = Decimal(self.weight.weight), Decimal(value)
        digit = max(_last_digit(one), _last_digit(two))
        return abs(one - two) <= max(_SETTLES * max(one, two), _SETTLES_DIGITS * digit)

    def told(self) -> str:
        return f"{self.weight.weight} {self.weight.uom}"


def is_empty(value: str, up_to: Decimal) -> bool:
    """Whether a scale that shows ``value`` has nothing on it."""
    shown = Decimal(value)
    return shown <= max(up_to, _SETTLES_DIGITS * _last_digit(shown))


def _last_digit(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    return Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
