"""A print job and what proves it. Pure.

Levels of proof, as ``label.printed`` carries them: 0 all its bytes were taken; 1 the printer was
idle with nothing left afterwards; 2 its counter rose by the number of labels; 3 it pushed an alert
for each; 4 a scan read the label back, which is for whoever scans and never given here.

Invariants: proof is never higher than what was seen. An idle printer proves nothing once it was
away or restarted (its buffer is gone), nor against a counter that lags behind. Alerts carry no job,
so they count with everything else in agreement only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge_agent.devices.printers.languages import Poll
from edge_agent.devices.printers.profile import Language, PrinterProfile
from edge_agent.devices.printers.state import why_not
from edge_agent.devices.printers.zebra_alert import JOB_COMPLETED, LABEL_TAKEN, Alert

MOST_LABELS = 10_000
_FORMAT = re.compile(rb"\^XA(.*?)\^XZ", re.DOTALL)
_QUANTITY = re.compile(rb"\^PQ\s*([0-9]{1,8})")
#: A format with none of these prints nothing: it sets something up.
_PRINTS = re.compile(rb"\^(?:F[A-Z]|G[A-Z]|XG|XF|IM|IL|PQ)")
_STORES = re.compile(rb"\^DF")
_TSPL_PRINT = re.compile(rb"(?m)^\s*PRINT\s+([0-9]{1,8})(?:\s*,\s*([0-9]{1,8}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PrintJob:
    """Bytes in the printer's own language, sent ``copies`` times."""

    data: bytes
    copies: int = 1
    document: str | None = None
    package: str | None = None

    @property
    def bytes(self) -> bytes:
        return self.data * self.copies


@dataclass(frozen=True, slots=True)
class Expected:
    """What a job prints: labels, in so many formats (each may be printed several times)."""

    labels: int
    formats: int


def expected(job: PrintJob, language: Language) -> Expected:
    """What ``job`` prints; raises ValueError when that is nothing, or cannot be meant."""
    if language == "zpl":
        found = [body for body in _FORMAT.findall(job.data) if _prints(body)]
        quantities = [[int(q) for q in _QUANTITY.findall(body)] for body in found]
        labels = sum(max(1, each[-1]) if each else 1 for each in quantities)
        formats = len(found)
    elif language == "tspl":
        prints = [(int(m), int(n or b"1")) for m, n in _TSPL_PRINT.findall(job.data)]
        labels, formats = sum(m * n for m, n in prints), len(prints)
    else:
        labels = formats = 1 if job.data else 0
    if not labels:
        raise ValueError(f"nothing in it prints a label in the language {language}")
    if not 1 <= job.copies <= MOST_LABELS or labels * job.copies > MOST_LABELS:
        raise ValueError(f"a job prints 1 to {MOST_LABELS} labels")
    return Expected(labels * job.copies, formats * job.copies)


def _prints(body: bytes) -> bool:
    return bool(_PRINTS.search(body)) and not _STORES.search(body)


class JobWatch:
    """Follows one job from its last byte on, and knows how far it is proven."""

    def __init__(
        self,
        what: Expected,
        profile: PrinterProfile,
        *,
        counter: int | None,
        alerts: bool,
        at: float,
    ) -> None:
        """``counter``: the odometer before, if it is known; ``alerts``: whether any are pushed."""
        self._what = what
        self._profile = profile
        self._before = counter
        self._counter = counter
        self._alerts = alerts
        self._completed = 0
        self._taken = 0
        self._idle_since: float | None = None
        self._idle = False
        self._in_turn = False
        self._lost = False
        self._trouble: tuple[str, ...] = ()
        self._progress = at
        self._last: object = None

    def polled(self, poll: Poll, at: float) -> None:
        """A poll of after the job's last byte."""
        self._trouble = () if poll.seen.ready else poll.seen.conditions
        mark = (poll.seen.conditions, poll.seen.busy, poll.seen.said)
        if mark != self._last and poll.seen.ready:
            self._progress = at
        self._last = mark
        if not (poll.idle and poll.seen.ready):
            self._idle_since, self._idle = None, False
            return
        if self._idle_since is None:
            self._idle_since = at
        elif at - self._idle_since >= self._profile.idle_s:
            self._idle = True

    def counted(self, counter: int | None, at: float) -> None:
        """The odometer was read; ``None`` when it did not say."""
        if counter is not None and counter != self._counter:
            self._counter, self._progress = counter, at

    def alerted(self, alert: Alert, at: float) -> None:
        """The printer pushed an alert after the job's last byte."""
        if alert.state == "set":
            self._completed += alert.condition == JOB_COMPLETED
            self._taken += alert.condition == LABEL_TAKEN
            if alert.condition in ("POWER ON", "COLD START"):
                self.lost()
        self._progress = at

    def worked_off(self) -> None:
        """The printer answered a question that stood behind the job in its buffer."""
        self._in_turn = True

    def lost(self) -> None:
        """The printer was away: what it had not printed may be gone."""
        self._lost = True

    @property
    def rise(self) -> int | None:
        if self._before is None or self._counter is None:
            return None
        return self._counter - self._before

    @property
    def proof(self) -> int:
        """0 to 3, as far as it was seen."""
        rise, labels = self.rise, self._what.labels
        if self._in_turn and not self._lost:
            return 1
        if not self._idle or (rise is not None and rise < labels):
            return 0
        alerted = self._completed >= self._what.formats or self._taken >= labels
        if alerted and not self._lost and rise in (None, labels):
            return 3
        if rise == labels:
            return 2
        return 0 if self._lost else 1

    def done(self, at: float) -> bool:
        """Whether waiting on would bring nothing more."""
        best = 3 if self._alerts else 2 if self._before is not None else 1
        if self.proof >= best:
            return True
        patience = self._profile.job_timeout_s
        if self._idle and not self._trouble:
            patience = min(patience, self._profile.alert_wait_s)
        return at - self._progress >= patience

    @property
    def doubt(self) -> str:
        """Why it is not sure that every label was printed; empty when it is."""
        if self.proof >= 1 and (self.rise is None or self.rise == self._what.labels):
            return ""
        labels, rise = self._what.labels, self.rise
        if self._trouble:
            return why_not(self._trouble)
        if rise is not None and rise > labels:
            return f"its counter rose by {rise} and not by {labels}: others print on it, too"
        if rise is not None and rise < labels:
            return f"its counter rose by {rise} and not by {labels}"
        if self._lost:
            return "the printer was away or restarted in the middle"
        return "it did not say that it is done"
