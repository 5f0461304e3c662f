"""What to send to Odoo next, and what its answers mean: the applier of one target without I/O.

- A call that was not answered may have been applied. The same events are sent again first, in the
  same order, before anything newer; Odoo's claims make that safe.
- A call that fails although Odoo answers an empty batch in between is too big or has one event
  that breaks it: it is halved, down to the one event, which is then held.
- An Odoo that answers nothing makes no batch smaller and no event guilty, unless it goes down again
  and again with the same one.
- Refused events hold their lane (the inbox sees to it); want of stock waits first
  (:mod:`~cloud_relay.odoo.shortage`).
- What needs a person stops the target. All but a restored Odoo is looked at again by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from cloud_relay.inbox.port import Entry, Progress, Verdict
from cloud_relay.odoo.breaker import Breaker
from cloud_relay.odoo.port import OdooReply, OdooResult
from cloud_relay.odoo.shortage import Shortages
from cloud_relay.odoo.status import State, TargetStatus
from edge_contract.errors import NeedsOperator

#: Seconds between looks at a target that is stopped, and at an idle Odoo.
RECHECK_S = 30.0
IDLE_PROBE_S = 60.0
#: A stop that no later look can lift: a person must say what to replay.
FIRM_STOPS = frozenset({"went_back"})
#: A full batch should take about so long, in seconds: longer makes live events wait behind it.
LONG_CALL_S = 8.0
SHORT_CALL_S = 4.0
#: How often one event may fail alone, with Odoo answering in between, until it is held.
LONE_FAILURES = 3
#: How often a batch may fail with an Odoo that was down in between, until it is blamed after all.
UNEXPLAINED_FAILURES = 6
#: Refusals that an older event still on the way may cure: it brings the stock, makes the lot or the
#: package that it arrives in, or closes the transfer that this one waits for.
MAY_YET_BE_CURED = frozenset(
    {"insufficient_stock", "unknown_lot", "unknown_package", "document_not_ready"}
)


class Now(NamedTuple):
    """The time twice: as people know it, and in seconds of a clock that never steps."""

    at: datetime
    tick: float


@dataclass(frozen=True, slots=True)
class Send:
    """Send these events, in this order. None: ask whether Odoo answers at all."""

    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask the inbox for what is ready, at most so many."""

    limit: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave Odoo alone for so many seconds."""

    seconds: float


class Applying:
    """The state of one target. The driver asks :meth:`next` and reports what came of it."""

    def __init__(self, target: str, batch: int, shortages: Shortages, now: Now) -> None:
        self.target = target
        self.counters: Counter[str] = Counter()
        self._most = batch
        self._limit = batch
        self._shortages = shortages
        self._breaker = Breaker()
        self._unsure: list[Entry] = []
        self._piece = 0
        self._piece_failures = 0
        self._was_down = False
        self._probe = True
        self._probed_at = now.tick
        self._stop: NeedsOperator | None = None
        self._recheck_at = 0.0
        self._state: State = "starting"
        self._since = now.at
        self._last_error = ""

    def next(self, now: Now) -> Send | Fetch | Wait:
        if self._stop is not None:
            if self._stop.code in FIRM_STOPS:
                return Wait(RECHECK_S)
            left = self._recheck_at - now.tick
            return Wait(left) if left > 0 else Send()
        if (left := self._breaker.wait(now.tick)) > 0:
            return Wait(left)
        if self._probe or self._breaker.open:
            return Send()
        if self._unsure:
            return Send(tuple(self._unsure[: self._piece]))
        return Fetch(self._limit)

    def probe_when_idle(self, now: Now) -> float:
        """Seconds until an idle Odoo is asked whether it is alive; when over, it is asked next."""
        left = self._probed_at + IDLE_PROBE_S - now.tick
        self._probe = self._probe or left <= 0
        return max(0.0, left)

    def answered(
        self,
        sent: Sequence[Entry],
        reply: OdooReply,
        progress: Progress | None,
        seconds: float,
        now: Now,
    ) -> list[Verdict]:
        """What became of the events sent; ``progress`` is needed when one lacks stock."""
        self._stop = None
        self._breaker.answered()
        self._probe = False
        self._probed_at = now.tick
        self._enter("ok", now)
        self._last_error = ""
        if not sent:
            return self._after_probe()
        self.counters["calls"] += 1
        short = sum(result.code in MAY_YET_BE_CURED for result in reply.results)
        verdicts = [
            self._verdict(entry, result, progress, short, now)
            for entry, result in zip(sent, reply.results, strict=True)
        ]
        if self._unsure:
            done = {entry.number for entry in sent}
            self._unsure = [entry for entry in self._unsure if entry.number not in done]
            self._piece_failures = 0
        elif len(sent) >= self._limit and seconds > LONG_CALL_S:
            self._limit = max(1, self._limit * 2 // 3)
        if seconds < SHORT_CALL_S:
            self._limit = min(self._most, self._limit * 2)
        return verdicts

    def failed(self, sent: Sequence[Entry], error: Exception, now: Now, share: float) -> None:
        """No answer; ``share`` is random in [0, 1)."""
        self.counters["failed_calls"] += 1
        self._last_error = str(error)
        self._breaker.failed(now.tick, share)
        self._enter("unreachable" if self._breaker.open else "failing", now)
        if not sent:
            self._probe = True
            self._was_down = True
            return
        if not self._unsure:
            self._unsure = list(sent)
            self._piece = len(sent)
            self._piece_failures = 0
        self._piece_failures += 1
        self._was_down = False
        # Once the same again; from then on only after a sign of life.
        self._probe = self._piece_failures >= 2

    def stopped(self, error: NeedsOperator, now: Now) -> bool:
        """A person must act. True when that is news."""
        news = self._stop is None or self._stop.code != error.code
        self._stop = error
        self._recheck_at = now.tick + RECHECK_S
        self._breaker.answered()
        self._forget_unsure()
        self._last_error = error.message
        self._enter("stopped", now)
        return news

    def resume(self, now: Now) -> None:
        """A person says: go on, at once."""
        self._stop = None
        self._breaker.answered()
        self._forget_unsure()
        self._probe = True
        if self._state == "stopped":
            self._enter("starting", now)

    @property
    def stop(self) -> NeedsOperator | None:
        return self._stop

    def status(self, now: Now) -> TargetStatus:
        wait = self.next(now)
        firm = self._stop is not None and self._stop.code in FIRM_STOPS
        retry_at = None
        if isinstance(wait, Wait) and not firm:
            retry_at = now.at + timedelta(seconds=wait.seconds)
        return TargetStatus(
            target=self.target,
            state=self._state,
            since=self._since,
            code="" if self._stop is None else self._stop.code,
            message=self._last_error,
            remedy="" if self._stop is None else self._stop.remedy,
            retry_at=retry_at,
            failures=self._breaker.failures,
            batch_limit=self._limit,
            unsure=len(self._unsure),
            counters=dict(self.counters),
        )

    def _after_probe(self) -> list[Verdict]:
        if not self._unsure or self._piece_failures < 2:
            return []
        if self._was_down and self._piece_failures < UNEXPLAINED_FAILURES:
            return []
        if self._piece > 1:
            self._piece = (self._piece + 1) // 2
            self._limit = self._piece
            self._piece_failures = 1
            return []
        if self._piece_failures < LONE_FAILURES:
            return []
        culprit = self._unsure.pop(0)
        self._piece_failures = 0
        self.counters["refused"] += 1
        return [
            Verdict(
                culprit.number,
                "held",
                "odoo_refused",
                f"Odoo failed on this event {LONE_FAILURES} times although it answers otherwise: "
                "whether it was applied is unknown, and a replay is safe. Odoo's log says why.",
            )
        ]

    def _verdict(
        self, entry: Entry, result: OdooResult, progress: Progress | None, short: int, now: Now
    ) -> Verdict:
        self.counters[result.status] += 1
        if result.status in {"applied", "duplicate"}:
            self._shortages.settled(entry.number)
            return Verdict(entry.number, "applied", record=result.record, notes=result.notes)
        if result.status == "skipped":
            return Verdict(entry.number, "waiting", attempted=False)
        if result.code in MAY_YET_BE_CURED and progress is not None:
            verdict = self._shortages.verdict(entry, result, progress, now.at, now.tick, short)
            self.counters["short"] += verdict.status == "short"
            return verdict
        return Verdict(
            entry.number,
            # An id that was applied with other content: nobody can mend it, the first one counts.
            "rejected" if result.code == "content_conflict" else "held",
            result.code or "odoo_refused",
            result.message,
            result.record,
            result.notes,
        )

    def _forget_unsure(self) -> None:
        self._unsure = []
        self._piece_failures = 0

    def _enter(self, state: State, now: Now) -> None:
        if state != self._state:
            self._state = state
            self._since = now.at
