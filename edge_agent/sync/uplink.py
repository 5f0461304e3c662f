"""What the uplink does next, decided without I/O, clock or randomness.

The driver asks :meth:`Uplink.next`, does it, and tells what came of it. Held true here:

- an event is marked as relayed only after the relay answered for the very batch it was in;
- one batch is under way at a time, in the outbox's order, so order per device is kept;
- a batch that the relay will not take is halved until the event at fault stands alone. That one
  is set aside only when the relay took *another* one since: for a relay that refuses everything
  (another version, a fault of its own) nothing is set aside, it is waited for;
- before an event is at fault it is offered without what an older relay does not know of it, and
  what the agent only added: an agent may be upgraded before its relay;
- whatever goes wrong, there is a next try: slowly where a person must act, at once when they did.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal

from edge_agent.sync.actions import (
    Action,
    Batch,
    Beat,
    Fetch,
    Limits,
    Renew,
    Send,
    SetAside,
    Trouble,
    Wait,
)
from edge_agent.sync.backoff import Backoff
from edge_agent.sync.port import BatchRefused, Busy, GenerationReused, RateLimited
from edge_agent.sync.refusals import plain, split
from edge_contract.batch import HeartbeatReply
from edge_contract.errors import EdgeError, NeedsOperator, Rejected

#: Events that may wait for proof that the relay takes anything at all.
MAX_SUSPECTS = 100
#: How many slow delays pass before suspects are tried again when nothing else is to be sent.
_SUSPECT_PATIENCE = 10
#: Batches that must have been taken before larger ones are tried again.
_GROW_AFTER = 20


class Uplink:
    """The state of one agent's way up. ``now`` is always in monotonic seconds."""

    def __init__(self, backoff: Backoff, limits: Limits | None = None) -> None:
        self._backoff = backoff
        self._limits = limits or Limits()
        self._most = self._limits.events
        self._queue: deque[Batch] = deque()
        self._hungry = True
        self._beat_due = True
        self._not_before = 0.0
        self._linger_until = 0.0
        self._taken = 0
        self._taken_at_this_size = 0
        self._suspects: dict[int, SetAside] = {}
        self._suspects_until = 0.0
        self._settled: deque[SetAside] = deque()
        self._renew: str | None = None
        self._renewals = 0
        self.link: Literal["unknown", "up", "down"] = "unknown"
        self.trouble: Trouble | None = None
        self.stopped: str | None = None
        """Why the relay told this agent to stop sending; intake goes on."""

    @property
    def suspects(self) -> int:
        """Events the relay refused that wait for proof that it takes others."""
        return len(self._suspects)

    def retry_in(self, now: float) -> float:
        """Seconds until the next try, 0 when nothing is put off."""
        return max(0.0, self._not_before - now)

    def next(self, now: float) -> Action:
        """What to do now. Asking again gives the same answer."""
        if now < self._not_before:
            return Wait(self._not_before - now)
        if self._renew is not None:
            return Renew(self._renew)
        if self._settled:
            return self._settled[0]
        if self._beat_due:
            return Beat()
        if self.stopped is not None:
            return Wait(None)
        if self._queue:
            return Send(self._queue[0])
        patient = self._suspects and now < self._suspects_until
        if self._suspects and not patient:
            return Fetch(self._most, self._limits.bytes)
        if self._hungry and len(self._suspects) < MAX_SUSPECTS:
            if now < self._linger_until:
                return Wait(self._linger_until - now)
            return Fetch(self._most + len(self._suspects), self._limits.bytes)
        return Wait(self._suspects_until - now if patient else None)

    # What happened

    def appended(self, now: float) -> None:
        """The outbox has something new."""
        if not self._hungry and not self._queue:
            self._linger_until = max(self._linger_until, now + self._limits.linger_s)
        self._hungry = True

    def beat_due(self) -> None:
        self._beat_due = True

    def fetching(self, now: float) -> None:
        """Before the outbox is asked: what is appended from here on makes hungry again."""
        self._hungry = False
        if now >= self._suspects_until:
            self._suspects.clear()

    def fetched(self, events: Sequence[tuple[int, str]]) -> None:
        """The outbox's answer to :class:`Fetch`."""
        fresh = tuple(event for event in events if event[0] not in self._suspects)
        if fresh:
            size = sum(len(text) for _, text in fresh)
            full = len(fresh) >= self._most or size > self._limits.bytes // 2
            self._queue.append(Batch(fresh[: self._most], full))
            self._hungry = True

    def stored(self, now: float) -> None:
        """The batch is stored at the relay and marked as relayed."""
        batch = self._queue.popleft()
        self._linger_until = 0.0 if batch.full else now + self._limits.spacing_s
        self._taken += 1
        self._taken_at_this_size += 1
        if self._taken_at_this_size >= _GROW_AFTER:
            self._most = min(self._limits.events, self._most * 2)
            self._taken_at_this_size = 0
        # Now that it takes something, whatever it refused before gets its second hearing.
        self._queue.extendleft(
            Batch(((suspect.position, suspect.text),), True, self._taken - 1)
            for suspect in reversed(self._suspects.values())
        )
        self._suspects.clear()
        self._renewals = 0
        self._well()

    def set_aside(self) -> None:
        """The first of the settled ones is noted in the outbox."""
        self._settled.popleft()

    def beaten(self, reply: HeartbeatReply, newest_position: int, unrelayed: int) -> None:
        """The relay answered a heartbeat that said ``newest_position`` and ``unrelayed``."""
        self._beat_due = False
        # An outbox that repairs itself may have had nothing to give when it was last asked.
        self._hungry |= unrelayed > 0
        self.stopped = reply.stop
        if reply.stored_through > newest_position:
            self._renew = (
                f"the relay has position {reply.stored_through} of this outbox, which ends at "
                f"{newest_position}: it is an older copy"
            )
        if not self._suspects:
            self._well()
        self.link = "up"

    def renewed(self) -> None:
        """The outbox has a new generation and everything in it that is not final is pending."""
        self._renew = None
        self._renewals += 1
        self._queue.clear()
        self._suspects.clear()
        self._settled.clear()
        self._hungry = True
        # A relay that knows the future of any outbox is asked again with the next heartbeat.
        self._beat_due |= self._renewals == 1

    def refused(self, error: BatchRefused, now: float) -> None:
        """The relay read the batch and will not take it as it is."""
        self.link = "up"
        batch = self._queue.popleft()
        since = self._taken if batch.refused_after is None else batch.refused_after
        if (lighter := plain(batch, error, since)) is not None:
            self._queue.appendleft(lighter)
            return
        if len(batch) > 1:
            if error.code == "too-large":
                self._most = max(1, len(batch) // 2)
                self._taken_at_this_size = 0
            self._queue.extendleft(reversed(split(batch, error.positions, since)))
            return
        ((position, text),) = batch.events
        guilty = SetAside(position, text, error.code, error.message)
        if self._taken > since:
            self._settled.append(guilty)
            return
        self._suspects[position] = guilty
        self._suspects_until = now + _SUSPECT_PATIENCE * self._backoff.slow()
        self.trouble = Trouble(
            error.code,
            f"The relay refuses {len(self._suspects)} event(s): {error.message}",
            "It is set aside when the relay takes another one. If it takes none, check that "
            "agent and relay are of matching versions.",
        )
        if len(self._suspects) >= MAX_SUSPECTS:
            self._queue.clear()  # it takes nothing at all; these are fetched again later

    def failed(self, error: EdgeError, now: float) -> None:
        """What was tried did not succeed; it is tried again."""
        if isinstance(error, GenerationReused):
            self._renew = str(error)
            self._queue.clear()
            if self._renewals:  # once is an old copy; again and again is a fault elsewhere
                self._not_before = now + self._backoff.slow()
            return
        self._hungry = True
        if isinstance(error, Rejected):  # of a heartbeat; batches can do without
            self._beat_due = False
            self.trouble = Trouble(error.code, error.message)
            return
        if not isinstance(error, RateLimited):
            self.link = "down"
        if isinstance(error, NeedsOperator):
            self.trouble = Trouble(error.code, error.message, error.remedy)
            if error.code == "conflict":
                self.stopped = str(error)
            self._not_before = now + self._backoff.slow()
            return
        self.trouble = Trouble("unreachable", str(error))
        at_least = error.retry_after if isinstance(error, Busy) else 0.0
        self._not_before = now + self._backoff.delay(at_least)

    def hindered(self, error: EdgeError, now: float) -> None:
        """The outbox could not do its part just now; the relay is not to blame."""
        self._hungry = True
        self.trouble = Trouble("outbox", str(error))
        self._not_before = now + self._backoff.delay()

    def _well(self) -> None:
        self._backoff.reset()
        self.link = "up"
        self.trouble = None
