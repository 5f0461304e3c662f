"""A site in one process: two agents, the relay and its applier, each of which may die anywhere.

Everything is the product's own: the outbox and the inbox on disk, the uplink's machine and driver,
the relay's application behind HTTP (without a socket), the applier and its gateway. Only MQTT is
replaced: :meth:`AgentHost.take_in` does what the broker link does with a burst. All clocks are one
that the test moves. A process dies where :mod:`edge_contract.killpoint` has a named place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from cloud_relay.config import Limits as RelayLimits
from cloud_relay.inbox.port import Entry
from cloud_relay.inbox.store import SqliteInbox
from cloud_relay.intake.endpoints import Intake
from cloud_relay.intake.identity import BearerTokens
from cloud_relay.intake.server import build
from cloud_relay.odoo.applier import TargetApplier
from cloud_relay.odoo.port import Binding, OdooApplier, OdooBatch, OdooReply
from edge_agent.agent import Agent, Identity
from edge_agent.devices.feedback import answer
from edge_agent.devices.intake import read_event
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.store import SqliteOutbox
from edge_agent.sync.actions import Limits, Send, Wait
from edge_agent.sync.client import HttpRelay, Timeouts
from edge_contract import killpoint
from edge_contract.errors import Retryable
from edge_contract.mqtt import Feedback, event_topic

TARGET = "main"
#: Seconds that an event may lack stock before it is held: longer than any shift.
PATIENT = 10.0**9
#: Deliberately few, so that a shift takes many batches.
UPLINK_EVENTS, APPLIER_EVENTS = 4, 6


class Crash(BaseException):
    """The process ends here. Nothing in the product may catch it."""


@contextmanager
def dying_at(place: str | None) -> Iterator[None]:
    """The next time the named place is reached, a process ends there."""

    def reached(name: str) -> None:
        if name == place:
            raise Crash(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(killpoint, "reached", reached)
        yield


class WorldClock:
    """The time of day, and seconds that only grow; both move when the test says so."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._start = start

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return (self.now - self._start).total_seconds()

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Line(httpx.AsyncBaseTransport):
    """The way from an agent to the relay."""

    def __init__(self, relay: RelayHost) -> None:
        self._relay = relay
        self.cut = False
        self.lose_answers = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("The line is cut.")
        try:
            response = await httpx.ASGITransport(self._relay.app).handle_async_request(request)
        except Crash as crash:
            self._relay.died = True
            raise httpx.ReadError(f"The relay died at {crash}.") from None
        if self.lose_answers:
            self.lose_answers -= 1
            raise httpx.ReadError("The answer is lost.")
        return response


class AgentHost:
    """One agent with its outbox; ``site`` is its name too."""

    def __init__(self, site: str, folder: Path, relay: RelayHost, clock: WorldClock) -> None:
        self.site = site
        self.line = Line(relay)
        self.bad_tones: list[tuple[str, UUID | None, str]] = []
        """(device, event, code) of the second tones that were bad."""
        self._relay = relay
        self._clock = clock
        self._settings = OutboxSettings(path=folder / f"{site}.db", min_free_bytes=1 << 20)

    async def start(self) -> None:
        self.outbox = await SqliteOutbox.open(self._settings, site=self.site, clock=self._clock)
        self._http = HttpRelay(
            "http://relay",
            self.site,
            lambda: self.site,
            timeouts=Timeouts(poll=0),
            transport=self.line,
        )
        self.agent = Agent(
            Identity(self.site, self.site, "0"),
            self.outbox,
            self._http,
            clock=self._clock,
            monotonic=self._clock.seconds,
            draw=lambda: 0.0,
            limits=Limits(events=UPLINK_EVENTS, linger_s=0.0, spacing_s=0.0),
        )
        self.agent.tell = self._tell
        await self.agent.prepare()

    async def die(self) -> None:
        """Nothing is written any more; what was committed is what the next life finds."""
        await self.outbox._writer.close()
        await self._http.close()

    async def crash(self) -> None:
        await self.die()
        await self.start()

    def take_in(
        self, burst: Sequence[tuple[str, bytes]], hear: Callable[[str, Feedback], None]
    ) -> None:
        """Store (device, payload) pairs in one commit, then let each device hear the answer."""
        items = [
            read_event(event_topic(device), payload, self._clock(), lambda *_: None)
            for device, payload in burst
        ]
        killpoint.reached("intake.before_append")
        appended = self.agent.append_blocking(items)
        killpoint.reached("intake.after_commit")
        for item, stored in zip(items, appended, strict=True):
            hear(item.device, Feedback.model_validate_json(answer(item, stored, None)))

    @staticmethod
    def event_of(payload: bytes) -> UUID:
        """The id of an event as its device published it."""
        return UUID(json.loads(payload)["id"])

    async def sync(self, batches: int) -> None:
        """Send at most so many batches; stops when there is nothing to send or no way."""
        uplink = self.agent.uplink
        assert uplink is not None
        uplink.appended()
        uplink.beat_due()
        tries = 0
        while tries < batches:
            action = uplink.machine.next(self._clock.seconds())
            if isinstance(action, Wait):
                return
            tries += isinstance(action, Send)
            await uplink.step()
            if uplink.machine.link == "down":
                return

    async def listen(self) -> None:
        """Read the downlink to its end."""
        downlink = self.agent.downlink
        assert downlink is not None
        while await downlink.step() == 0.0 and downlink.trouble is None:
            pass

    def _tell(self, device: str, feedback: Feedback) -> None:
        if not feedback.ok:
            self.bad_tones.append((device, feedback.event, feedback.code))


class LossyOdoo:
    """Odoo as the applier sees it; an answer may be lost after the commit."""

    def __init__(self, odoo: OdooApplier) -> None:
        self._odoo = odoo
        self.lose_answers = 0
        self.calls = 0

    async def apply(self, batch: OdooBatch) -> OdooReply:
        self.calls += 1
        reply = await self._odoo.apply(batch)
        if self.lose_answers and batch.events:
            self.lose_answers -= 1
            raise Retryable("The answer is lost.")
        return reply


class _Idle:
    """A watch on which nothing ever comes; remembers that somebody waited."""

    def __init__(self) -> None:
        self.waited = False

    async def changed(self, timeout_s: float) -> bool:
        self.waited = True
        return False

    def close(self) -> None:
        return


class RelayHost:
    """The relay with its inbox and the applier of its one target."""

    def __init__(
        self,
        sites: Sequence[str],
        folder: Path,
        odoo: OdooApplier,
        binding: Binding,
        clock: WorldClock,
        inbox: type[SqliteInbox] = SqliteInbox,
    ) -> None:
        self.odoo = LossyOdoo(odoo)
        self.died = False
        self._inbox_type = inbox
        self._sites = dict.fromkeys(sites, TARGET)
        self._path = folder / "inbox.db"
        self._binding = binding
        self._clock = clock

    async def start(self) -> None:
        self.died = False
        self.inbox = await self._inbox_type.open(self._path)
        self._applier = TargetApplier(
            TARGET,
            self.inbox,
            lambda: NotImplemented,
            self._binding,
            batch=APPLIER_EVENTS,
            grace_s=PATIENT,
            limit_s=PATIENT,
            clock=self._clock,
            seconds=self._clock.seconds,
            share=lambda: 0.0,
        )
        await self._applier.recall()
        tokens = {site: hashlib.sha256(site.encode()).digest() for site in self._sites}
        limits = RelayLimits(requests_per_second=1e6, requests_at_once=10**6)
        intake = Intake(
            self.inbox, BearerTokens(tokens), self._sites, limits, _NoTargets(),
            self._clock, self._clock.seconds,
        )  # fmt: skip
        self.app = build(intake)

    async def die(self) -> None:
        await self.inbox.close()

    async def crash(self) -> None:
        await self.die()
        await self.start()

    async def apply(self, calls: int) -> bool:
        """At most so many calls of Odoo; True when nothing is left that is due."""
        watch = _Idle()
        last = self.odoo.calls + calls
        while self.odoo.calls < last and not watch.waited:
            await self._applier.step(self.odoo, watch)
        return watch.waited

    async def entry(self, device: str, event: UUID) -> Entry | None:
        return await self.inbox.entry(device, event)


class _NoTargets:
    def status(self, target: str) -> None:
        return None
