"""A label that stays in view, or is read twice by a nervous finger, is one read. Pure."""

from __future__ import annotations

from collections import OrderedDict

from edge_agent.devices.scanners.reads import ScannerRead

#: Labels remembered at once; a portal sees many tags, and forgetting one costs a repeated read.
_REMEMBERED = 10_000


class Duplicates:
    """Knows which reads of one device repeat one that it saw within the window."""

    def __init__(self, window_s: float) -> None:
        """``window_s``: seconds; 0 takes every read."""
        self._window = window_s
        self._seen: OrderedDict[tuple[str, str | None], float] = OrderedDict()

    def repeats(self, read: ScannerRead, now: float) -> bool:
        """Whether ``read`` was seen within the window before ``now`` (a monotonic clock, seconds).

        Seeing it again begins the window anew, so a label that lies in view stays one read.
        """
        if not self._window:
            return False
        label = (read.data, read.symbology)
        before = self._seen.pop(label, None)
        self._seen[label] = now
        while self._seen:
            oldest, seen = next(iter(self._seen.items()))
            if len(self._seen) <= _REMEMBERED and now - seen < self._window:
                break
            del self._seen[oldest]
        return before is not None and 0 <= now - before < self._window
