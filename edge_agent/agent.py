"""The running agent: its parts in touch with each other, and what it says of itself.

Parts are given, so that tests run it on a fake outbox and relay; :mod:`edge_agent.app` builds the
real ones. Rule: what can pass by itself is tried again by its part; anything else ends the process
with a reason, because a half-living agent acknowledges scans that go nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from edge_agent.clock import Clock, ClockWatch, Monotonic
from edge_agent.devices.links import Link
from edge_agent.jobs import Jobs
from edge_agent.outbox.port import Appended, Outbox, Reading, Unreadable
from edge_agent.report import DeviceReport
from edge_agent.sync.actions import Limits
from edge_agent.sync.backoff import Backoff
from edge_agent.sync.downlink import Downlink
from edge_agent.sync.outcomes import Outcomes, Tell
from edge_agent.sync.port import Relay
from edge_agent.sync.uplink import Uplink
from edge_agent.sync.uplink_driver import UplinkDriver
from edge_contract.batch import Heartbeat, HeartbeatReply
from edge_contract.errors import NeedsOperator
from edge_contract.mqtt import Feedback

log = logging.getLogger(__name__)

#: Seconds between two looks at links and clocks.
_TICK_S = 2.0
_PRUNE_S = 60.0
#: Devices named in a heartbeat: a relay takes no body without bound.
_MOST_NAMED = 500


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this agent is, in this life."""

    site: str
    agent: str
    version: str
    boot: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds between heartbeats and between tries."""

    heartbeat_s: float = 15.0
    retry_first_s: float = 0.5
    retry_max_s: float = 30.0


class Agent:
    """Made, then :meth:`prepare`, links added, then :meth:`run` until stopped."""

    def __init__(
        self,
        identity: Identity,
        outbox: Outbox,
        relay: Relay | None,
        *,
        clock: Clock,
        monotonic: Monotonic,
        draw: Callable[[], float],
        limits: Limits | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.identity = identity
        self.outbox = outbox
        self.started = clock()
        self.counters: Counter[str] = Counter()
        self.clock_watch = ClockWatch(clock, monotonic)
        self.links: list[Link] = []
        self.tell: Tell = lambda _device, _feedback: None
        self.announce_uplink: Callable[[Literal["unknown", "up", "down"]], None] = lambda _: None
        self.devices: Callable[[], Sequence[DeviceReport]] = tuple
        self.pairing_counters: Callable[[], dict[str, int]] = dict
        self.odoo = "unknown"
        self.uplink: UplinkDriver | None = None
        self.downlink: Downlink | None = None
        self._relay = relay
        self._clock = clock
        self._monotonic = monotonic
        self._draw = draw
        self._limits = limits
        self._patience = patience or Patience()
        self._loop = asyncio.get_running_loop()
        self._failure: asyncio.Future[object] = self._loop.create_future()
        self.jobs = Jobs(self.fail, self.count)

    async def prepare(self) -> None:
        """Learn from the outbox what the sync must know, and make its parts."""
        if self._relay is None:
            return
        held = await self._held()
        outcomes = Outcomes(self.outbox, self._tell, self.count, held)
        self.uplink = UplinkDriver(
            Uplink(self._backoff(), self._limits),
            self.outbox,
            self._relay,
            outcomes,
            self.heartbeat,
            clock=self._clock,
            monotonic=self._monotonic,
            count=self.count,
            heard=self._heard,
            changed=self._link_changed,
        )
        self.downlink = Downlink(
            self._relay,
            self.outbox,
            outcomes,
            self._backoff(),
            monotonic=self._monotonic,
            count=self.count,
        )

    def append_blocking(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        """For the links' threads: commit, then wake the uplink."""
        appended = self.outbox.append_blocking(burst)
        if self.uplink is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended; the commit has not
                self._loop.call_soon_threadsafe(self.uplink.appended)
        return appended

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter (I9). On the event loop's thread only."""
        self.counters[name] += by

    def fail(self, error: BaseException) -> None:
        """End :meth:`run` with ``error``."""
        if not self._failure.done():
            self._failure.set_exception(error)

    async def run(self, stop: asyncio.Event) -> None:
        """Start the links and work until ``stop`` is set; raises what ended it otherwise."""
        work: list[Coroutine[Any, Any, object]] = [stop.wait(), self._watch()]
        if self.uplink is not None and self.downlink is not None:
            work += [self.uplink.run(), self.downlink.run()]
        tasks = [asyncio.ensure_future(part) for part in work]
        try:
            self._schedule()
            for link in self.links:
                link.start()
            done, _ = await asyncio.wait(
                {*tasks, self._failure}, return_when=asyncio.FIRST_COMPLETED
            )
            for ended in done:
                ended.result()
        finally:
            await self._wind_down(tasks)

    async def _wind_down(self, tasks: Sequence[asyncio.Future[object]]) -> None:
        # Intake first: a link that stops has finished its commit and acknowledged it.
        self.jobs.stop()
        stopping = [asyncio.to_thread(link.stop) for link in self.links]
        for link, result in zip(
            self.links, await asyncio.gather(*stopping, return_exceptions=True), strict=True
        ):
            if isinstance(result, BaseException):
                log.error("The link %s did not stop well: %s", link.name, result)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._failure.cancel()
        if self._relay is not None:
            await self._relay.close()

    async def heartbeat(self) -> Heartbeat:
        lag = await self.outbox.lag()
        devices = self.devices()
        at_risk = [device.name for device in devices if device.at_risk]
        return Heartbeat(
            agent=self.identity.agent,
            generation=self.outbox.generation,
            boot=self.identity.boot,
            version=self.identity.version,
            time=self._clock(),
            newest_position=lag.newest_position,
            stored=lag.stored,
            unrelayed=lag.unrelayed,
            oldest_unrelayed=lag.oldest_unrelayed,
            quarantined=lag.quarantined,
            intake="refused" if lag.refused else "open",
            intake_reason=lag.refused,
            devices_online=sum(device.online for device in devices),
            devices_at_risk=tuple(at_risk[:_MOST_NAMED]),
            counters=await self.all_counters(),
        )

    async def all_counters(self) -> dict[str, int]:
        """Every counter of outbox, links and sync under one roof, by name."""
        counters = Counter(self.counters)
        counters["clock.steps"] = self.clock_watch.steps
        for name, value in (await self.outbox.counters()).items():
            counters[f"outbox.{name}"] += value
        for name, value in self.pairing_counters().items():
            counters[f"stations.{name}"] += value
        for link in self.links:
            state = link.state()
            for name, value in state.counters.items():
                counters[f"{state.kind}.{name}"] += value
        return dict(sorted(counters.items()))

    async def _held(self) -> list[tuple[str, UUID]]:
        held: list[tuple[str, UUID]] = []
        after, count = 0, (await self.outbox.lag()).held  # a million rows are not read for nothing
        while len(held) < count and (
            rows := await self.outbox.rows(stage="held", after=after, limit=500)
        ):
            held += [(row.device, row.event.id) for row in rows]
            after = int(rows[-1].event.position)
        return held

    def _tell(self, device: str, feedback: Feedback) -> None:
        self.count("feedback.second_tone")
        self.tell(device, feedback)

    def _backoff(self) -> Backoff:
        return Backoff(
            self._draw,
            first_s=self._patience.retry_first_s,
            ceiling_s=self._patience.retry_max_s,
        )

    def _heard(self, reply: HeartbeatReply, asked: datetime, answered: datetime) -> None:
        self.clock_watch.relay_says(reply.time, asked, answered)
        if reply.odoo != self.odoo:
            log.info("The relay says that Odoo is %s.", reply.odoo)
        self.odoo = reply.odoo

    def _link_changed(self) -> None:
        if self.uplink is None or self.downlink is None:
            return
        link = self.uplink.machine.link
        if link == "up":
            self.downlink.hurry()
        self.announce_uplink(link)

    # Work that comes round

    def _schedule(self) -> None:
        if self.uplink is not None:
            self.jobs.every(self._patience.heartbeat_s, "heartbeat", self._beat)
        self.jobs.every(_PRUNE_S, "retention", self._prune, first_s=5.0)
        self.jobs.start()

    async def _beat(self) -> None:
        if self.uplink is not None:
            self.uplink.beat_due()

    async def _prune(self) -> None:
        while pruned := await self.outbox.prune(self._clock()):
            self.count("retention.pruned", pruned)
            await asyncio.sleep(0)

    async def _watch(self) -> None:
        # Not one of the jobs, which go by the time of day: this loop puts them right.
        while True:
            await asyncio.sleep(_TICK_S)
            step = self.clock_watch.look()
            if step:
                log.warning("The time of day was set by %+.1f s.", step)
                self.jobs.run_now()
            for link in self.links:
                _check(link)


def _check(link: Link) -> None:
    state = link.state()
    if state.health == "stopped":
        raise NeedsOperator(
            "link-died",
            f"The link {state.name} ended by itself: {state.detail or 'no reason given'}.",
            "The agent ends too, so that its supervisor starts it anew; see the log.",
        )
