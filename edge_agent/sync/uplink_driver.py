"""Does what :class:`edge_agent.sync.uplink.Uplink` decides: the I/O of the way up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from edge_agent.clock import Clock, Monotonic
from edge_agent.sync.actions import Batch, Beat, Fetch, Renew, Send, SetAside, Wait
from edge_agent.sync.outcomes import Count, Outcomes, identity_of
from edge_agent.sync.port import BatchRefused, GenerationReused, Relay
from edge_agent.sync.uplink import Uplink
from edge_contract import killpoint
from edge_contract.batch import BatchReply, Heartbeat, HeartbeatReply
from edge_contract.errors import EdgeError, NeedsOperator, Rejected, Retryable
from edge_contract.outcome import Outcome

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Troubles of the outbox that pass by themselves; with any other the process ends and says so.
_PASSING = frozenset({"disk_full"})


#: Waits until the event is set or the seconds (``None``: any number) have passed.
Pause = Callable[[asyncio.Event, float | None], Awaitable[None]]


async def pause(awake: asyncio.Event, seconds: float | None) -> None:
    try:
        await asyncio.wait_for(awake.wait(), seconds)
    except TimeoutError:
        return


class UplinkStore(Protocol):
    """The part of the outbox that the way up needs."""

    @property
    def generation(self) -> UUID: ...

    async def pending_json(self, limit: int, max_bytes: int) -> list[tuple[int, str]]: ...

    async def mark_relayed(self, positions: Sequence[int]) -> None: ...

    async def renew_generation(self, reason: str) -> UUID: ...


class UplinkDriver:
    """Runs until cancelled. Every failure it can name is tried again; others end it."""

    def __init__(
        self,
        machine: Uplink,
        store: UplinkStore,
        relay: Relay,
        outcomes: Outcomes,
        compose: Callable[[], Awaitable[Heartbeat]],
        *,
        clock: Clock,
        monotonic: Monotonic,
        count: Count,
        heard: Callable[[HeartbeatReply, datetime, datetime], None] = lambda *_: None,
        changed: Callable[[], None] = lambda: None,
        pause: Pause = pause,
    ) -> None:
        """``compose`` makes a heartbeat; ``heard`` gets its reply with the times of question and
        answer; ``changed`` is called when the link goes up or down; ``pause`` waits for the event
        or so many seconds."""
        self.machine = machine
        self._store = store
        self._relay = relay
        self._outcomes = outcomes
        self._compose = compose
        self._clock = clock
        self._monotonic = monotonic
        self._count = count
        self._heard = heard
        self._changed = changed
        self._pause = pause
        self._awake = asyncio.Event()
        self.since = clock()
        """When the link last changed between up and down."""

    def appended(self) -> None:
        """Call after each commit of the outbox, on the event loop's thread."""
        self.machine.appended(self._monotonic())
        self._awake.set()

    def beat_due(self) -> None:
        self.machine.beat_due()
        self._awake.set()

    async def run(self) -> None:
        while True:
            await self.step()

    async def step(self) -> None:
        """One decision and what it asks for."""
        self._awake.clear()
        before = self.machine.link
        action = self.machine.next(self._monotonic())
        match action:
            case Wait(seconds):
                await self._pause(self._awake, seconds)
            case Fetch(events, size):
                self.machine.fetching(self._monotonic())
                fetched = await self._local(self._store.pending_json(events, size))
                if fetched is not None:
                    self.machine.fetched(fetched)
            case Send(batch):
                await self._send(batch)
            case Beat():
                await self._beat()
            case SetAside():
                await self._set_aside(action)
            case Renew(reason):
                await self._renew(reason)
        if self.machine.link != before:
            self._note_change(before)

    async def _send(self, batch: Batch) -> None:
        killpoint.reached("uplink.before_send")
        try:
            reply = await self._ask(self._send_checked(batch))
        except BatchRefused as error:
            self._count("uplink.batches_refused", 1)
            log.warning("The relay refuses a batch (%s): %s", error.code, error.message)
            self.machine.refused(error, self._monotonic())
            return
        if reply is None:
            return
        killpoint.reached("uplink.after_reply")
        if reply.refused and not await self._local(self._done(self._note_refused(reply, batch))):
            return  # sent again: the relay refuses them again, and then it can be noted
        if await self._local(self._marked(batch.positions)):
            killpoint.reached("uplink.after_mark")
            self.machine.stored(self._monotonic())
            self._count("uplink.batches", 1)
            self._count("uplink.events", len(batch))
            self._count("uplink.duplicates", reply.duplicates)

    async def _send_checked(self, batch: Batch) -> BatchReply:
        generation = self._store.generation
        reply = await self._relay.send(generation, batch.texts)
        if reply.generation != generation:
            raise Retryable(
                "The relay's answer is about another outbox than this one; nothing was marked. "
                "The batch is sent again."
            )
        return reply

    async def _marked(self, positions: list[int]) -> bool:
        await self._store.mark_relayed(positions)
        return True

    async def _note_refused(self, reply: BatchReply, batch: Batch) -> None:
        texts = dict(batch.events)
        outcomes = [
            Outcome(
                device=identity_of(texts[refused.position])[0],
                event=identity_of(texts[refused.position])[1],
                stage="rejected",
                code=refused.code,
                message=refused.message,
                at=self._clock(),
            )
            for refused in reply.refused
            if refused.position in texts
        ]
        self._count("uplink.refused", len(outcomes))
        await self._outcomes.refused(outcomes)

    async def _beat(self) -> None:
        heartbeat = await self._local(self._compose())
        if heartbeat is None:
            return
        asked = self._clock()
        try:
            reply = await self._ask(self._relay.heartbeat(heartbeat))
        except BatchRefused as error:  # the words are those for batches; no event is to blame
            self._fail(Rejected(error.code, f"The relay refuses the heartbeat: {error.message}"))
            return
        if reply is None:
            return
        self._count("uplink.heartbeats", 1)
        self._heard(reply, asked, self._clock())
        if reply.stop and not self.machine.stopped:
            log.error("The relay tells this agent to stop sending: %s", reply.stop)
        self.machine.beaten(reply, heartbeat.newest_position, heartbeat.unrelayed)

    async def _set_aside(self, action: SetAside) -> None:
        device, event = identity_of(action.text)
        outcome = Outcome(
            device=device,
            event=event,
            stage="rejected",
            code=action.code,
            message=f"The relay cannot take this event and it is set aside: {action.message}",
            at=self._clock(),
        )
        if await self._local(self._done(self._outcomes.refused([outcome]))):
            self._count("uplink.set_aside", 1)
            log.error("Event %s of %s is set aside: %s", event, device, action.message)
            self.machine.set_aside()

    async def _renew(self, reason: str) -> None:
        generation = await self._local(self._store.renew_generation(reason))
        if generation is not None:
            self._count("uplink.generations_renewed", 1)
            log.warning("New outbox generation %s: %s", generation, reason)
            self.machine.renewed()

    async def _done(self, work: Awaitable[None]) -> bool:
        await work
        return True

    async def _ask(self, call: Awaitable[T]) -> T | None:
        """A call to the relay; its failures are the machine's to decide about, but for a refusal
        of the very body, which is the caller's."""
        try:
            return await call
        except BatchRefused:
            raise
        except (Retryable, NeedsOperator, Rejected, GenerationReused) as error:
            self._fail(error)
        return None

    async def _local(self, work: Awaitable[T]) -> T | None:
        """A call to the outbox; what does not pass by itself ends the process."""
        try:
            return await work
        except Retryable as error:
            self._note_failure(error, self.machine.hindered)
        except NeedsOperator as error:
            if error.code not in _PASSING:
                raise
            self._note_failure(error, self.machine.hindered)
        return None

    def _fail(self, error: EdgeError) -> None:
        self._note_failure(error, self.machine.failed)

    def _note_failure(self, error: EdgeError, note: Callable[[EdgeError, float], None]) -> None:
        self._count("uplink.failures", 1)
        was = self.machine.trouble
        note(error, self._monotonic())
        if self.machine.trouble != was:
            log.warning("The uplink waits: %s", error)

    def _note_change(self, before: str) -> None:
        self.since = self._clock()
        if self.machine.link == "up":
            log.info("The uplink is up.")
        elif before == "up":
            log.warning("The uplink is down.")
        self._changed()
