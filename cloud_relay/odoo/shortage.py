"""Refused for want of something: wait for what may still come, or show it to a person. Pure.

A pick that is applied before the receipt that supplied it finds too little. Nobody is told as long
as something older can still arrive: what an agent says it has not sent (its heartbeats), what waits
here, and for a grace period what a handheld out of reach may hold.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud_relay.inbox.port import Entry, Progress, Verdict
from cloud_relay.odoo.port import OdooResult

#: Seconds until the first repeat, and between repeats at most. Odoo takes a failing group apart to
#: find who is at fault, so a crowd that is short together is repeated more rarely.
FIRST_S = 0.5
LONGEST_S = 15.0
LONGEST_OF_A_CROWD_S = 60.0
CROWD = 10
#: Entries remembered: a bound, not a tuning.
MOST_REMEMBERED = 50_000


@dataclass(slots=True)
class _Since:
    tick: float
    tries: int = 0


@dataclass(slots=True)
class Shortages:
    """Decides about refusals that an older event may cure: no stock, no such lot yet.

    ``grace_s`` is waited in any case, ``limit_s`` at most, counted from the first refusal. An entry
    that a person replays after that is not kept waiting again.
    """

    grace_s: float
    limit_s: float
    _first: OrderedDict[int, _Since] = field(default_factory=OrderedDict)

    def verdict(
        self,
        entry: Entry,
        result: OdooResult,
        progress: Progress,
        now: datetime,
        tick: float,
        together: int = 1,
    ) -> Verdict:
        """Waiting on, or held; ``together`` is how many of the same batch are short."""
        since = self._first.setdefault(entry.number, _Since(tick))
        since.tries += 1
        while len(self._first) > MOST_REMEMBERED:
            self._first.popitem(last=False)
        waited = tick - since.tick
        coming = older_on_the_way(entry, progress)
        if waited < (max(self.grace_s, self.limit_s) if coming else self.grace_s):
            delay = min(LONGEST_S, FIRST_S * 2.0 ** min(since.tries - 1, 30))
            delay = min(LONGEST_OF_A_CROWD_S, delay * max(1.0, together / CROWD))
            return Verdict(
                entry.number,
                "short",
                result.code,
                result.message,
                next_attempt=now + timedelta(seconds=delay),
            )
        message = result.message
        if coming:
            message += f" Older events are missing since {round(waited)} s and were not waited for."
        return Verdict(entry.number, "held", result.code, message, notes=result.notes)

    def settled(self, number: int) -> None:
        """The entry found its stock after all."""
        self._first.pop(number, None)


def older_on_the_way(entry: Entry, progress: Progress) -> bool:
    """Whether something that happened before the entry is known to be missing in Odoo."""
    occurred = entry.event.occurred
    if progress.arrived_through is None or progress.arrived_through <= occurred:
        return True
    return progress.oldest_open is not None and progress.oldest_open < occurred
