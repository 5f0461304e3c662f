"""Which weight belongs to which package, at one bench with one scale. Pure.

What happens there is a sequence of stable weights and of packages that are named, by a scan of
their label or by being packed. A package and the weight nearest in time belong together, in either
order, when they are at most a window apart. Held true here, and tested as properties:

- a weighing is given to one package only, ever. A new one begins when the scale was empty in
  between or shows another weight; a weight that only settles is the same weighing;
- where two packages were named while one weight lay there, neither gets it from then on;
- what lay there before the agent started, or before its clock was set back, is given to nobody.

A weight given to the wrong package is worse than none: none is noticed, and says its reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from edge_agent.devices.stations.weighings import Weighing, Weight, is_empty

#: Weighings, and packages that were named, that are remembered.
REMEMBERED = 500
#: So long a package keeps the weight that it was scanned with.
PAIRED_FOR = timedelta(hours=1)
_REMEDY = "Empty the scale, weigh the package and scan it."


@dataclass(frozen=True, slots=True)
class Verdict:
    """The weight of a package, or why there is none."""

    weight: Weight | None = None
    reason: str = ""
    """A sentence; empty with a weight, and where there is nothing to say."""


@dataclass(slots=True)
class _Named:
    """A package that was named, and how far in time the weighing was that it got."""

    package: str
    at: datetime
    distance: timedelta | None = None


@dataclass(slots=True)
class Station:
    """The bench ``name``. Times are the agent's, or corrected to be."""

    name: str
    window: timedelta
    empty_up_to: Decimal = Decimal(0)
    """What the scale may show when nothing is on it, in its own unit."""
    _weighings: deque[Weighing] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _named: deque[_Named] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _run: int = 0
    _newest: datetime | None = None
    _known: bool = False
    """The scale was seen empty or to change: what lies there now was put there since."""
    _occupied: bool = False

    def weigh(self, weight: Weight) -> None:
        """The scale told a stable weight that is news."""
        if self._newest is not None and weight.time < self._newest - self.window:
            self._forget()  # the clock was set back: nothing that was noted is comparable
        self._newest = weight.time
        last = self._weighings[-1] if self._occupied and self._weighings else None
        if is_empty(weight.weight, self.empty_up_to):
            if last is not None:
                last.gone = last.gone or weight.time
            self._run += 1
            self._known, self._occupied = True, False
            return
        if last is not None and last.settles(weight.weight, weight.uom):
            last.weight, last.gone = weight, None
            return
        if last is not None:
            last.gone = last.gone or weight.time
            self._known = True
        weighing = Weighing(weight, weight.time, self._run)
        if not self._known:
            weighing.spent = (
                f"{weighing.told()} lay on the scale when the agent began to listen to it, "
                "perhaps for another package"
            )
        self._weighings.append(weighing)
        self._occupied = True
        self._give_to_earlier(weighing)

    def steady(self, value: str, uom: str) -> None:
        """The scale shows a stable weight, news or not: what lay there before lies there again."""
        if self._occupied and self._weighings[-1].settles(value, uom):
            self._weighings[-1].gone = None

    def unsteady(self, at: datetime, *, overload: bool = False) -> None:
        """The scale shows no stable weight. After an overload there is something else on it."""
        if not self._occupied:
            return
        last = self._weighings[-1]
        last.gone = last.gone or at
        if overload and last.package is None:
            last.spent = last.spent or f"The scale was overloaded after {last.told()}"

    def scan(self, package: str, at: datetime) -> Verdict:
        """The label of ``package`` was scanned."""
        named = _Named(package, at)
        self._named.append(named)
        lying = [weighing for weighing in self._weighings if weighing.lies(at)]
        for weighing in lying:
            if package in weighing.rivals:
                weighing.spent, weighing.rivals = "", frozenset()
            if weighing.package not in (None, package) and not weighing.spent:
                weighing.spent = _unclear(weighing, [weighing.package or "", package])
        near = [w for w in self._weighings if w.near(at, self.window)]
        free = [w for w in near if self._free_for(package, w)]
        closed = [w for w in lying if w in near and w not in free]
        if closed:
            return _none(self._why_not(package, closed[-1]))
        if not free:
            return Verdict()  # the weight may follow
        best = min(reversed(free), key=lambda weighing: weighing.distance(at))
        return self._give(best, named)

    def pack(self, package: str, at: datetime) -> Verdict:
        """``package`` was packed: the weight it was scanned with, or the one that lies there."""
        named = _Named(package, at)
        own = [w for w in self._weighings if w.package == package]
        if own and abs(at - own[-1].weight.time) <= PAIRED_FOR:
            return self._own(package, own[-1])
        self._named.append(named)
        lying = [w for w in self._weighings if w.lies(at)]
        if not lying:
            return _none("Nothing lay on the scale, and the package was not scanned with a weight")
        weighing = lying[-1]
        if not self._free_for(package, weighing):
            return _none(self._why_not(package, weighing))
        if not weighing.near(at, self.window):
            seconds = (at - weighing.weight.time).total_seconds()
            return _none(
                f"{weighing.told()} lay on the scale for {seconds:.0f} s, which is more than "
                f"window_s of [stations.{self.name}]"
            )
        return self._give(weighing, named)

    def _own(self, package: str, own: Weighing) -> Verdict:
        if own.spent:
            return _none(own.spent)
        after = [w for w in self._weighings if w.run == own.run and w.since > own.since]
        if any(self._free_for(package, w) or w.spent for w in after):
            return _none(
                f"The weight changed from {own.told()} to {after[-1].told()} after {package} was "
                "scanned, and the scale was not empty in between"
            )
        for named in self._named:
            if named.package == package:
                named.distance = timedelta(0)  # it is packed: what is weighed next is another's
        return Verdict(own.weight)

    def _give_to_earlier(self, weighing: Weighing) -> None:
        """A package that was named shortly before gets the weight that follows."""
        if weighing.spent:
            return
        waiting: dict[str, _Named] = {}
        for named in self._named:
            before = weighing.since - named.at
            if timedelta(0) <= before <= self.window:
                waiting[named.package] = named  # the last time counts
        takers = [
            named
            for named in waiting.values()
            if named.distance is None or weighing.distance(named.at) < named.distance
        ]
        if len(takers) == 1:
            self._give(weighing, takers[0])
        elif takers:
            weighing.rivals = frozenset(named.package for named in takers)
            weighing.spent = _unclear(weighing, weighing.rivals)

    def _give(self, weighing: Weighing, named: _Named) -> Verdict:
        weighing.package = named.package
        named.distance = weighing.distance(named.at)
        return Verdict(weighing.weight)

    def _free_for(self, package: str, weighing: Weighing) -> bool:
        return not weighing.spent and weighing.package in (None, package)

    def _why_not(self, package: str, weighing: Weighing) -> str:
        return weighing.spent or (
            f"{weighing.told()} on the scale is the weight of {weighing.package}, and nothing was "
            f"weighed since for {package}"
        )

    def _forget(self) -> None:
        self._weighings.clear()
        self._named.clear()
        self._known = self._occupied = False


def _unclear(weighing: Weighing, packages: Iterable[str]) -> str:
    names = " or ".join(sorted(packages)[:3])
    return f"{weighing.told()} may be the weight of {names}: all were scanned about then"


def _none(reason: str) -> Verdict:
    return Verdict(None, f"{reason}. {_REMEDY}")
