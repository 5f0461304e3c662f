"""The one writer of a target: takes what is ready, applies it, stores what became of it.

All decisions are those of :mod:`cloud_relay.odoo.applying`; this drives them.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, closing
from datetime import UTC, datetime

from cloud_relay.inbox.port import Alarm, Entry, Inbox, Watch
from cloud_relay.odoo.applying import MAY_YET_BE_CURED, Applying, Fetch, Now, Send, Wait
from cloud_relay.odoo.port import Binding, OdooApplier
from cloud_relay.odoo.shortage import Shortages
from cloud_relay.odoo.status import TargetStatus
from cloud_relay.odoo.wire import odoo_batch
from edge_contract import killpoint
from edge_contract.errors import EdgeError, NeedsOperator, Rejected, Retryable

log = logging.getLogger(__name__)

#: Seconds to gather what arrives together before an idle Odoo is called.
LINGER_S = 0.005
#: Seconds until an idle applier looks by itself, although it would have been woken.
IDLE_S = 5.0
#: Least seconds of a sleep while the inbox has something that is not ready yet.
NAP_S = 0.05

#: Opens a way into Odoo with the key as it is now; raises ``NeedsOperator`` when there is none.
Connect = Callable[[], AbstractAsyncContextManager[OdooApplier]]


class TargetApplier:
    """Runs until :meth:`stop`; everything it knows is in the inbox and in Odoo."""

    def __init__(
        self,
        target: str,
        inbox: Inbox,
        connect: Connect,
        binding: Binding,
        *,
        batch: int,
        grace_s: float,
        limit_s: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
        share: Callable[[], float] = random.random,
    ) -> None:
        """``share`` gives a random number in [0, 1) for each backoff."""
        self.target = target
        self._inbox = inbox
        self._connect = connect
        self._binding = binding
        self._clock = clock
        self._seconds = seconds
        self._share = share
        self._machine = Applying(target, batch, Shortages(grace_s, limit_s), self._now())
        self._watermark: dict[str, str] = {}
        self._stopping = False
        self._calling = asyncio.Lock()
        self._nudge = asyncio.Event()

    def status(self) -> TargetStatus:
        return self._machine.status(self._now())

    def stop(self) -> None:
        """End after the call that is under way."""
        self._stopping = True
        self._nudge.set()

    async def run(self) -> None:
        while not self._stopping:
            try:
                await self.recall()
                async with self._connect() as odoo:
                    await self._serve(odoo)
            except NeedsOperator as error:
                await self._stop_for(error)
            except EdgeError as error:
                log.warning("target %s: %s", self.target, error)
                await self._pause(1.0)
            except Exception as error:  # whatever it is, the target must not be dead in silence
                log.exception("target %s: a fault of the relay", self.target)
                await self._stop_for(
                    NeedsOperator(
                        "fault",
                        f"A fault of the relay ({type(error).__name__}: {error}).",
                        "The relay's log has the details; it is tried again by itself.",
                    )
                )

    async def resume(
        self, by: str, replay_since: datetime | None = None, new_database: bool = False
    ) -> int:
        """A person lets a stopped target go on; returns how many events are applied again.

        Raises ``Rejected`` when the stop needs a decision that was not given.
        """
        stop = self._machine.stop
        code = "" if stop is None else stop.code
        if code == "went_back" and replay_since is None:
            raise Rejected(
                "replay_since_needed",
                f"Odoo of target {self.target} was restored from a backup: say from when on events "
                "are applied again (what Odoo still has is recognised, so earlier is safe): "
                f"cloud-relay targets resume {self.target} --replay-since TIME.",
            )
        if code == "uuid_changed" and not new_database:
            raise Rejected(
                "new_database_needed",
                f"Target {self.target} reaches another database than before. Point it back at the "
                "right one; or, if this is the right one from now on, resume with --new-database.",
            )
        if stop is None and (replay_since is not None or new_database):
            raise Rejected(
                "not_stopped",
                f"Target {self.target} is not stopped: resume it without --replay-since and "
                "--new-database, which are for a restored or another Odoo.",
            )
        requeued = 0
        if replay_since is not None:
            requeued = await self._inbox.requeue_since(self.target, replay_since, by, self._clock())
        async with self._calling:
            if code in {"went_back", "uuid_changed"}:
                known = await self._inbox.watermark(self.target)
                kept = {} if new_database else {k: v for k, v in known.items() if k == "uuid"}
                await self._inbox.set_watermark(self.target, kept)
                self._watermark = kept
            self._machine.resume(self._now())
        self._nudge.set()
        return requeued

    async def _serve(self, odoo: OdooApplier) -> None:
        with closing(self._inbox.watch_target(self.target)) as watch:
            while not self._stopping:
                await self.step(odoo, watch)

    async def recall(self) -> None:
        """Read what is known of Odoo; before the first step on a way into it."""
        self._watermark = await self._inbox.watermark(self.target)

    async def step(self, odoo: OdooApplier, watch: Watch) -> None:
        """One decision and what it asks for: a call of Odoo, or a wait."""
        step = self._machine.next(self._now())
        if isinstance(step, Wait):
            await self._pause(step.seconds)
        elif isinstance(step, Send):
            await self._call(odoo, step.entries)
        elif isinstance(step, Fetch):
            ready = await self._inbox.ready(self.target, self._clock(), step.limit)
            if ready:
                await self._call(odoo, ready)
            else:
                await self._idle(watch)

    async def _call(self, odoo: OdooApplier, entries: Sequence[Entry]) -> None:
        async with self._calling:
            await self._send(odoo, entries)

    async def _send(self, odoo: OdooApplier, entries: Sequence[Entry]) -> None:
        batch = odoo_batch(entries, self._binding, self._watermark)
        began = self._seconds()
        if entries:
            killpoint.reached("applier.before_apply")
        try:
            reply = await odoo.apply(batch)
        except Retryable as error:
            self._machine.failed(entries, error, self._now(), self._share())
            if entries:
                log.warning("target %s: %d events, no answer: %s", self.target, len(entries), error)
            else:
                log.info("target %s: Odoo gives no sign of life: %s", self.target, error)
            return
        if entries:
            killpoint.reached("applier.after_apply")
        progress = None
        if any(result.code in MAY_YET_BE_CURED for result in reply.results):
            progress = await self._inbox.progress(self.target, self._clock())
        was_stopped = self._machine.stop is not None
        verdicts = self._machine.answered(
            entries, reply, progress, self._seconds() - began, self._now()
        )
        if was_stopped:
            log.info("target %s goes on", self.target)
        if verdicts or reply.watermark != self._watermark:
            marks = {self.target: reply.watermark}
            await self._inbox.settle(verdicts, self._clock(), marks)
            self._watermark = dict(reply.watermark)
        if entries:
            killpoint.reached("applier.after_settle")

    async def _idle(self, watch: Watch) -> None:
        progress = await self._inbox.progress(self.target, self._clock())
        nap = min(IDLE_S, self._machine.probe_when_idle(self._now()))
        if progress.next_due is not None:
            due = (progress.next_due - self._clock()).total_seconds()
            nap = min(nap, max(NAP_S, due))
        if nap <= 0 or self._nudge.is_set():
            self._nudge.clear()
            return
        if await self._either(watch, nap):
            await asyncio.sleep(LINGER_S)

    async def _either(self, watch: Watch, seconds: float) -> bool:
        changed = asyncio.ensure_future(watch.changed(seconds))
        nudged = asyncio.ensure_future(self._nudge.wait())
        try:
            await asyncio.wait((changed, nudged), return_when=asyncio.FIRST_COMPLETED)
            return changed.done() and changed.result()
        finally:
            for task in (changed, nudged):
                task.cancel()
            await asyncio.gather(changed, nudged, return_exceptions=True)
            self._nudge.clear()

    async def _stop_for(self, error: NeedsOperator) -> None:
        if self._machine.stopped(error, self._now()):
            log.error("target %s is stopped: %s", self.target, error)
            await self._raise_alarm(error)
        step = self._machine.next(self._now())
        if isinstance(step, Wait):
            await self._pause(step.seconds)

    async def _raise_alarm(self, error: NeedsOperator) -> None:
        key = f"target_stopped:{self.target}:{error.code}"
        alarm = Alarm(key, None, f"Target {self.target} is stopped: {error}", self._clock())
        try:
            await self._inbox.raise_alarm(alarm)
        except EdgeError as second:
            log.warning("target %s: the alarm could not be stored: %s", self.target, second)

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless somebody stops or resumes the target meanwhile."""
        if self._stopping:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._nudge.wait()
        except TimeoutError:
            return
        self._nudge.clear()

    def _now(self) -> Now:
        return Now(self._clock(), self._seconds())
