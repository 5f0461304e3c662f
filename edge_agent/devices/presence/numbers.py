"""A device's own numbers: which came, and which never did. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Most gaps of one device that are kept by name; the oldest are given up first.
MAX_GAPS = 100
#: A number so far behind the newest is no straggler: the device counts anew.
_ANEW = 1_000


@dataclass(slots=True)
class Numbers:
    """The counter of one device, as its events tell it."""

    newest: int | None = None
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """First and last of each run of missing numbers, oldest first."""
    rebooted: bool = False
    """It started anew since its last number: its counter may have, too."""

    @property
    def missing(self) -> int:
        return sum(last - first + 1 for first, last in self.gaps)

    def note(self, seq: int) -> None:
        """Later numbers open gaps, late ones close them."""
        newest = self.newest
        if newest is None or seq == newest + 1:
            self.newest = seq
        elif seq > newest:
            self.gaps.append((newest + 1, seq - 1))
            del self.gaps[:-MAX_GAPS]
            self.newest = seq
        elif seq != newest and not self._close(seq) and self._begins_anew(newest, seq):
            self.newest = seq
        else:
            return  # late or repeated: it says nothing of where the counter is
        self.rebooted = False

    def _close(self, seq: int) -> bool:
        for index, (first, last) in enumerate(self.gaps):
            if first <= seq <= last:
                parts = [(first, seq - 1), (seq + 1, last)]
                self.gaps[index : index + 1] = [part for part in parts if part[0] <= part[1]]
                return True
        return False

    def _begins_anew(self, newest: int, seq: int) -> bool:
        # What a device sends again after its restart has numbers close to the newest, or high ones
        return newest - seq > _ANEW or (self.rebooted and seq <= 1)

    def dump(self) -> dict[str, Any] | None:
        """As JSON; ``None`` for a device that numbers nothing."""
        if self.newest is None:
            return None
        return {"newest": self.newest, "gaps": self.gaps}

    def restore(self, dumped: dict[str, Any]) -> None:
        """Take over what :meth:`dump` wrote; raises ValueError, KeyError or TypeError."""
        newest = int(dumped["newest"])
        gaps = [(int(first), int(last)) for first, last in dumped["gaps"]]
        if newest < 0 or any(not 0 <= first <= last < newest for first, last in gaps):
            raise ValueError("numbers that no device can have")
        self.newest, self.gaps = newest, gaps[-MAX_GAPS:]
